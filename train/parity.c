#include "train/parity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/json.h"
#include "model/positions.h"
#include "runtime/dtype.h"
#include "runtime/file.h"
#include "train/schedule.h"

enum { JSON_LIMIT = 64 << 20 };

static ivl_status read_manifest(ivl_parity *c)
{
    char *path = ivl_path_join(c->dir, "manifest.json");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_json_load(path, JSON_LIMIT, &c->manifest);
    if (s == IVL_OK && !json_is_object(json_object_get(c->manifest, "tensors")))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: no \"tensors\"", path);
    free(path);
    return s;
}

static ivl_status open_files(ivl_parity *c)
{
    IVL_TRY(ivl_config_load(c->dir, &c->config));
    IVL_TRY(read_manifest(c));
    char *path = ivl_path_join(c->dir, "expected.safetensors");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_st_open(path, &c->expected);
    free(path);
    return s;
}

static bool trains_all(void *ctx, const char *name) { return (void)ctx, (void)name, true; }

ivl_status ivl_parity_params(ivl_parity *c, bool (*trains)(void *, const char *), void *ctx, ivl_params **p_p)
{
    ivl_params *p = NULL;
    ivl_params_options o = { .parts = IVL_PARTS_ALL, .trains = trains ? trains : trains_all, .ctx = ctx };
    IVL_TRY(ivl_params_create(&c->config, &o, &p));
    ivl_status s = ivl_checkpoint_match(c->dir, p, &(ivl_load_options){ 0 });
    if (s == IVL_OK) s = ivl_params_alloc(p, c->dev, c->o->compute, true);
    if (s == IVL_OK) s = ivl_checkpoint_load(c->dir, p, c->stream, NULL, NULL);
    if (s != IVL_OK) {
        ivl_params_destroy(p);
        return s;
    }
    *p_p = p;
    return IVL_OK;
}

ivl_status ivl_parity_open(const char *dir, ivl_device *dev, const ivl_verify_options *o, ivl_parity *c)
{
    *c = (ivl_parity){ .dir = dir, .dev = dev, .o = o, .done = json_object() };
    c->tolerance = o->compute == IVL_BF16 ? "bf16" : o->compute == IVL_F16 ? "fp16" : "fp32";
    ivl_status s = open_files(c);
    if (s == IVL_OK) s = ivl_stream_open(dev, &c->stream);
    if (s == IVL_OK) s = ivl_parity_params(c, NULL, NULL, &c->params);
    if (s != IVL_OK) ivl_parity_close(c);
    return s;
}

void ivl_parity_close(ivl_parity *c)
{
    ivl_params_destroy(c->params);
    ivl_stream_close(c->stream);
    ivl_st_close(c->expected);
    json_decref(c->manifest), json_decref(c->done);
    *c = (ivl_parity){ 0 };
}

bool ivl_parity_has(const ivl_parity *c, const char *name) { return ivl_st_find(c->expected, name) != NULL; }

static ivl_status find(const ivl_parity *c, const char *name, const ivl_st_tensor **t_p)
{
    *t_p = ivl_st_find(c->expected, name);
    IVL_CHECK(*t_p && (*t_p)->rank <= IVL_MAX_RANK, IVL_EFORMAT, "%s: expected.safetensors lacks %s", c->dir, name);
    return IVL_OK;
}

ivl_status ivl_parity_shape(const ivl_parity *c, const char *name, int *rank_p, int64_t *dim)
{
    const ivl_st_tensor *t;
    IVL_TRY(find(c, name, &t));
    *rank_p = t->rank;
    for (int i = 0; i < t->rank; i++) dim[i] = t->dim[i];
    return IVL_OK;
}

