#include "model/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/json.h"
#include "runtime/file.h"

enum { MAX_BYTES = 1 << 20 };

/* "linear", "mlp2x_gelu", "mlp3x_gelu_ln", "two_mlp". */
static ivl_status read_projector(const char *name, const char *kind, ivl_chat_config *c)
{
    int depth = 0, n = 0;
    c->projector_depth = 1;
    if (!strcmp(kind, "linear")) return IVL_OK;
    c->two_projectors = !strcmp(kind, "two_mlp");
    if (c->two_projectors) {
        c->projector_depth = 2;
        return IVL_OK;
    }
    bool ok = sscanf(kind, "mlp%dx_gelu%n", &depth, &n) == 1 && n > 0 && depth > 0 && depth <= 16;
    c->projector_norm = ok && !strcmp(kind + n, "_ln");
    IVL_CHECK(ok && (!kind[n] || c->projector_norm), IVL_EUNSUPPORTED,
              "%s: mm_projector_type '%.40s' is unknown: linear, mlp2x_gelu, mlp2x_gelu_ln or two_mlp", name, kind);
    c->projector_depth = depth;
    return IVL_OK;
}

/* The tower's folder must lie within the model's. */
static bool inside(const char *name) { return *name && *name != '/' && !strstr(name, ".."); }

static ivl_status read_tower(const char *dir, const char *name, ivl_chat_config *c)
{
    char *folder = ivl_path_join(dir, c->tower_name), *path = folder ? ivl_path_join(folder, "config.json") : NULL;
    json_t *root = NULL;
    ivl_status s = IVL_OK;
    if (!path) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    else if (!inside(c->tower_name))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: mm_vision_tower '%.60s' is no folder within the model's",
                     name, c->tower_name);
    if (s == IVL_OK) s = ivl_json_load(path, MAX_BYTES, &root);
    const char *type = s == IVL_OK ? json_string_value(json_object_get(root, "model_type")) : NULL;
    c->bare_vit = !type || strcmp(type, "internvl") != 0;
    if (s == IVL_OK)
        s = c->bare_vit ? ivl_config_vit_from_json(root, path, &c->tower) : ivl_config_from_json(root, path, &c->tower);
    json_decref(root);
    free(folder), free(path);
    return s;
}

static ivl_status read_layer(ivl_json_at at, ivl_chat_config *c)
{
    int layer = -2, n = c->tower.vit.layers + 1;
    const char *feature = "patch";
    IVL_TRY(ivl_json_int(at, "mm_vision_select_layer", &layer));
    IVL_TRY(ivl_json_string(at, "mm_vision_select_feature", &feature));
    IVL_CHECK(layer >= -n && layer < n, IVL_EFORMAT, "%s: mm_vision_select_layer %d is none of the %d states", at.name,
              layer, n);
    c->select_layer = layer < 0 ? n + layer : layer;
    c->class_token = !strcmp(feature, "cls_patch");
    IVL_CHECK(c->class_token || !strcmp(feature, "patch"), IVL_EFORMAT,
              "%s: mm_vision_select_feature '%.40s' is unknown: patch or cls_patch", at.name, feature);
    return IVL_OK;
}

/* How it was fine-tuned. */
static ivl_status read_form(ivl_json_at at, ivl_chat_config *c)
{
    const char *form = "", *system = NULL;
    IVL_TRY(ivl_json_string(at, "conversation_template", &form));
    IVL_TRY(ivl_json_string(at, "system_message", &system));
    IVL_CHECK(strlen(form) < sizeof c->form, IVL_EFORMAT, "%s: conversation_template '%.40s' is unknown", at.name,
              form);
    IVL_CHECK(!system || strlen(system) < sizeof c->system, IVL_EFORMAT, "%s: system_message is longer than %zu bytes",
              at.name, sizeof c->system - 1);
    strcpy(c->form, form);
    c->has_system = system != NULL;
    if (system) strcpy(c->system, system);
    return IVL_OK;
}

