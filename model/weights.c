#include "model/weights.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/gguf.h"
#include "model/pth.h"
#include "model/safetensors.h"
#include "runtime/file.h"
#include "runtime/zip.h"

struct ivl_weights {
    ivl_st         *st;
    ivl_gguf       *gguf;
    ivl_pth        *pth;
    ivl_text_config c;      /* of the GGUF file */
    int             n;
    ivl_weights_tensor *weight;
    char          (*name)[IVL_PTH_NAME]; /* translated ones */
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

/* A whole model has a text side; a vision encoder alone has none. */
static bool is_whole(const ivl_pth *f)
{
    for (int i = 0; i < ivl_pth_count(f); i++)
        if (!strcmp(ivl_pth_at(f, i)->name, "text_projection")) return true;
    return false;
}

static ivl_status list_pth(ivl_weights *w)
{
    bool whole = is_whole(w->pth);
    IVL_TRY(reserve(w, ivl_pth_count(w->pth)));
    w->name = calloc((size_t)w->n + 1, sizeof *w->name);
    IVL_CHECK(w->name, IVL_ENOMEM, "out of memory for %d tensors", w->n);
    for (int i = 0; i < w->n; i++) {
        const ivl_pth_tensor *t = ivl_pth_at(w->pth, i);
        ivl_pth_to_hf(t->name, whole, w->name[i]);
        w->weight[i] = (ivl_weights_tensor){ .name = w->name[i],
                                             .file = t->file,
                                             .type = type_of(t->type),
                                             .rank = t->rank,
                                             .elements = t->elements,
                                             .from = t };
        memcpy(w->weight[i].dim, t->dim, sizeof t->dim);
    }
    qsort(w->weight, (size_t)w->n, sizeof *w->weight, by_name);
    return IVL_OK;
}

static ivl_status open_file(ivl_weights *w, const char *path)
{
    ivl_map map = { 0 };
    IVL_TRY(ivl_map_open(path, &map));
    bool gguf = ivl_gguf_is(map.data, map.bytes), zip = ivl_zip_is(map.data, map.bytes);
    ivl_map_close(&map);
    if (zip) {
        IVL_TRY(ivl_pth_open(path, &w->pth));
        return list_pth(w);
    }
    if (gguf) {
        IVL_TRY(ivl_gguf_open(path, &w->gguf));
        return list_gguf(w);
    }
    IVL_TRY(ivl_st_open(path, &w->st));
    return list_st(w);
}

static bool there(const char *path) { return !access(path, F_OK); }

static ivl_status open_folder(ivl_weights *w, const char *dir)
{
    char *gguf = ivl_path_join(dir, "model.gguf"), *st = ivl_path_join(dir, "model.safetensors");
    char *index = ivl_path_join(dir, "model.safetensors.index.json"), *bin = ivl_path_join(dir, "pytorch_model.bin");
    ivl_status s = IVL_OK;
    if (!gguf || !st || !index || !bin) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    else if (!there(st) && !there(index) && (there(gguf) || there(bin))) s = open_file(w, there(gguf) ? gguf : bin);
    else {
        s = ivl_st_open_dir(dir, &w->st);
        if (s == IVL_OK) s = list_st(w);
    }
    free(gguf), free(st), free(index), free(bin);
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
    ivl_pth_close(w->pth);
    free(w->weight), free(w->name), free(w);
}

int ivl_weights_count(const ivl_weights *w) { return w->n; }
const ivl_weights_tensor *ivl_weights_at(const ivl_weights *w, int i) { return &w->weight[i]; }
bool ivl_weights_is_pth(const ivl_weights *w) { return w->pth != NULL; }
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
    if (w->pth) return ivl_pth_read(t->from, first, n, to, dst);
    return ivl_st_read(t->from, first, n, to, dst);
}
