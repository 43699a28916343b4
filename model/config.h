/* Sizes and settings of a model: Hugging Face config.json in and out. Defaults, null handling and precedence
 * are those of the public configuration classes: absent or null keys keep their defaults, and the top level's
 * queries and cross-attention frequency win over those of qllama_config. */
#ifndef IVL_MODEL_CONFIG_H
#define IVL_MODEL_CONFIG_H

#include <stdio.h>

#include <ivl/backend.h>

typedef enum ivl_norm { IVL_RMS_NORM, IVL_LAYER_NORM } ivl_norm;

/* InternViT. Defaults: InternViT-6B. */
typedef struct ivl_vit_config {
    int      width, mlp, layers, heads, channels, patch;
    int      image_size;  /* as written; ivl_config_image_size gives the one in force */
    bool     qkv_bias;
    bool     qk_norm;     /* RMSNorm over the whole width of q and k, before the split into heads */
    ivl_norm norm;        /* of blocks; q and k norms are RMS either way */
    double   eps, drop_path;
    double   layer_scale; /* initial LayerScale (initializer_factor) */
    double   init_std;    /* initializer_range */
} ivl_vit_config;

/* LLaMA decoder. Defaults: HF's LlamaConfig. With queries > 0 it is QLLaMA: cross attention in layers 0, f,
 * 2f... */
typedef struct ivl_text_config {
    int    vocab, width, mlp, layers, heads;
    int    kv_heads;      /* resolved: never 0 */
    int    max_positions;
    double eps, rope_theta;
    bool   attention_bias, tie_embeddings;
    int    bos, eos, pad;
    int    queries, cross_every;
} ivl_text_config;

/* InternVL: InternViT + (Q)LLaMA + heads. */
typedef struct ivl_model_config {
    ivl_vit_config  vit;
    ivl_text_config text;
    int    embed_dim;     /* of the joint space */
    int    pool_heads;    /* of both attention poolers */
    double label_smoothing;
    int    force_image_size; /* 0: none; else positions have this image's grid and vit.image_size is stale */
} ivl_model_config;

ivl_model_config ivl_config_default(void);            /* InternVL-14B, with HF's vocabulary of 32000 */
ivl_text_config  ivl_text_config_default(void);
bool ivl_config_equal(const ivl_model_config *a, const ivl_model_config *b);
int ivl_config_image_size(const ivl_model_config *c); /* in force */
int ivl_config_grid(const ivl_model_config *c);       /* patches along one side */

/* Every rule on sizes; one message that names the key, its value and what to do. */
ivl_status ivl_config_check(const ivl_model_config *c);

/* Text of a config.json of n bytes; `name` is for messages. Checked. */
ivl_status ivl_config_parse(const char *text, size_t n, const char *name, ivl_model_config *c_p);
/* what: a model directory, a .json file, or the name of one that the library carries (conf/): "tiny",
 * "small", "internvl_14b"; "sweep/3" and "FILE.json/3" pick from a list of variants. */
ivl_status ivl_config_load(const char *what, ivl_model_config *c_p);
/* Atomically writes PATH in HF's form; dtype is that of the weights beside it. */
ivl_status ivl_config_save(const ivl_model_config *c, ivl_dtype dtype, const char *path);
/* The same as text, freed by the caller. */
ivl_status ivl_config_text(const ivl_model_config *c, ivl_dtype dtype, char **text_p);

#endif
