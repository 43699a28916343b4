/* A small LLaMA-type language model with random weights, as a Hugging Face folder. */
#ifndef IVL_TESTS_TRAIN_LLM_FOLDER_H
#define IVL_TESTS_TRAIN_LLM_FOLDER_H

#include "model/llm.h"
#include "model/safetensors.h"
#include "runtime/file.h"
#include "runtime/rng.h"
#include "tests/suite.h"

#ifndef ok
#define ok(call) ck_assert_msg((call) == IVL_OK, "%s", ivl_last_error())
#endif

/* Two layers, 4 heads that share 2 of keys, 400 tokens. */
static inline ivl_text_config llm_config(int width, bool tied, bool bias)
{
    ivl_text_config c = ivl_text_config_default();
    c.vocab = 400, c.width = width, c.mlp = 96, c.layers = 2, c.heads = 4, c.kv_heads = 2, c.eps = 1e-5,
    c.rope_theta = 1e5;
    c.tie_embeddings = tied, c.attention_bias = bias, c.pad = -1;
    return c;
}

/* Weights of N(0, 1); ctx, if there is one, points at a factor. */
static inline ivl_status llm_fill(const ivl_st_item *item, int64_t first, int64_t n, void *dst)
{
    ivl_rng r = ivl_rng_make(3, item->name);
    double by = item->ctx ? *(const double *)item->ctx : 1;
    for (int64_t i = 0; i < n; i++) ((float *)dst)[i] = (float)(by * ivl_rng_normal(r, 0, 0, (uint64_t)(first + i)));
    return IVL_OK;
}

static inline void llm_copy(const char *from, const char *folder, const char *name)
{
    char *data = NULL, *to = ivl_path_join(folder, name);
    size_t n = 0;
    ivl_out_file out;
    ok(ivl_read_file(from, 0, &data, &n));
    ok(ivl_out_open(to, &out));
    ck_assert_uint_eq(fwrite(data, 1, n, out.f), n);
    ok(ivl_out_commit(&out));
    free(data), free(to);
}

/* Without the tensor `gone` (NULL: all), with an unknown one if `extra`, values times *scale (NULL: 1). Its tokenizer
 * is the byte-level BPE of the golden files. */
static inline void llm_make(const char *folder, const ivl_text_config *c, const char *gone, bool extra, double *scale)
{
    ivl_llm_tensor *t = NULL;
    int n = 0, k = 0;
    ok(ivl_llm_tensors(c, &t, &n));
    ivl_st_item *item = calloc((size_t)n + 1, sizeof *item);
    for (int i = 0; i < n; i++)
        if (!gone || strcmp(gone, t[i].name))
            item[k++] = (ivl_st_item){ .name = t[i].name, .type = IVL_ST_F32, .rank = t[i].rank,
                                       .dim = { t[i].dim[0], t[i].dim[1] }, .fill = llm_fill, .ctx = scale };
    if (extra)
        item[k++] =
            (ivl_st_item){ .name = "a.stranger", .type = IVL_ST_F32, .rank = 1, .dim = { 3 }, .fill = llm_fill };
    ok(ivl_st_save_dir(folder, item, k, 0, NULL, 0));
    char *path = ivl_path_join(folder, "config.json");
    ok(ivl_llm_config_save(c, IVL_F32, path));
    llm_copy(source("tests/golden/bpe/tokenizer.json"), folder, "tokenizer.json");
    llm_copy(source("tests/golden/bpe/tokenizer_config.json"), folder, "tokenizer_config.json");
    free(path), free(item), free(t);
}

#endif
