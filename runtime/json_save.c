#include "runtime/json_save.h"

#include <stdlib.h>

#include "runtime/file.h"

/* Into a buffer of the right size nothing is allocated on the way, so nothing is lost. */
char *ivl_json_dump(const json_t *root, size_t flags)
{
    size_t n = json_dumpb(root, NULL, 0, flags);
    char *text = n ? malloc(n + 1) : NULL;
    if (text && json_dumpb(root, text, n, flags) != n) free(text), text = NULL;
    if (text) text[n] = 0;
    return text;
}

ivl_status ivl_json_save_as(json_t *root, const char *path, size_t flags)
{
    char *text = root ? ivl_json_dump(root, flags) : NULL;
    json_decref(root);
    IVL_CHECK(text, IVL_ENOMEM, "%s: out of memory", path);
    ivl_out_file out = { 0 };
    ivl_status s = ivl_out_open(path, &out);
    if (s == IVL_OK) {
        fprintf(out.f, "%s\n", text); /* an error shows at commit */
        s = ivl_out_commit(&out);
    }
    free(text);
    return s;
}

ivl_status ivl_json_save(json_t *root, const char *path)
{
    return ivl_json_save_as(root, path, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
}

ivl_status ivl_json_save_in(json_t *root, const char *dir, const char *name, size_t flags)
{
    char *path = ivl_path_join(dir, name);
    ivl_status s = path ? ivl_json_save_as(root, path, flags)
                        : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (!path) json_decref(root);
    free(path);
    return s;
}