ivl_status ivl_parity_data(const ivl_parity *c, const char *name, double **data_p, int64_t *n_p)
{
    const ivl_st_tensor *t;
    IVL_TRY(find(c, name, &t));
    double *data = malloc((size_t)(t->elements + 1) * sizeof *data);
    IVL_CHECK(data, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_st_read(t, 0, t->elements, IVL_F64, data);
    if (s != IVL_OK) {
        free(data);
        return s;
    }
    *data_p = data, *n_p = t->elements;
    return IVL_OK;
}

ivl_status ivl_parity_copy(const ivl_parity *c, const char *name, int64_t rows, ivl_dtype dtype, void *dst)
{
    int rank;
    int64_t dim[IVL_MAX_RANK], n;
    double *data = NULL;
    IVL_TRY(ivl_parity_shape(c, name, &rank, dim));
    IVL_TRY(ivl_parity_data(c, name, &data, &n));
    if (rows > 0 && rows <= dim[0]) n = n / dim[0] * rows;
    ivl_convert(dst, dtype, data, IVL_F64, n);
    free(data);
    return IVL_OK;
}

/* "exact" holds in fp32 arithmetic for texts that a model writes: a rounding may turn their choice of tokens. */
double ivl_parity_tolerance(const ivl_parity *c, const char *name)
{
    const json_t *entry = json_object_get(json_object_get(c->manifest, "tensors"), name);
    const json_t *all = json_object_get(entry, "tolerance"), *own = json_object_get(all, c->tolerance);
    bool written = !strncmp(name, "caption.", 8) || strstr(name, ".reply.");
    if (json_is_string(all)) return written && c->o->compute != IVL_F32 ? -1 : 0;
    return json_is_number(own) ? json_number_value(own) : -1;
}

ivl_status ivl_parity_compare(ivl_parity *c, const char *name, const double *got, int64_t n_got)
{
    double allowed = ivl_parity_tolerance(c, name), *want = NULL, error = 0;
    int64_t n = 0;
    if (!ivl_parity_has(c, name) || allowed < 0) return IVL_OK;
    IVL_TRY(ivl_parity_data(c, name, &want, &n));
    if (n > n_got) {
        free(want);
        return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__,
                        "%s: %s has %lld elements where the model gives %lld", c->dir, name, (long long)n,
                        (long long)n_got);
    }
    for (int64_t i = 0; i < n; i++) {
        double d = fabs(got[i] - want[i]);
        if (!(d <= error)) error = d; /* also when d is NaN */
        if (isnan(error)) break;
    }
    free(want);
    ivl_verify_line l = { name, IVL_BEYOND, error, allowed };
    if (error <= l.tolerance) l.verdict = IVL_WITHIN;
    c->counts[l.verdict]++;
    json_object_set_new(c->done, name, json_true());
    c->o->line(c->o->ctx, &l);
    return IVL_OK;
}

/* --- a run -------------------------------------------------------------------------------------------------------- */

ivl_status ivl_parity_begin(ivl_parity *c, const ivl_params *params, bool train, ivl_parity_run *r)
{
    *r = (ivl_parity_run){ .c = c };
    IVL_TRY(ivl_graph_create(&r->s.g));
    r->s.params = params, r->s.c = &c->config, r->s.dtype = c->o->compute, r->s.train = train;
    return IVL_OK;
}

void ivl_parity_end(ivl_parity_run *r)
{
    for (int i = 0; i < r->n_feed; i++) free(r->feed[i].data);
    ivl_plan_destroy(r->plan);
    ivl_graph_destroy(r->s.g);
}

static ivl_val failed(ivl_parity_run *r, ivl_status s)
{
    return ivl_graph_failed(r->s.g, s);
}

/* Takes ownership of data. */
static ivl_val feed(ivl_parity_run *r, const char *name, ivl_dtype dtype, int rank, const int64_t *dim, void *data)
{
    ivl_val v = ivl_input(r->s.g, name, dtype, rank, dim);
    const ivl_tensor *t = ivl_tensor_of(r->s.g, v);
    if (!t || r->n_feed == IVL_PARITY_FEEDS) {
        free(data);
        return t ? failed(r, ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "more than %d inputs", IVL_PARITY_FEEDS)) : v;
    }
    r->feed[r->n_feed].v = v, r->feed[r->n_feed].data = data;
    r->feed[r->n_feed++].bytes = ivl_dtype_bytes(dtype, ivl_numel(t));
    return v;
}

ivl_val ivl_parity_feed(ivl_parity_run *r, const char *name, ivl_dtype dtype, int rank, const int64_t *dim,
                        const void *data)
{
    ivl_tensor t = ivl_tensor_make(dtype, rank, dim);
    size_t bytes = ivl_dtype_bytes(dtype, ivl_numel(&t));
    void *copy = malloc(bytes + 1);
    if (!copy) return failed(r, ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory"));
    memcpy(copy, data, bytes);
    return feed(r, name, dtype, rank, dim, copy);
}

ivl_val ivl_parity_rows(ivl_parity_run *r, const char *name, ivl_dtype dtype, int64_t rows)
{
    int rank = 0;
    int64_t dim[IVL_MAX_RANK], n = 0;
    double *data = NULL;
    ivl_status s = ivl_parity_shape(r->c, name, &rank, dim);
    if (s == IVL_OK) s = ivl_parity_data(r->c, name, &data, &n);
    if (s == IVL_OK && rows > 0 && (rank < 1 || dim[0] < rows))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: %s has too few rows", r->c->dir, name);
    if (s == IVL_OK && rows > 0) n = n / dim[0] * rows, dim[0] = rows;
    void *typed = s == IVL_OK ? malloc(ivl_dtype_bytes(dtype, n) + 1) : NULL;
    if (s == IVL_OK && !typed) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) ivl_convert(typed, dtype, data, IVL_F64, n);
    free(data);
    return s == IVL_OK ? feed(r, name, dtype, rank, dim, typed) : failed(r, s);
}

