#include "data/sp_config.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "runtime/json_save.h"

static ivl_status no_memory(void) { return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory"); }

/* The id that key is, if its token is a special one of the vocabulary; else -1. */
static int32_t special_id(const char *key, const json_t *token, int size)
{
    char *end;
    long id = strtol(key, &end, 10);
    bool special = json_is_true(json_object_get(token, "special")), known = *key && !*end && id >= 0 && id < size;
    return special && known && json_string_length(json_object_get(token, "content")) ? (int32_t)id : -1;
}

/* {"8": {"content": "<|im_end|>", "special": true}, ...} */
static ivl_status parse_specials(json_t *added, int size, ivl_sp_config *c)
{
    const char *key;
    json_t *token;
    size_t bytes = 1, n = json_object_size(added);
    json_object_foreach(added, key, token) bytes += json_string_length(json_object_get(token, "content"));
    c->special = calloc(n + 1, sizeof *c->special);
    char *at = c->text = malloc(bytes);
    if (!c->special || !c->text) return no_memory();
    json_object_foreach(added, key, token)
    {
        int32_t id = special_id(key, token, size);
        const json_t *text = json_object_get(token, "content");
        if (id < 0) continue;
        size_t len = json_string_length(text);
        memcpy(at, json_string_value(text), len);
        c->special[c->n_special++] = (ivl_special){ at, len, id };
        at += len;
    }
    return IVL_OK;
}

static ivl_status parse(const json_t *root, int size, ivl_sp_config *c)
{
    const char *jinja = json_string_value(json_object_get(root, "chat_template"));
    c->legacy = !json_is_false(json_object_get(root, "legacy"));
    c->no_bos = json_is_false(json_object_get(root, "add_bos_token"));
    if (jinja && !(c->chat_template = strdup(jinja))) return no_memory();
    return parse_specials(json_object_get(root, "added_tokens_decoder"), size, c);
}

ivl_status ivl_sp_config_parse(const char *bytes, size_t n, const char *name, int size, ivl_sp_config *c)
{
    json_error_t e;
    json_t *root = json_loadb(bytes, n, 0, &e);
    *c = (ivl_sp_config){ 0 };
    IVL_CHECK(root, IVL_EFORMAT, "%s: not JSON: line %d, column %d: %s", name, e.line, e.column, e.text);
    ivl_status s = parse(root, size, c);
    json_decref(root);
    return s;
}

void ivl_sp_config_free(ivl_sp_config *c)
{
    free(c->chat_template), free(c->special), free(c->text);
    *c = (ivl_sp_config){ 0 };
}

static json_t *settings(const ivl_sp_config *c)
{
    json_t *added = json_object();
    for (int i = 0; i < c->n_special; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", (int)c->special[i].id);
        json_object_set_new(added, key, json_pack("{s:s%, s:b, s:b, s:b, s:b, s:b}", "content", c->special[i].text,
                                                  c->special[i].n, "lstrip", 0, "normalized", 0, "rstrip", 0,
                                                  "single_word", 0, "special", 1));
    }
    return json_pack("{s:s, s:b, s:b, s:b, s:b, s:s*, s:o}", "tokenizer_class", "LlamaTokenizer", "add_bos_token",
                     !c->no_bos, "add_eos_token", 0, "legacy", c->legacy, "clean_up_tokenization_spaces", 0,
                     "chat_template", c->chat_template, "added_tokens_decoder", added);
}

ivl_status ivl_sp_config_save(const ivl_sp_config *c, const char *dir)
{
    return ivl_json_save_in(settings(c), dir, "tokenizer_config.json", JSON_INDENT(2));
}
