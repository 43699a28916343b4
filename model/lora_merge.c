/* An adapter's files and a model's into the files of a merged model, without a device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/lora_file.h"
#include "model/safetensors.h"
#include "runtime/dtype.h"
#include "runtime/file.h"

typedef struct merged {
    const ivl_st_tensor *t;
    const ivl_adapter *f;
    ivl_dtype      dtype;
    ivl_lora_pair  l;
    bool           read, whole;
} merged;

static ivl_status fill_merged(const ivl_st_item *item, int64_t first, int64_t n, void *dst)
{
    merged *m = item->ctx;
    if (!m->read && !m->whole) IVL_TRY(ivl_adapter_pair(m->f, m->t->name, m->t->rank, m->t->dim, &m->l));
    m->read = true;
    double *w = malloc((size_t)(n + 1) * sizeof *w);
    IVL_CHECK(w, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_st_read(m->t, first, n, IVL_F64, w);
    if (s == IVL_OK && m->l.a) ivl_lora_add(&m->l, first, n, w);
    if (s == IVL_OK) ivl_convert(dst, m->dtype, w, IVL_F64, n);
    free(w);
    if (first + n == m->t->elements) ivl_lora_pair_free(&m->l), m->l = (ivl_lora_pair){ 0 };
    return s;
}

/* Does the adapter say what the merged model is? Then it may add tensors. */
static bool has_config(const ivl_adapter *f)
{
    char *path = ivl_path_join(f->dir, "config.json");
    bool there = path && !access(path, F_OK);
    free(path);
    return there;
}

static ivl_status check_files(const ivl_adapter *f, const ivl_st *base, const char *model)
{
    bool adds = has_config(f);
    for (int i = 0; i < ivl_st_count(f->st); i++) {
        const ivl_st_tensor *from = ivl_st_at(f->st, i);
        char weight[256] = "", which;
        const char *name = ivl_adapter_whole_name(from->name);
        ivl_lora_pair l = { 0 };
        if (!name) ivl_adapter_weight_name(from->name, weight, sizeof weight, &which);
        const ivl_st_tensor *t = ivl_st_find(base, name ? name : weight);
        IVL_CHECK(t || (name && adds), IVL_EFORMAT, "%s has no %s; the adapter %s is another model's", model,
                  name ? name : weight, f->dir);
        if (!name) IVL_TRY(ivl_adapter_pair(f, weight, t->rank, t->dim, &l));
        else if (t) IVL_TRY(ivl_adapter_check_whole(f, from, t->rank, t->dim));
        ivl_lora_pair_free(&l);
    }
    return IVL_OK;
}

static void add_merged(const ivl_adapter *f, const char *name, const ivl_st_tensor *t, bool whole, ivl_dtype dtype,
                       ivl_st_item *item, merged *m)
{
    *m = (merged){ .t = t, .f = f, .dtype = dtype, .whole = whole };
    *item = (ivl_st_item){ .name = name, .type = ivl_st_type_of(dtype), .rank = t->rank, .fill = fill_merged,
                           .ctx = m };
    memcpy(item->dim, t->dim, sizeof t->dim);
}

static ivl_status write_merged(const ivl_adapter *f, const ivl_st *base, const char *out, ivl_dtype dtype)
{
    const ivl_st_pair meta[] = { { "format", "pt" } };
    int n = ivl_st_count(base), all = n + ivl_st_count(f->st), k = 0;
    ivl_st_item *item = calloc((size_t)all + 1, sizeof *item);
    merged *m = calloc((size_t)all + 1, sizeof *m);
    ivl_status s = item && m ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int i = 0; s == IVL_OK && i < n; i++, k++) {
        const ivl_st_tensor *t = ivl_st_at(base, i), *whole = ivl_adapter_whole(f, t->name);
        add_merged(f, t->name, whole ? whole : t, whole != NULL, dtype, &item[k], &m[k]);
    }
    for (int i = n; s == IVL_OK && i < all; i++) {
        const ivl_st_tensor *t = ivl_st_at(f->st, i - n);
        const char *name = ivl_adapter_whole_name(t->name);
        if (!name || ivl_st_find(base, name)) continue;
        add_merged(f, name, t, true, dtype, &item[k], &m[k]), k++;
    }
    if (s == IVL_OK) s = ivl_st_save_dir(out, item, k, 0, meta, 1);
    for (int i = 0; m && i < k; i++) ivl_lora_pair_free(&m[i].l);
    free(item), free(m);
    return s;
}

/* What makes the folder whole: copied where the model has it. */
static ivl_status copy_rest(const ivl_adapter *f, const char *model, const char *out)
{
    static const char *const names[] = { "config.json", "tokenizer.model", "tokenizer.json", "tokenizer_config.json",
                                         "special_tokens_map.json", "generation_config.json" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        IVL_TRY(ivl_copy_if_there(names[i], !i && has_config(f) ? f->dir : model, out));
    return IVL_OK;
}

ivl_status ivl_lora_merge_files(const char *model, const char *dir, const char *out, ivl_dtype dtype)
{
    ivl_adapter f;
    ivl_st *base = NULL;
    IVL_CHECK(dtype == IVL_F32 || dtype == IVL_BF16 || dtype == IVL_F16, IVL_EINVAL,
              "models are written as f32, bf16 or f16, not %s", ivl_dtype_name(dtype));
    IVL_TRY(ivl_adapter_open(dir, &f));
    ivl_status s = ivl_st_open_dir(model, &base);
    if (s == IVL_OK) s = check_files(&f, base, model);
    if (s == IVL_OK) s = ivl_make_dirs(out);
    if (s == IVL_OK) s = write_merged(&f, base, out, dtype);
    if (s == IVL_OK) s = copy_rest(&f, model, out);
    ivl_st_close(base);
    ivl_adapter_close(&f);
    return s;
}