ivl_val ivl_parity_input(ivl_parity_run *r, const char *name, ivl_dtype dtype)
{
    return ivl_parity_rows(r, name, dtype, 0);
}

ivl_status ivl_parity_pixels(ivl_parity_run *r, const ivl_model_config *c, const char *name, int64_t rows,
                             ivl_vit_input *in)
{
    int rank, grid = ivl_config_grid(c);
    int64_t dim[IVL_MAX_RANK];
    IVL_TRY(ivl_parity_shape(r->c, name, &rank, dim));
    IVL_CHECK(rank == 4 && dim[2] > 0 && dim[3] > 0 && dim[2] % c->vit.patch == 0 && dim[3] % c->vit.patch == 0,
              IVL_EFORMAT, "%s: %s are no pictures of whole patches", r->c->dir, name);
    in->pixels = ivl_parity_rows(r, name, IVL_F32, rows);
    int h = (int)dim[2] / c->vit.patch, w = (int)dim[3] / c->vit.patch;
    if (h == grid && w == grid) return IVL_OK;
    int64_t shape[] = { 1 + (int64_t)h * w, 1 + (int64_t)grid * grid };
    float *matrix = malloc((size_t)(shape[0] * shape[1]) * sizeof *matrix);
    void *typed = malloc((size_t)(shape[0] * shape[1]) * sizeof *matrix);
    ivl_status s = matrix && typed ? ivl_pos_matrix(grid, h, w, matrix)
                                   : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) {
        ivl_convert(typed, r->s.dtype, matrix, IVL_F32, shape[0] * shape[1]);
        in->resize = ivl_parity_feed(r, "resize", r->s.dtype, 2, shape, typed);
    }
    free(matrix), free(typed);
    return s;
}

ivl_status ivl_parity_lengths(ivl_parity_run *r, const char *ids, ivl_val *len_p, ivl_val *last_p)
{
    int rank;
    int64_t dim[IVL_MAX_RANK], n;
    double *data = NULL;
    IVL_TRY(ivl_parity_shape(r->c, ids, &rank, dim));
    IVL_CHECK(rank == 2, IVL_EFORMAT, "%s: %s is not a matrix", r->c->dir, ids);
    IVL_TRY(ivl_parity_data(r->c, ids, &data, &n));
    int32_t *len = calloc((size_t)(2 * dim[0] + 1), sizeof *len);
    if (!len) {
        free(data);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    }
    for (int64_t i = 0; i < n; i++) len[i / dim[1]] += data[i] > 0;
    for (int64_t b = 0; b < dim[0]; b++) len[dim[0] + b] = len[b] > 0 ? len[b] - 1 : 0;
    *len_p = ivl_parity_feed(r, "len", IVL_I32, 1, dim, len);
    *last_p = ivl_parity_feed(r, "last", IVL_I32, 1, dim, len + dim[0]);
    free(len), free(data);
    return ivl_graph_status(r->s.g);
}

ivl_status ivl_parity_drop(ivl_parity_run *r, bool uniform, ivl_val *drop)
{
    const ivl_vit_config *vit = &r->c->config.vit;
    int rank;
    int64_t dim[IVL_MAX_RANK], n;
    double *keep = NULL;
    IVL_TRY(ivl_parity_shape(r->c, "in.drop_keep", &rank, dim));
    IVL_CHECK(rank == 3 && dim[0] == vit->layers && dim[1] == 2, IVL_EFORMAT,
              "%s: in.drop_keep has another shape", r->c->dir);
    IVL_TRY(ivl_parity_data(r->c, "in.drop_keep", &keep, &n));
    float *scale = malloc((size_t)(n + 1) * sizeof *scale);
    for (int64_t i = 0; scale && i < n; i++) {
        double rate = ivl_drop_path_rate(vit->drop_path, uniform, (int)(i / (2 * dim[2])), vit->layers);
        scale[i] = rate > 0 ? (float)(keep[i] / (1 - rate)) : 1.0f;
    }
    free(keep);
    IVL_CHECK(scale, IVL_ENOMEM, "out of memory");
    ivl_val all = ivl_parity_feed(r, "drop", IVL_F32, 2, (int64_t[]){ 2 * dim[0], dim[2] }, scale);
    free(scale);
    for (int i = 0; i < 2 * vit->layers; i++) drop[i] = ivl_row(r->s.g, all, i);
    return ivl_graph_status(r->s.g);
}