static ivl_status read(const char *dir, const char *name, const json_t *root, ivl_chat_config *c)
{
    ivl_json_at at = { name, "", root };
    const char *tower = NULL, *kind = NULL;
    IVL_TRY(ivl_json_string(at, "mm_vision_tower", &tower));
    IVL_TRY(ivl_json_string(at, "mm_projector_type", &kind));
    IVL_CHECK(tower && kind, IVL_EFORMAT, "%s: no mm_vision_tower and mm_projector_type: this is no chat model", name);
    snprintf(c->tower_name, sizeof c->tower_name, "%s", tower);
    IVL_TRY(ivl_config_text_from_json(root, name, &c->llm));
    IVL_TRY(read_projector(name, kind, c));
    IVL_TRY(read_tower(dir, name, c));
    IVL_CHECK(!c->two_projectors || c->tower.text.queries, IVL_EFORMAT,
              "%s: mm_projector_type two_mlp needs a tower with QLLaMA", name);
    IVL_TRY(read_form(at, c));
    return read_layer(at, c);
}

ivl_status ivl_chat_config_load(const char *dir, ivl_chat_config *c_p)
{
    ivl_chat_config c = { 0 };
    char *path = ivl_path_join(dir, "config.json");
    json_t *root = NULL;
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_json_load(path, MAX_BYTES, &root);
    if (s == IVL_OK) s = read(dir, path, root, &c);
    json_decref(root);
    free(path);
    if (s == IVL_OK) *c_p = c;
    return s;
}

/* --- writing -------------------------------------------------------------------------------------- */

static void projector_type(const ivl_chat_config *c, char *text, size_t n)
{
    if (c->two_projectors) snprintf(text, n, "two_mlp");
    else if (c->projector_depth == 1) snprintf(text, n, "linear");
    else snprintf(text, n, "mlp%dx_gelu%s", c->projector_depth, c->projector_norm ? "_ln" : "");
}

static json_t *to_json(const ivl_chat_config *c, ivl_dtype dtype)
{
    char kind[32];
    projector_type(c, kind, sizeof kind);
    json_t *root = ivl_llm_config_to_json(&c->llm, dtype);
    json_t *mm = json_pack("{s:s, s:[s], s:s, s:i, s:s, s:i, s:s, s:b, s:b, s:b}", "model_type", "llava_llama",
                           "architectures", "LlavaLlamaForCausalLM", "mm_vision_tower", c->tower_name, "mm_hidden_size",
                           c->tower.vit.width, "mm_projector_type", kind, "mm_vision_select_layer",
                           c->select_layer - c->tower.vit.layers - 1, "mm_vision_select_feature",
                           c->class_token ? "cls_patch" : "patch", "mm_use_im_start_end", false,
                           "mm_use_im_patch_token", false, "use_mm_proj", true);
    int bad = !root || !mm || json_object_update(root, mm);
    json_decref(mm);
    if (!bad && c->form[0]) bad = json_object_set_new(root, "conversation_template", json_string(c->form));
    if (!bad && c->has_system) bad = json_object_set_new(root, "system_message", json_string(c->system));
    if (!bad) return root;
    json_decref(root);
    return NULL;
}

static ivl_status save_tower(const char *folder, const ivl_chat_config *c, ivl_dtype dtype)
{
    char *path = ivl_path_join(folder, "config.json");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status s = c->bare_vit ? ivl_json_write(ivl_config_vit_to_json(&c->tower), path)
                               : ivl_config_save(&c->tower, dtype, path);
    free(path);
    return s;
}

ivl_status ivl_chat_config_save(const char *dir, const ivl_chat_config *c, ivl_dtype dtype)
{
    char *folder = ivl_path_join(dir, c->tower_name), *path = ivl_path_join(dir, "config.json");
    ivl_status s = folder && path ? ivl_make_dirs(folder) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) s = save_tower(folder, c, dtype);
    if (s == IVL_OK) s = ivl_json_write(to_json(c, dtype), path);
    free(folder), free(path);
    return s;
}
