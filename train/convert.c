#include "train/convert.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/bpe.h"
#include "data/tokenizer.h"
#include "model/gguf.h"
#include "model/llm.h"
#include "model/safetensors.h"
#include "runtime/dtype.h"
#include "runtime/file.h"
#include "train/convert_vision.h"

static const size_t SHARD = 5000000000u; /* bytes, as Hugging Face's */

/* Everything that is known of the source. */
typedef struct source {
    const char     *path;
    ivl_weights    *w;
    ivl_text_config c;
    ivl_tokenizer  *tok;    /* NULL: none found */
    ivl_llm_tensor *tensor; /* in Hugging Face's names */
    int             n;
} source;

/* What a fill function needs. */
typedef struct piece {
    const source     *from;
    const ivl_weights_tensor *weight;
    int64_t           rows, cols;
    int               heads; /* 0: rows stay in order */
    ivl_dtype         dtype;
} piece;

/* --- source --------------------------------------------------------------------------------------- */

static bool exists(const char *dir, const char *name)
{
    struct stat st;
    char *path = ivl_path_join(dir, name);
    bool yes = path && !stat(path, &st);
    free(path);
    return yes;
}

/* A GGUF file holds its own. */
static ivl_status open_tokenizer(source *k, ivl_convert_report *r)
{
    const ivl_gguf *f = ivl_weights_gguf(k->w);
    const char *model = "none";
    if (f) IVL_TRY(ivl_gguf_string(f, "tokenizer.ggml.model", &model));
    bool known = !strcmp(model, "gpt2") || !strcmp(model, "llama");
    bool there = f ? known : exists(k->path, "tokenizer.model") || exists(k->path, "tokenizer.json");
    r->tokenizer = there ? "kept" : f && strcmp(model, "none") ? "left out: of an unknown kind" : "none found";
    return there ? ivl_tokenizer_open(k->path, &k->tok) : IVL_OK;
}

static ivl_status open_source(const char *in, source *k, ivl_convert_report *r)
{
    IVL_TRY(ivl_llm_config_load(in, k->w, &k->c));
    IVL_TRY(ivl_llm_compare(k->w, &k->c, in, &r->load));
    IVL_TRY(ivl_llm_tensors(&k->c, &k->tensor, &k->n));
    IVL_TRY(open_tokenizer(k, r));
    IVL_CHECK(!k->tok || ivl_tokenizer_size(k->tok) <= k->c.vocab, IVL_EFORMAT,
              "%s: the tokenizer has %d tokens and the model %d: they do not belong together", in,
              k->tok ? ivl_tokenizer_size(k->tok) : 0, k->c.vocab);
    return IVL_OK;
}

static void close_source(source *k)
{
    ivl_weights_close(k->w);
    ivl_tokenizer_close(k->tok);
    free(k->tensor);
}

static bool plain(ivl_dtype t) { return t == IVL_F32 || t == IVL_F16 || t == IVL_BF16; }
static bool quantised(ivl_dtype t) { return ivl_dtype_block(t) > 1; }

/* The type of the first layer's largest matrix stands for the model. */
static ivl_status choose_dtype(const source *k, const ivl_convert_options *o, ivl_dtype *t_p)
{
    const ivl_weights_tensor *w = ivl_weights_find(k->w, "model.layers.0.mlp.up_proj.weight");
    ivl_dtype t = o->has_dtype ? o->dtype : w ? w->type : IVL_F32;
    bool fits = plain(t) || (o->gguf && quantised(t));
    if (!fits && !o->has_dtype) t = IVL_F32, fits = true;
    IVL_CHECK(fits, IVL_EINVAL, "%s cannot be written to %s: use f32, f16 or bf16%s", ivl_dtype_name(t),
              o->gguf ? "GGUF" : "safetensors", o->gguf ? ", q8_0, q4_0 or q4_1" : "");
    *t_p = t;
    return IVL_OK;
}

static piece piece_of(const source *k, const ivl_llm_tensor *t)
{
    const ivl_weights_tensor *w = ivl_weights_find(k->w, t->name);
    return (piece){ .from = k, .weight = w, .rows = t->dim[0], .cols = t->rank == 2 ? t->dim[1] : 1, .dtype = w->type };
}

/* --- Hugging Face --------------------------------------------------------------------------------- */

