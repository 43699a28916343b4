#include "model/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/positions.h"
#include "model/safetensors.h"
#include "model/weights.h"
#include "runtime/dtype.h"
#include "runtime/file.h"

/* --- load ----------------------------------------------------------------------------------------- */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

/* Tensors that belong to the model family, though not to the parts in use. */
static bool other_part(const char *name)
{
    static const char *const start[] = { "query_tokens", "clip_projector2.", "itm_head.", "qllama.lm_head." };
    for (size_t i = 0; i < sizeof start / sizeof *start; i++)
        if (!strncmp(name, start[i], strlen(start[i]))) return true;
    return strstr(name, ".cross_attn.") && !strncmp(name, "qllama.model.layers.", 20);
}

static bool is_positions(const ivl_param *q) { return ends_with(q->name, "embeddings.position_embedding"); }

/* Side of the grid of [1,1+g*g,C]; 0 if t is nothing like that. */
static int grid_of(const ivl_param *q, const ivl_weights_tensor *t)
{
    if (!is_positions(q) || t->rank != 3 || t->dim[0] != 1 || t->dim[2] != q->dim[2] || t->dim[1] < 2)
        return 0;
    int64_t g = (int64_t)(sqrt((double)(t->dim[1] - 1)) + 0.5);
    return g < 4096 && g * g == t->dim[1] - 1 ? (int)g : 0;
}

static bool same_shape(const ivl_param *q, const ivl_weights_tensor *t)
{
    return q->rank == t->rank && !memcmp(q->dim, t->dim, (size_t)q->rank * sizeof *q->dim);
}

static ivl_status compare_shape(const ivl_param *q, const ivl_weights_tensor *t, const ivl_load_options *o,
                                ivl_load_report *r)
{
    char a[120], b[120], detail[280];
    if (same_shape(q, t)) return IVL_OK;
    bool resize = o->resize_positions && grid_of(q, t);
    snprintf(detail, sizeof detail, "%s, %s wanted", ivl_shape_text(t->rank, t->dim, a, sizeof a),
             ivl_shape_text(q->rank, q->dim, b, sizeof b));
    return ivl_load_note(r, resize ? IVL_NOTE_RESIZED : IVL_NOTE_SHAPE, q->file, detail);
}

static const char *name_in_files(const ivl_load_options *o, const ivl_param *q)
{
    return o->name_of ? o->name_of(q) : q->file;
}

static bool is_wanted(const ivl_params *p, const ivl_load_options *o, const char *name)
{
    if (!o->name_of) return ivl_params_find_file(p, name) != NULL;
    for (int i = 0; i < p->n; i++) {
        const char *own = o->name_of(&p->param[i]);
        if (own && !strcmp(own, name)) return true;
    }
    return false;
}

static ivl_note_kind kind_of_other(const ivl_load_options *o, const char *name)
{
    return o->name_of || other_part(name) ? IVL_NOTE_UNUSED : IVL_NOTE_EXTRA;
}

/* Names and shapes, before anything is written. */
static ivl_status compare(const ivl_weights *f, const ivl_params *p, const ivl_load_options *o, ivl_load_report *r)
{
    for (int i = 0; i < p->n; i++) {
        const ivl_param *q = &p->param[i];
        const char *own = name_in_files(o, q);
        const ivl_weights_tensor *t = own ? ivl_weights_find(f, own) : NULL;
        if (t) IVL_TRY(compare_shape(q, t, o, r));
        else if (own && !(q->part & (o->allow_missing | IVL_PART_LORA)))
            IVL_TRY(ivl_load_note(r, IVL_NOTE_MISSING, own, ""));
    }
    for (int i = 0; i < ivl_weights_count(f); i++) {
        const char *name = ivl_weights_at(f, i)->name;
        if (is_wanted(p, o, name) || ends_with(name, ".rotary_emb.inv_freq")) continue;
        IVL_TRY(ivl_load_note(r, kind_of_other(o, name), name, ""));
    }
    return IVL_OK;
}

static ivl_status judge(const char *dir, const ivl_load_options *o, const ivl_load_report *r)
{
    if (ivl_load_count(r, IVL_NOTE_MISSING))
        return ivl_load_refuse(dir, r, IVL_NOTE_MISSING, "; is this an InternVL checkpoint in its Hugging Face form?");
    if (ivl_load_count(r, IVL_NOTE_SHAPE))
        return ivl_load_refuse(dir, r, IVL_NOTE_SHAPE, "; does config.json belong to it?");
    if (o->strict && ivl_load_count(r, IVL_NOTE_EXTRA)) return ivl_load_refuse(dir, r, IVL_NOTE_EXTRA, "");
    return IVL_OK;
}