ivl_status ivl_parity_execute(ivl_parity_run *r)
{
    IVL_TRY(ivl_plan_create(r->c->dev, r->s.g, NULL, &r->plan));
    IVL_TRY(ivl_plan_bind(&r->plan, 1));
    for (int i = 0; i < r->n_feed; i++)
        IVL_TRY(ivl_plan_write(r->plan, r->c->stream, r->feed[i].v, r->feed[i].data, r->feed[i].bytes));
    IVL_TRY(ivl_plan_run(r->plan, r->c->stream));
    return ivl_sync(r->c->stream);
}

ivl_status ivl_parity_read(ivl_parity_run *r, ivl_val v, double **got_p, int64_t *n_p)
{
    const ivl_tensor *t = ivl_tensor_of(r->s.g, v);
    IVL_CHECK(t, IVL_EINVAL, "a value to compare was not recorded");
    int64_t n = ivl_numel(t);
    size_t bytes = ivl_dtype_bytes(t->dtype, n);
    void *raw = malloc(bytes + 1);
    double *got = malloc((size_t)(n + 1) * sizeof *got);
    ivl_status s = raw && got ? ivl_plan_read(r->plan, r->c->stream, v, raw, bytes)
                              : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) ivl_convert(got, IVL_F64, raw, t->dtype, n);
    free(raw);
    if (s != IVL_OK) {
        free(got);
        return s;
    }
    *got_p = got, *n_p = n;
    return IVL_OK;
}

ivl_status ivl_parity_check(ivl_parity_run *r, ivl_val v, const char *name)
{
    double *got = NULL;
    int64_t n = 0;
    IVL_TRY(ivl_parity_read(r, v, &got, &n));
    ivl_status s = ivl_parity_compare(r->c, name, got, n);
    free(got);
    return s;
}

ivl_status ivl_parity_check_logits(ivl_parity_run *r, ivl_val cosine, const char *name)
{
    double *got = NULL;
    float scale = 0;
    int64_t n = 0;
    const ivl_param *q = ivl_params_find(r->c->params, "logit_scale");
    IVL_TRY(ivl_param_read(q, r->c->stream, IVL_WEIGHT, 0, 1, &scale, IVL_F32));
    IVL_TRY(ivl_parity_read(r, cosine, &got, &n));
    for (int64_t i = 0; i < n; i++) got[i] *= exp(scale);
    ivl_status s = ivl_parity_compare(r->c, name, got, n);
    free(got);
    return s;
}

ivl_status ivl_parity_sum(ivl_parity_run *r, const ivl_val *v, int n_v, const char *name)
{
    double sum = 0;
    for (int i = 0; i < n_v; i++) {
        double *got = NULL;
        int64_t n = 0;
        IVL_TRY(ivl_parity_read(r, v[i], &got, &n));
        for (int64_t j = 0; j < n; j++) sum += got[j];
        free(got);
    }
    return ivl_parity_compare(r->c, name, &sum, 1);
}

ivl_status ivl_parity_check_params(ivl_parity *c, const ivl_params *p, const char *prefix, ivl_slot slot)
{
    size_t n = strlen(prefix);
    for (int i = 0; i < ivl_st_count(c->expected); i++) {
        const char *name = ivl_st_at(c->expected, i)->name;
        if (strncmp(name, prefix, n)) continue;
        const ivl_param *q = ivl_params_find_file(p, name + n);
        if (!q) continue; /* a part that this version does not have: unknown */
        double *v = malloc((size_t)q->elements * sizeof *v);
        IVL_CHECK(v, IVL_ENOMEM, "out of memory");
        ivl_status s = ivl_param_read(q, c->stream, slot, 0, -1, v, IVL_F64);
        if (s == IVL_OK) s = ivl_parity_compare(c, name, v, q->elements);
        free(v);
        IVL_TRY(s);
    }
    return IVL_OK;
}
