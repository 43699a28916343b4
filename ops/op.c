#include "ops/op.h"

#include <stdarg.h>
#include <stdlib.h>

#include "runtime/dtype.h"

static const char *op_name(const ivl_node *n) { return ivl_op_get(n->op)->name; }

ivl_dtype ivl_stat_dtype(ivl_dtype t) { return t == IVL_F64 ? IVL_F64 : IVL_F32; }
bool ivl_is_weight(const ivl_tensor *w, ivl_dtype t)
{
    if (ivl_dtype_block(w->dtype) == 1) return w->dtype == t && ivl_is_float(t);
    return (t == IVL_F32 || t == IVL_F64) && ivl_cols(w) % ivl_dtype_block(w->dtype) == 0 && ivl_contiguous(w);
}

double ivl_bytes_of_rows(const ivl_node *n)
{
    return 2 * (double)ivl_dtype_bytes(n->y[0]->dtype, ivl_numel(n->y[0]));
}

bool ivl_is_float(ivl_dtype t) { return t == IVL_F32 || t == IVL_BF16 || t == IVL_F16 || t == IVL_F64; }

ivl_dtype ivl_out_dtype(const ivl_node *n, int i, ivl_dtype t)
{
    bool filled = n->y[i] && n->y[i]->pitch && ivl_is_float(n->y[i]->dtype);
    return filled ? n->y[i]->dtype : t;
}

ivl_status ivl_out(const ivl_node *n, int i, ivl_dtype dtype, int rank, const int64_t *dim)
{
    ivl_tensor *y = n->y[i];
    if (!y) return IVL_OK;
    ivl_tensor t = ivl_tensor_make(dtype, rank, dim);
    if (y->pitch) {
        char a[96], b[96];
        IVL_CHECK(ivl_numel(y) == ivl_numel(&t) && y->dtype == dtype, IVL_ESHAPE,
                  "%s: output %d is %s where %s is computed", op_name(n), i, ivl_tensor_text(y, a, sizeof a),
                  ivl_tensor_text(&t, b, sizeof b));
        return IVL_OK;
    }
    t.name = y->name;
    *y = t;
    return IVL_OK;
}

ivl_status ivl_out_like(const ivl_node *n, int i, const ivl_tensor *t)
{
    return ivl_out(n, i, t->dtype, t->rank, t->dim);
}

ivl_status ivl_need(const ivl_node *n, int i, const char *what, int rank)
{
    IVL_CHECK(i < n->n_in && n->x[i], IVL_EINVAL, "%s: %s is missing", op_name(n), what);
    char text[96];
    IVL_CHECK(rank < 0 || n->x[i]->rank == rank, IVL_ESHAPE, "%s: %s is %s, not of rank %d", op_name(n), what,
              ivl_tensor_text(n->x[i], text, sizeof text), rank);
    return IVL_OK;
}

ivl_status ivl_need_like(const ivl_node *n, int i, const char *what, const ivl_tensor *t)
{
    IVL_TRY(ivl_need(n, i, what, -1));
    const ivl_tensor *x = n->x[i];
    char a[96], b[96];
    ivl_tensor_text(x, a, sizeof a);
    IVL_CHECK(ivl_is_float(x->dtype), IVL_EUNSUPPORTED, "%s: %s is %s, not of a float type", op_name(n), what, a);
    IVL_CHECK(!t || (t->dtype == x->dtype && ivl_cols(t) == ivl_cols(x) && ivl_rows(t) == ivl_rows(x)), IVL_ESHAPE,
              "%s: %s is %s where %s belongs", op_name(n), what, a, ivl_tensor_text(t ? t : x, b, sizeof b));
    return IVL_OK;
}

static void push(ivl_args *a, size_t bytes)
{
    a->arg[a->n].p = &a->v[a->n];
    a->arg[a->n++].bytes = bytes;
}

void ivl_arg_long(ivl_args *a, int64_t v) { a->v[a->n].l = v, push(a, 8); }
void ivl_arg_int(ivl_args *a, int32_t v) { a->v[a->n].i = v, push(a, 4); }
void ivl_arg_float(ivl_args *a, float v) { a->v[a->n].f = v, push(a, 4); }

void ivl_arg_buffer(ivl_args *a, ivl_buffer b, int64_t off_elements)
{
    a->v[a->n].p = b.handle, push(a, sizeof(void *));
    ivl_arg_long(a, off_elements);
}

void ivl_arg_tensor(ivl_args *a, const ivl_tensor *t)
{
    static const ivl_tensor none;
    if (!t) t = &none;
    ivl_arg_buffer(a, t->buf, t->off);
    ivl_arg_long(a, t->pitch);
}

