#include "train/caption_results.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "runtime/json_save.h"

/* The number that a key ends with, as in "COCO_val2014_000000000042"; -1: none. */
static int64_t number_of(const char *key)
{
    size_t n = strlen(key), first = n;
    while (first > 0 && n - first < 18 && key[first - 1] >= '0' && key[first - 1] <= '9') first--;
    return first < n ? strtoll(key + first, NULL, 10) : -1;
}

/* Record with that key, else with that number; -1: none. */
static int64_t find(const ivl_dataset *ds, const json_t *id)
{
    char text[32];
    const char *name = json_string_value(id);
    snprintf(text, sizeof text, "%lld", (long long)json_integer_value(id));
    for (int64_t i = 0; i < ivl_dataset_count(ds); i++)
        if (!strcmp(ivl_dataset_key(ds, i), name ? name : text)) return i;
    for (int64_t i = 0; !name && i < ivl_dataset_count(ds); i++)
        if (number_of(ivl_dataset_key(ds, i)) == json_integer_value(id)) return i;
    return -1;
}

/* at[record]: its number among the n, or negative. */
static ivl_status take(const char *path, const ivl_dataset *ds, const json_t *list, const int32_t *at, char **text)
{
    json_t *e;
    size_t i;
    json_array_foreach(list, i, e) {
        const json_t *id = json_object_get(e, "image_id"), *caption = json_object_get(e, "caption");
        IVL_CHECK((json_is_string(id) || json_is_integer(id)) && json_is_string(caption), IVL_EFORMAT,
                  "%s: entry %zu has no \"image_id\" and \"caption\"", path, i + 1);
        char *name = json_dumps(id, JSON_ENCODE_ANY);
        int64_t r = find(ds, id);
        ivl_status s = name ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
        if (s == IVL_OK && r < 0)
            s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: entry %zu: image_id %s is of no picture of the data",
                         path, i + 1, name);
        if (s == IVL_OK && at[r] >= 0 && text[at[r]])
            s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: entry %zu: image_id %s is there twice", path, i + 1,
                         name);
        free(name);
        IVL_TRY(s);
        if (at[r] < 0) continue;
        text[at[r]] = strdup(json_string_value(caption));
        IVL_CHECK(text[at[r]], IVL_ENOMEM, "out of memory");
    }
    return IVL_OK;
}

ivl_status ivl_caption_results_read(const char *path, const ivl_dataset *ds, const int32_t *record, int n, char **text)
{
    char *bytes = NULL;
    size_t size = 0, count = (size_t)ivl_dataset_count(ds);
    json_error_t why = { 0 };
    int32_t *at = malloc((count + 1) * sizeof *at);
    IVL_CHECK(at, IVL_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) at[i] = -1;
    for (int i = 0; i < n; i++) at[record[i]] = i;
    ivl_status s = ivl_read_file(path, (size_t)1 << 30, &bytes, &size);
    json_t *list = s == IVL_OK ? json_loadb(bytes, size, 0, &why) : NULL;
    if (s == IVL_OK && !json_is_array(list))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: no JSON list of {\"image_id\", \"caption\"}%s%s", path,
                     list ? "" : ": ", list ? "" : why.text);
    if (s == IVL_OK) s = take(path, ds, list, at, text);
    json_decref(list);
    free(bytes), free(at);
    return s;
}

ivl_status ivl_caption_results_write(const char *path, const ivl_dataset *ds, const int32_t *record, int n,
                                     char *const *text)
{
    json_t *list = json_array();
    bool numbers = true;
    for (int i = 0; i < n; i++) {
        const char *key = ivl_dataset_key(ds, record[i]);
        numbers = numbers && *key && strlen(key) <= 18 && strspn(key, "0123456789") == strlen(key);
    }
    for (int i = 0; i < n; i++) {
        const char *key = ivl_dataset_key(ds, record[i]);
        json_t *id = numbers ? json_integer(number_of(key)) : json_string(key);
        json_array_append_new(list, json_pack("{s:o, s:s}", "image_id", id, "caption", text[i]));
    }
    return ivl_json_save(list, path);
}
