#include "model/weights.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/gguf.h"
#include "model/safetensors.h"
#include "runtime/file.h"

struct ivl_weights {
    ivl_st         *st;
    ivl_gguf       *gguf;
    ivl_text_config c;      /* of the GGUF file */

    int             n;
    ivl_weights_tensor     *weight;
    char          (*name)[IVL_GGUF_NAME]; /* translated ones */
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ivl_weights_tensor *)a)->name, ((const ivl_weights_tensor *)b)->name);
}

static ivl_status reserve(ivl_weights *w, int n)
{
    w->weight = calloc((size_t)n + 1, sizeof *w->weight);
    IVL_CHECK(w->weight, IVL_ENOMEM, "out of memory for %d tensors", n);
    w->n = n;
    return IVL_OK;
}

static ivl_dtype type_of(ivl_st_type t)
{
    static const ivl_dtype type[IVL_ST_TYPES] = {
        [IVL_ST_F64] = IVL_F64, [IVL_ST_F32] = IVL_F32, [IVL_ST_F16] = IVL_F16, [IVL_ST_BF16] = IVL_BF16,
        [IVL_ST_I64] = IVL_F64, [IVL_ST_I32] = IVL_I32, [IVL_ST_U8] = IVL_U8,   [IVL_ST_BOOL] = IVL_U8,
    };
    return type[t];
}

static ivl_status list_st(ivl_weights *w)
{
    IVL_TRY(reserve(w, ivl_st_count(w->st)));
    for (int i = 0; i < w->n; i++) {
        const ivl_st_tensor *t = ivl_st_at(w->st, i);
        w->weight[i] = (ivl_weights_tensor){ .name = t->name,
                                             .file = t->file,
                                             .type = type_of(t->type),
                                             .rank = t->rank,
                                             .elements = t->elements,
                                             .from = t };
        memcpy(w->weight[i].dim, t->dim, sizeof t->dim);
    }
    return IVL_OK;
}

static ivl_status list_gguf(ivl_weights *w)
{
    IVL_TRY(ivl_gguf_text_config(w->gguf, &w->c));
    IVL_TRY(reserve(w, ivl_gguf_count(w->gguf)));
    w->name = calloc((size_t)w->n + 1, sizeof *w->name);
    IVL_CHECK(w->name, IVL_ENOMEM, "out of memory for %d tensors", w->n);
    for (int i = 0; i < w->n; i++) {
        const ivl_gguf_tensor *t = ivl_gguf_at(w->gguf, i);
        const char *name = ivl_gguf_to_hf(t->name, w->name[i]) ? w->name[i] : t->name;
        w->weight[i] = (ivl_weights_tensor){ .name = name, .file = t->file, .type = t->type, .rank = t->rank,
                                     .elements = t->elements, .from = t };
        memcpy(w->weight[i].dim, t->dim, sizeof t->dim);
    }
    qsort(w->weight, (size_t)w->n, sizeof *w->weight, by_name);
    return IVL_OK;
}

static ivl_status open_file(ivl_weights *w, const char *path)
{
    ivl_map map = { 0 };
    IVL_TRY(ivl_map_open(path, &map));
    bool gguf = ivl_gguf_is(map.data, map.bytes);
    ivl_map_close(&map);
    if (gguf) {
        IVL_TRY(ivl_gguf_open(path, &w->gguf));
        return list_gguf(w);
    }
    IVL_TRY(ivl_st_open(path, &w->st));
    return list_st(w);
}

static ivl_status open_folder(ivl_weights *w, const char *dir)
{
    char *gguf = ivl_path_join(dir, "model.gguf"), *st = ivl_path_join(dir, "model.safetensors");
    char *index = ivl_path_join(dir, "model.safetensors.index.json");
    ivl_status s = IVL_OK;
    if (!gguf || !st || !index) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    else if (!access(gguf, F_OK) && access(st, F_OK) && access(index, F_OK)) s = open_file(w, gguf);
    else {
        s = ivl_st_open_dir(dir, &w->st);
        if (s == IVL_OK) s = list_st(w);
    }
    free(gguf), free(st), free(index);
    return s;
}

ivl_status ivl_weights_open(const char *path, ivl_weights **w_p)
{
    struct stat st;
    ivl_weights *w = calloc(1, sizeof *w);
    IVL_CHECK(w, IVL_ENOMEM, "out of memory");
    bool folder = !stat(path, &st) && S_ISDIR(st.st_mode);
    ivl_status s = folder ? open_folder(w, path) : open_file(w, path);
    if (s == IVL_OK) *w_p = w;
    else ivl_weights_close(w);
    return s;
}

void ivl_weights_close(ivl_weights *w)
{
    if (!w) return;
    ivl_st_close(w->st);
    ivl_gguf_close(w->gguf);
    free(w->weight), free(w->name), free(w);
}

int ivl_weights_count(const ivl_weights *w) { return w->n; }
const ivl_weights_tensor *ivl_weights_at(const ivl_weights *w, int i) { return &w->weight[i]; }
const ivl_gguf *ivl_weights_gguf(const ivl_weights *w) { return w->gguf; }

const ivl_weights_tensor *ivl_weights_find(const ivl_weights *w, const char *name)
{
    ivl_weights_tensor want = { .name = name };
    return w->n ? bsearch(&want, w->weight, (size_t)w->n, sizeof want, by_name) : NULL;
}

ivl_status ivl_weights_read(const ivl_weights *w, const ivl_weights_tensor *t, int64_t first, int64_t n, ivl_dtype to,
                            void *dst)
{
    if (w->gguf) return ivl_gguf_read_hf(t->from, &w->c, first, n, to, dst);
    return ivl_st_read(t->from, first, n, to, dst);
}