ivl_status ivl_enqueue(ivl_stream *s, ivl_kernel *k, int64_t gx, int64_t gy, int64_t gz, int local, ivl_args *a)
{
    if (gx <= 0 || gy <= 0 || gz <= 0) return IVL_OK; /* nothing to do */
    IVL_CHECK(gx <= INT32_MAX && gy <= INT32_MAX && gz <= INT32_MAX, IVL_EUNSUPPORTED,
              "a launch of %lld x %lld x %lld groups", (long long)gx, (long long)gy, (long long)gz);
    ivl_grid g = { { (uint32_t)gx, (uint32_t)gy, (uint32_t)gz }, (uint32_t)local };
    return ivl_launch(s, k, g, a->arg, a->n);
}

const char *ivl_t_define(ivl_dtype t)
{
    return t == IVL_BF16 ? "-DT_BF16" : t == IVL_F16 ? "-DT_F16" : "-DT_F32";
}

const char *ivl_w_define(ivl_dtype t)
{
    return t == IVL_Q8_0 ? " -DW_Q8_0" : t == IVL_Q4_0 ? " -DW_Q4_0" : t == IVL_Q4_1 ? " -DW_Q4_1" : "";
}

const char *ivl_o_define(ivl_dtype t) { return t == IVL_BF16 ? "-DO_BF16" : t == IVL_F16 ? "-DO_F16" : "-DO_F32"; }

ivl_status ivl_prep_kernel(ivl_device *d, ivl_prep **p_p, int i, const int *param, const char *file,
                           const char *entry, const char *fmt, ...)
{
    ivl_prep *p = *p_p ? *p_p : calloc(1, sizeof *p);
    *p_p = NULL;
    IVL_CHECK(p, IVL_ENOMEM, "out of memory");
    if (param)
        for (int j = 0; j < IVL_MAX_PARAM; j++) p->p[j] = param[j];
    char defines[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(defines, sizeof defines, fmt, ap);
    va_end(ap);
    ivl_status s = ivl_build(d, file, entry, defines, &p->k[i]);
    if (s != IVL_OK) {
        free(p);
        return s;
    }
    *p_p = p;
    return IVL_OK;
}

ivl_status ivl_prep_table(ivl_device *d, ivl_prep **p_p, const void *data, size_t bytes)
{
    ivl_stream *s = NULL;
    ivl_status e = ivl_stream_open(d, &s);
    if (e == IVL_OK) e = ivl_alloc(d, IVL_MEM_DEVICE, bytes, &(*p_p)->table);
    if (e == IVL_OK) e = ivl_write(s, (*p_p)->table, 0, bytes, data);
    ivl_stream_close(s);
    if (e == IVL_OK) return IVL_OK;
    ivl_prep_destroy(*p_p);
    *p_p = NULL;
    return e;
}

void ivl_prep_destroy(ivl_prep *p)
{
    if (!p) return;
    ivl_release(p->table);
    free(p);
}

bool ivl_fits_kernels(const ivl_caps *c, const ivl_node *n)
{
    if (c->features & IVL_CAP_NO_KERNELS) return false;
    for (int i = 0; i < n->n_in; i++)
        if (n->x[i] && n->x[i]->dtype == IVL_F64) return false;
    for (int i = 0; i < n->n_out; i++)
        if (n->y[i] && n->y[i]->dtype == IVL_F64) return false;
    return true;
}

static void row_defaults(const ivl_caps *c, const ivl_node *n, int *param)
{
    (void)n;
    bool gpu = c->features & IVL_CAP_GPU;
    param[0] = gpu ? 128 : 1;
    param[1] = gpu ? 4 : 16;
}

static bool group_valid(const ivl_caps *c, const ivl_node *n, const int *param)
{
    (void)n;
    return param[0] <= c->max_group;
}

const ivl_tune_space ivl_row_space = {
    .n = 2, .name = { "WG_SIZE", "VEC" }, .values = { { 1, 32, 64, 128, 256 }, { 1, 4, 8, 16, 32 } },
    .defaults = row_defaults, .valid = group_valid,
};

static void flat_defaults(const ivl_caps *c, const ivl_node *n, int *param)
{
    (void)n;
    bool gpu = c->features & IVL_CAP_GPU;
    param[0] = gpu ? 256 : 1;
    param[1] = gpu ? 4 : 4096;
}

const ivl_tune_space ivl_flat_space = {
    .n = 2, .name = { "WG_SIZE", "VEC" }, .values = { { 1, 64, 128, 256 }, { 1, 4, 16, 1024, 4096, 16384 } },
    .defaults = flat_defaults, .valid = group_valid,
};

static void strip_defaults(const ivl_caps *c, const ivl_node *n, int *param)
{
    (void)n;
    bool gpu = c->features & IVL_CAP_GPU;
    param[0] = gpu ? 64 : 1;
    param[1] = gpu ? 1 : 64;
}

const ivl_tune_space ivl_strip_space = {
    .n = 2, .name = { "WG_SIZE", "VEC" }, .values = { { 1, 32, 64, 128 }, { 1, 2, 4, 16, 64, 128 } },
    .defaults = strip_defaults, .valid = group_valid,
};

int64_t ivl_flat_groups(int64_t n, const int *param)
{
    int64_t per = (int64_t)param[0] * param[1];
    return (n + per - 1) / per;
}
