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
