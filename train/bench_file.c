/* Rows as JSON lines. */
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "runtime/json_save.h"
#include "train/bench.h"

static json_t *to_json(const ivl_bench_row *r)
{
    return json_pack("{ss ss ss ss si sb sf sf sf sf sf sf si}", "device", r->device, "op", r->op, "shapes",
                     r->shapes, "impl", r->impl, "times", r->times, "chosen", (int)r->chosen, "flops", r->flops,
                     "bytes", r->bytes, "roof_seconds", r->roof, "seconds", r->time.median, "least", r->time.least,
                     "most", r->time.most, "tries", r->time.tries);
}

ivl_status ivl_bench_save(const ivl_bench *b, const char *path)
{
    ivl_out_file out = { 0 };
    ivl_status s = ivl_out_open(path, &out);
    for (int i = 0; s == IVL_OK && i < b->n; i++) {
        json_t *j = to_json(&b->row[i]);
        char *text = j ? ivl_json_dump(j, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
        if (text) fprintf(out.f, "%s\n", text); /* an error shows at commit */
        else s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "%s: out of memory", path);
        free(text), json_decref(j);
    }
    if (s != IVL_OK) {
        ivl_out_abandon(&out);
        return s;
    }
    return ivl_out_commit(&out);
}

/* The op's name as the library has it, which lives on. */
static const char *op_name(const char *name)
{
    for (int i = 0; i < ivl_op_count(); i++)
        if (!strcmp(ivl_op_get(i)->name, name)) return ivl_op_get(i)->name;
    return NULL;
}

static ivl_status from_json(json_t *j, const char *path, int line, ivl_bench_row *r)
{
    const char *device, *op, *shapes, *impl;
    int chosen;
    json_error_t e;
    *r = (ivl_bench_row){ 0 };
    int bad = json_unpack_ex(j, &e, 0, "{ss ss ss ss si sb sF sF sF sF}", "device", &device, "op", &op, "shapes",
                             &shapes, "impl", &impl, "times", &r->times, "chosen", &chosen, "flops", &r->flops,
                             "bytes", &r->bytes, "roof_seconds", &r->roof, "seconds", &r->time.median);
    IVL_CHECK(!bad, IVL_EFORMAT, "%s:%d: no line of ivl bench: %s", path, line, e.text);
    r->op = op_name(op), r->chosen = chosen;
    IVL_CHECK(r->op, IVL_EFORMAT, "%s:%d: there is no op '%.40s'", path, line, op);
    snprintf(r->device, sizeof r->device, "%s", device), snprintf(r->shapes, sizeof r->shapes, "%s", shapes);
    snprintf(r->impl, sizeof r->impl, "%s", impl);
    return IVL_OK;
}

ivl_status ivl_bench_load(const char *path, ivl_bench *b_p)
{
    FILE *f = fopen(path, "r");
    ivl_bench b = { 0 };
    ivl_status s = IVL_OK;
    char *text = NULL;
    size_t room = 0;
    IVL_CHECK(f, IVL_EIO, "%s: cannot be opened", path);
    for (int line = 1; s == IVL_OK && getline(&text, &room, f) > 0; line++) {
        ivl_bench_row row;
        json_error_t e;
        json_t *j = json_loads(text, 0, &e);
        s = j ? from_json(j, path, line, &row)
              : ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s:%d: no JSON: %s", path, line, e.text);
        if (s == IVL_OK) s = ivl_bench_append(&b, &row);
        json_decref(j);
    }
    free(text);
    fclose(f);
    if (s != IVL_OK) ivl_bench_free(&b);
    else *b_p = b;
    return s;
}