/* Larger values would become infinite without a word. */
static ivl_status check_half(const char *name, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        IVL_CHECK(!(fabsf(x[i]) > 65504) || isinf(x[i]), IVL_EFORMAT,
                  "tensor '%.100s' holds %g, which f16 cannot: take bf16 or f32", name, (double)x[i]);
    return IVL_OK;
}

ivl_status ivl_convert_read(const ivl_weights *w, const ivl_weights_tensor *t, int64_t first, int64_t n, ivl_dtype to,
                            void *dst)
{
    enum { STEP = 4096 };
    float x[STEP];
    if (to != IVL_F16 || t->type == IVL_F16) return ivl_weights_read(w, t, first, n, to, dst);
    for (int64_t at = 0, k; at < n; at += k) {
        k = n - at < STEP ? n - at : STEP;
        IVL_TRY(ivl_weights_read(w, t, first + at, k, IVL_F32, x));
        IVL_TRY(check_half(t->name, x, k));
        ivl_convert((uint16_t *)dst + at, IVL_F16, x, IVL_F32, k);
    }
    return IVL_OK;
}

static ivl_status fill_hf(const ivl_st_item *item, int64_t first, int64_t n, void *dst)
{
    const piece *p = item->ctx;
    return ivl_convert_read(p->from->w, p->weight, first, n, p->dtype, dst);
}

static ivl_status write_weights(const source *k, const char *out, ivl_dtype dtype)
{
    const ivl_st_pair meta[] = { { "format", "pt" } };
    ivl_st_item *item = calloc((size_t)k->n + 1, sizeof *item);
    piece *p = calloc((size_t)k->n + 1, sizeof *p);
    ivl_status s = item && p ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int i = 0; i < k->n && s == IVL_OK; i++) {
        const ivl_llm_tensor *t = &k->tensor[i];
        p[i] = piece_of(k, t), p[i].dtype = dtype;
        item[i] = (ivl_st_item){ .name = t->name,
                                 .type = ivl_st_type_of(dtype),
                                 .rank = t->rank,
                                 .dim = { t->dim[0], t->dim[1] },
                                 .fill = fill_hf,
                                 .ctx = &p[i] };
    }
    if (s == IVL_OK) s = ivl_st_save_dir(out, item, k->n, SHARD, meta, 1);
    free(item), free(p);
    return s;
}

static ivl_status write_tokenizer(const source *k, const char *out)
{
    static const char *const names[] = { "tokenizer.model", "tokenizer.json", "tokenizer_config.json",
                                         "special_tokens_map.json", "generation_config.json", "added_tokens.json" };
    if (ivl_weights_gguf(k->w)) return k->tok ? ivl_tokenizer_save(k->tok, out) : IVL_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) IVL_TRY(ivl_copy_if_there(names[i], k->path, out));
    return IVL_OK;
}

static ivl_status write_hf(const source *k, const char *out, ivl_dtype dtype)
{
    IVL_TRY(write_weights(k, out, dtype));
    IVL_TRY(write_tokenizer(k, out));
    char *path = ivl_path_join(out, "config.json");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_llm_config_save(&k->c, dtype, path);
    free(path);
    return s;
}

/* --- GGUF ----------------------------------------------------------------------------------------- */

/* Rows in the file's order, whole ones or parts. */
static ivl_status fill_gguf(const ivl_gguf_item *item, int64_t first, int64_t n, void *dst)
{
    const piece *p = item->ctx;
    if (!p->heads) return ivl_weights_read(p->from->w, p->weight, first, n, item->from, dst);
    for (int64_t at = first, end = first + n, k; at < end; at += k) {
        int64_t row = at / p->cols, skip = at % p->cols;
        k = end - at < p->cols - skip ? end - at : p->cols - skip;
        int64_t from = ivl_gguf_model_row(row, p->rows, p->heads) * p->cols + skip;
        IVL_TRY(ivl_weights_read(p->from->w, p->weight, from, k, item->from,
                                 (char *)dst + ivl_dtype_bytes(item->from, at - first)));
    }
    return IVL_OK;
}

