/* Finds a configuration by what a user types: a folder, a file, or the name of a built-in one (conf/). */
#include "model/config.h"

#include "model/json.h"
#include "runtime/embed.h"
#include "runtime/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_BYTES = 16 << 20 };

static bool is_folder(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static bool is_file(const char *path)
{
    struct stat st;
    return !stat(path, &st) && !S_ISDIR(st.st_mode);
}

static const ivl_embedded_file *built_in(const char *name, size_t n)
{
    for (const ivl_embedded_file *f = ivl_embedded_conf; f->name; f++)
        if (strlen(f->name) == n + 5 && !strncmp(f->name, name, n) && !strcmp(f->name + n, ".json")) return f;
    return NULL;
}

/* Says what there is instead; a list of variants is named with its numbers' form. */
static ivl_status not_found(const char *path)
{
    char names[400] = "";
    size_t at = 0;
    for (const ivl_embedded_file *f = ivl_embedded_conf; f->name && at < sizeof names; f++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%.*s%s", at ? ", " : "",
                               (int)strlen(f->name) - 5, f->name,
                               strstr(f->text, "\"variants\"") ? "/N" : "");
    return ivl_fail(IVL_EIO, __FILE__, __LINE__,
                    "%s: no such model folder, .json file or built-in configuration (%s)", path, names);
}

/* JSON of `what`, the first n bytes of a longer string. */
static ivl_status read_json(const char *what, size_t n, json_t **root_p)
{
    char *path = strndup(what, n), *inside = NULL;
    ivl_status s = IVL_OK;
    const ivl_embedded_file *f = NULL;
    if (!path)
        s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    else if (is_folder(path) && !(inside = ivl_path_join(path, "config.json")))
        s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    else if (inside || is_file(path))
        s = ivl_json_load(inside ? inside : path, MAX_BYTES, root_p);
    else if ((f = built_in(what, n)))
        s = ivl_json_parse(f->text, f->bytes, f->name, root_p);
    else
        s = not_found(path);
    free(path), free(inside);
    return s;
}

/* Variant `number` (from 1) of { "base": CONFIG, "variants": [CONFIG...] }: base with the variant's keys on
 * top. */
static ivl_status pick_variant(json_t *root, const char *what, int number, ivl_model_config *c_p)
{
    json_t *base = json_object_get(root, "base"), *list = json_object_get(root, "variants");
    IVL_CHECK(json_is_object(base) && json_is_array(list), IVL_EFORMAT,
              "%s: a list of variants needs an object \"base\" and an array \"variants\"", what);
    int count = (int)json_array_size(list);
    IVL_CHECK(number >= 1 && number <= count, IVL_EINVAL, "%s: variants are numbered 1 to %d", what, count);
    json_t *merged = json_deep_copy(base);
    ivl_status s = IVL_OK;
    if (!merged || json_object_update_recursive(merged, json_array_get(list, (size_t)number - 1)))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: this variant is no JSON object", what);
    else
        s = ivl_config_from_json(merged, what, c_p);
    json_decref(merged);
    return s;
}

/* "sweep/3" -> length of "sweep" and 3; 0 when there is no number behind the last slash. */
static int split_number(const char *what, size_t *n_p)
{
    const char *slash = strrchr(what, '/');
    char *end = NULL;
    long number = slash ? strtol(slash + 1, &end, 10) : 0;
    if (number < 1 || number > 1000000 || *end) return 0;
    *n_p = (size_t)(slash - what);
    return (int)number;
}

ivl_status ivl_config_load(const char *what, ivl_model_config *c_p)
{
    size_t n = strlen(what);
    int number = is_folder(what) || is_file(what) ? 0 : split_number(what, &n);
    json_t *root = NULL;
    IVL_TRY(read_json(what, n, &root));
    ivl_status s;
    if (number)
        s = pick_variant(root, what, number, c_p);
    else if (json_object_get(root, "variants"))
        s = ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "%s: a list of %zu variants: add a number, as in %s/1",
                     what, json_array_size(json_object_get(root, "variants")), what);
    else
        s = ivl_config_from_json(root, what, c_p);
    json_decref(root);
    return s;
}
