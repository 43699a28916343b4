#include "model/json.h"

#include "runtime/file.h"

#include <limits.h>
#include <stdlib.h>

ivl_status ivl_json_parse(const char *text, size_t n, const char *name, json_t **root_p)
{
    json_error_t e;
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    IVL_CHECK(root, IVL_EFORMAT, "%s: not JSON: line %d, column %d: %s", name, e.line, e.column, e.text);
    if (!json_is_object(root)) {
        json_decref(root);
        return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: holds no JSON object", name);
    }
    *root_p = root;
    return IVL_OK;
}

ivl_status ivl_json_load(const char *path, size_t limit, json_t **root_p)
{
    char *text = NULL;
    size_t n = 0;
    IVL_TRY(ivl_read_file(path, limit, &text, &n));
    ivl_status s = ivl_json_parse(text, n, path, root_p);
    free(text);
    return s;
}

ivl_status ivl_json_write(json_t *root, const char *path)
{
    return ivl_json_save_as(root, path, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
}

static const char *type_name(const json_t *v)
{
    static const char *const name[] = { "an object",     "an array", "a string", "an integer",
                                        "a real number", "true",     "false",    "null" };
    int t = (int)json_typeof(v);
    return t >= 0 && t < 8 ? name[t] : "something else";
}

static const json_t *get(ivl_json_at at, const char *key)
{
    const json_t *v = json_object_get(at.object, key);
    return json_is_null(v) ? NULL : v;
}

static ivl_status wrong(ivl_json_at at, const char *key, const json_t *v, const char *want)
{
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: %s%s is %s, not %s", at.name, at.prefix, key,
                    type_name(v), want);
}

ivl_status ivl_json_int(ivl_json_at at, const char *key, int *v_p)
{
    const json_t *v = get(at, key);
    if (!v) return IVL_OK;
    if (!json_is_integer(v)) return wrong(at, key, v, "an integer");
    json_int_t i = json_integer_value(v);
    IVL_CHECK(i >= INT_MIN && i <= INT_MAX, IVL_EFORMAT,
              "%s: %s%s = %" JSON_INTEGER_FORMAT " is out of range", at.name, at.prefix, key, i);
    *v_p = (int)i;
    return IVL_OK;
}

ivl_status ivl_json_real(ivl_json_at at, const char *key, double *v_p)
{
    const json_t *v = get(at, key);
    if (!v) return IVL_OK;
    if (!json_is_number(v)) return wrong(at, key, v, "a number");
    *v_p = json_number_value(v); /* jansson refuses numbers that overflow, so it is finite */
    return IVL_OK;
}

ivl_status ivl_json_bool(ivl_json_at at, const char *key, bool *v_p)
{
    const json_t *v = get(at, key);
    if (!v) return IVL_OK;
    if (!json_is_boolean(v)) return wrong(at, key, v, "true or false");
    *v_p = json_is_true(v);
    return IVL_OK;
}

ivl_status ivl_json_string(ivl_json_at at, const char *key, const char **v_p)
{
    const json_t *v = get(at, key);
    if (!v) return IVL_OK;
    if (!json_is_string(v)) return wrong(at, key, v, "a string");
    *v_p = json_string_value(v);
    return IVL_OK;
}

ivl_status ivl_json_object(ivl_json_at at, const char *key, const json_t **v_p)
{
    const json_t *v = get(at, key);
    if (!v) return IVL_OK;
    if (!json_is_object(v)) return wrong(at, key, v, "an object");
    *v_p = v;
    return IVL_OK;
}