static ivl_status type_in_gguf(const ivl_llm_tensor *t, ivl_dtype dtype, ivl_load_report *r, ivl_dtype *type_p)
{
    bool four = dtype == IVL_Q4_0 || dtype == IVL_Q4_1;
    bool ends = !strcmp(t->name, "model.embed_tokens.weight") || !strcmp(t->name, "lm_head.weight");
    ivl_dtype type = t->rank == 1 ? IVL_F32 : four && ends ? IVL_Q8_0 : dtype;
    if (quantised(type) && t->dim[1] % IVL_QUANT_BLOCK) {
        char detail[80];
        snprintf(detail, sizeof detail, "f16: rows of %lld are no multiple of %d", (long long)t->dim[1],
                 IVL_QUANT_BLOCK);
        IVL_TRY(ivl_load_note(r, IVL_NOTE_TYPE, t->name, detail));
        type = IVL_F16;
    }
    *type_p = type;
    return IVL_OK;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static ivl_status make_meta(const source *k, ivl_dtype dtype, ivl_convert_report *r, ivl_gguf_meta *m)
{
    const ivl_gguf *f = ivl_weights_gguf(k->w);
    const char *name = base_name(k->path);
    if (f) IVL_TRY(ivl_gguf_string(f, "general.name", &name));
    ivl_gguf_put_text_config(m, &k->c, dtype, name);
    ivl_status s = k->tok ? ivl_tokenizer_put_gguf(k->tok, k->path, m) : IVL_OK;
    if (s != IVL_EUNSUPPORTED) return s;
    r->tokenizer = "left out: it is not of LLaMA's kind";
    return IVL_OK;
}

static ivl_status make_items(const source *k, ivl_dtype dtype, ivl_load_report *r, ivl_gguf_item *item, piece *p,
                             char (*name)[IVL_GGUF_NAME])
{
    for (int i = 0; i < k->n; i++) {
        const ivl_llm_tensor *t = &k->tensor[i];
        p[i] = piece_of(k, t), p[i].heads = ivl_gguf_rope_heads(&k->c, t->name);
        ivl_gguf_from_hf(t->name, name[i]);
        item[i] = (ivl_gguf_item){ .name = name[i], .rank = t->rank, .dim = { t->dim[0], t->dim[1] }, .from = IVL_F32,
                                   .fill = fill_gguf, .ctx = &p[i] };
        IVL_TRY(type_in_gguf(t, dtype, r, &item[i].type));
        if (item[i].type == p[i].dtype && !quantised(p[i].dtype)) item[i].from = p[i].dtype; /* the same bits */
    }
    return IVL_OK;
}

static ivl_status write_gguf(const source *k, const char *out, ivl_dtype dtype, ivl_convert_report *r)
{
    ivl_gguf_item *item = calloc((size_t)k->n + 1, sizeof *item);
    piece *p = calloc((size_t)k->n + 1, sizeof *p);
    char(*name)[IVL_GGUF_NAME] = calloc((size_t)k->n + 1, sizeof *name);
    ivl_gguf_meta *m = ivl_gguf_meta_create();
    ivl_status s = item && p && name && m ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) s = make_meta(k, dtype, r, m);
    if (s == IVL_OK) s = make_items(k, dtype, &r->load, item, p, name);
    if (s == IVL_OK) s = ivl_gguf_save(out, m, item, k->n);
    ivl_gguf_meta_destroy(m);
    free(item), free(p), free(name);
    return s;
}

/* --- all of it ------------------------------------------------------------------------------------ */

static ivl_status check_paths(const char *in, const char *out)
{
    char a[PATH_MAX], b[PATH_MAX];
    bool same = realpath(in, a) && realpath(out, b) && !strcmp(a, b);
    IVL_CHECK(!same, IVL_EINVAL, "%s: source and target are the same", out);
    return IVL_OK;
}

static ivl_status convert_language(source *k, const char *out, const ivl_convert_options *o, ivl_convert_report *r)
{
    IVL_TRY(open_source(k->path, k, r));
    IVL_TRY(choose_dtype(k, o, &r->dtype));
    r->tensors = k->n;
    for (int i = 0; i < k->n; i++) r->elements += k->tensor[i].elements;
    return o->gguf ? write_gguf(k, out, r->dtype, r) : write_hf(k, out, r->dtype);
}

ivl_status ivl_convert_model(const char *in, const char *out, const ivl_convert_options *o, ivl_convert_report *r_p)
{
    source k = { .path = in };
    *r_p = (ivl_convert_report){ .tokenizer = "" };
    IVL_TRY(check_paths(in, out));
    IVL_TRY(ivl_weights_open(in, &k.w));
    ivl_status s = ivl_weights_is_pth(k.w) && ivl_convert_is_vision(k.w) ? ivl_convert_vision(in, k.w, out, o, r_p)
                                                                         : convert_language(&k, out, o, r_p);
    close_source(&k);
    return s;
}

void ivl_convert_report_free(ivl_convert_report *r) { ivl_load_report_free(&r->load); }
