#include "train/json_save.h"

#include "runtime/file.h"

ivl_status ivl_json_save(json_t *j, const char *path)
{
    ivl_out_file out = { 0 };
    IVL_CHECK(j, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_out_open(path, &out);
    if (s == IVL_OK && json_dumpf(j, out.f, JSON_INDENT(1) | JSON_REAL_PRECISION(6))) {
        s = ivl_out_failed(&out);
        ivl_out_abandon(&out);
    }
    if (s == IVL_OK) s = ivl_out_commit(&out);
    json_decref(j);
    return s;
}