enum { PIECE = 1 << 18 };

static int64_t count_bad(const float *x, int64_t n)
{
    int64_t bad = 0;
    for (int64_t i = 0; i < n; i++) bad += !isfinite(x[i]);
    return bad;
}

/* One tensor, piece by piece, through f32 (f64 for f64): exact for every storage type. */
static ivl_status load_tensor(const ivl_weights *f, const ivl_param *q, const ivl_weights_tensor *t, ivl_stream *s,
                              void *stage, int64_t *bad_p)
{
    ivl_dtype via = t->type == IVL_F64 ? IVL_F64 : IVL_F32;
    bool blocks = ivl_dtype_block(q->blocks) > 1 && q->blocks == t->type;
    for (int64_t k, at = 0; at < t->elements; at += k) {
        k = t->elements - at < PIECE ? t->elements - at : PIECE;
        IVL_TRY(ivl_weights_read(f, t, at, k, via, stage));
        if (via == IVL_F32) *bad_p += count_bad(stage, k);
        else
            for (int64_t i = 0; i < k; i++) *bad_p += !isfinite(((double *)stage)[i]);
        if (blocks) IVL_TRY(ivl_weights_read(f, t, at, k, t->type, stage)); /* as they are */
        IVL_TRY(ivl_param_write(q, s, IVL_WEIGHT, at, k, stage, blocks ? t->type : via));
    }
    return IVL_OK;
}

/* Position embeddings of another grid. */
static ivl_status load_resized(const ivl_weights *f, const ivl_param *q, const ivl_weights_tensor *t, ivl_stream *s)
{
    int g = grid_of(q, t), side = (int)(sqrt((double)(q->dim[1] - 1)) + 0.5);
    int64_t rows = q->dim[1], cols = t->dim[1], c = q->dim[2];
    float *m = malloc((size_t)(rows * cols + cols * c + rows * c) * sizeof *m);
    IVL_CHECK(m, IVL_ENOMEM, "out of memory");
    float *x = m + rows * cols, *y = x + cols * c;
    ivl_status st = ivl_pos_matrix(g, side, side, m);
    if (st == IVL_OK) st = ivl_weights_read(f, t, 0, t->elements, IVL_F32, x);
    for (int64_t i = 0; i < rows && st == IVL_OK; i++)
        for (int64_t k = 0; k < c; k++) {
            double sum = 0;
            for (int64_t j = 0; j < cols; j++) sum += (double)m[i * cols + j] * (double)x[j * c + k];
            y[i * c + k] = (float)sum;
        }
    if (st == IVL_OK) st = ivl_param_write(q, s, IVL_WEIGHT, 0, -1, y, IVL_F32);
    free(m);
    return st;
}

static ivl_status load_all(const ivl_weights *f, const ivl_params *p, ivl_stream *s, const ivl_load_options *o,
                           void *stage, ivl_load_report *r)
{
    for (int i = 0; i < p->n; i++) {
        const ivl_param *q = &p->param[i];
        const char *own = name_in_files(o, q);
        const ivl_weights_tensor *t = own ? ivl_weights_find(f, own) : NULL;
        int64_t bad = 0;
        if (!t) continue;
        if (same_shape(q, t)) IVL_TRY(load_tensor(f, q, t, s, stage, &bad));
        else IVL_TRY(load_resized(f, q, t, s));
        char detail[64];
        snprintf(detail, sizeof detail, "(%lld of %lld values)", (long long)bad, (long long)t->elements);
        if (bad) IVL_TRY(ivl_load_note(r, IVL_NOTE_NAN, q->file, detail));
        r->loaded++;
    }
    return IVL_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ivl_note *)a)->name, ((const ivl_note *)b)->name);
}

ivl_status ivl_checkpoint_load(const char *dir, const ivl_params *p, ivl_stream *s, const ivl_load_options *o,
                               ivl_load_report *report_p)
{
    const ivl_load_options none = { 0 };
    ivl_load_report r = { 0 };
    ivl_weights *f = NULL;
    void *stage = NULL;
    if (!o) o = &none;
    IVL_TRY(ivl_weights_open(dir, &f));
    ivl_status st = compare(f, p, o, &r);
    if (st == IVL_OK) st = judge(dir, o, &r);
    if (st == IVL_OK && !(stage = malloc(PIECE * sizeof(double))))
        st = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (st == IVL_OK) st = load_all(f, p, s, o, stage, &r);
    if (st == IVL_OK && o->check_nan && ivl_load_count(&r, IVL_NOTE_NAN))
        st = ivl_load_refuse(dir, &r, IVL_NOTE_NAN, "");
    free(stage);
    ivl_weights_close(f);
    if (r.n && st != IVL_ENOMEM) qsort(r.note, (size_t)r.n, sizeof *r.note, by_name);
    if (report_p) *report_p = r;
    else ivl_load_report_free(&r);
    return st;
}

ivl_status ivl_checkpoint_match(const char *dir, const ivl_params *p, const ivl_load_options *o)
{
    ivl_load_report r = { 0 };
    ivl_weights *f = NULL;
    IVL_TRY(ivl_weights_open(dir, &f));
    ivl_status st = compare(f, p, o, &r);
    if (st == IVL_OK) st = judge(dir, o, &r);
    ivl_load_report_free(&r);
    ivl_weights_close(f);
    return st;
}

static ivl_dtype type_in_file(void *ctx, const ivl_param *q)
{
    const ivl_weights_tensor *t = ivl_weights_find(ctx, q->file);
    bool fits = t && q->part == IVL_PART_LLM && !q->trainable && q->rank == 2 && same_shape(q, t);
    int block = fits ? ivl_dtype_block(t->type) : 1;
    return block > 1 && q->dim[1] % block == 0 ? t->type : IVL_F32;
}

ivl_status ivl_checkpoint_keep_blocks(const char *dir, ivl_params *p)
{
    ivl_weights *f = NULL;
    IVL_TRY(ivl_weights_open(dir, &f));
    ivl_status s = ivl_params_keep_blocks(p, type_in_file, f);
    ivl_weights_close(f);
    return s;
}

/* --- save ----------------------------------------------------------------------------------------- */

typedef struct source { const ivl_param *param; ivl_stream *s; ivl_dtype dtype; } source;

static ivl_status fill(const ivl_st_item *item, int64_t first, int64_t n, void *dst)
{
    const source *from = item->ctx;
    return ivl_param_read(from->param, from->s, IVL_WEIGHT, first, n, dst, from->dtype);
}

ivl_status ivl_checkpoint_save_weights(const char *dir, const ivl_params *p, ivl_stream *s, const ivl_save_options *o)
{
    IVL_CHECK(o->dtype == IVL_F32 || o->dtype == IVL_BF16 || o->dtype == IVL_F16, IVL_EINVAL,
              "checkpoints are f32, bf16 or f16, not %s", ivl_dtype_name(o->dtype));
    const ivl_st_pair meta[] = { { "format", "pt" } };
    ivl_st_item *item = calloc((size_t)p->n + 1, sizeof *item);
    source *from = calloc((size_t)p->n + 1, sizeof *from);
    ivl_status st = IVL_OK;
    if (!item || !from) st = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    int n = 0;
    for (int i = 0; i < p->n && st == IVL_OK; i++) {
        const ivl_param *q = &p->param[i];
        if (q->part == IVL_PART_LORA) continue;
        from[n] = (source){ q, s, o->dtype };
        item[n] = (ivl_st_item){
            .name = q->file, .type = ivl_st_type_of(o->dtype), .rank = q->rank, .fill = fill, .ctx = &from[n]
        };
        memcpy(item[n++].dim, q->dim, sizeof q->dim);
    }
    if (st == IVL_OK) st = ivl_st_save_dir(dir, item, n, o->shard_bytes, meta, 1);
    free(item), free(from);
    return st;
}

ivl_status ivl_checkpoint_save(const char *dir, const ivl_model_config *c, const ivl_params *p, ivl_stream *s,
                               const ivl_save_options *o)
{
    IVL_TRY(ivl_config_check(c));
    IVL_TRY(ivl_checkpoint_save_weights(dir, p, s, o));
    char *path = ivl_path_join(dir, "config.json");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status st = ivl_config_save(c, o->dtype, path);
    free(path);
    if (st != IVL_OK || !o->tokenizer) return st;
    path = ivl_path_join(dir, "tokenizer.model");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    st = ivl_copy_file(o->tokenizer, path);
    free(path);
    return st;
}
