/* Heads over features of a frozen InternViT: linear probe (reference facts 2.5) and linear segmentation (2.6); UperNet
 * has a file of its own. Their parameters are few and live apart from the model's. Maps are tokens [B,h*w,C]. */
#ifndef IVL_MODEL_HEADS_H
#define IVL_MODEL_HEADS_H

#include <ivl/ops.h>

typedef struct ivl_head_param {
    char       name[96];  /* as in public checkpoints, a prefix before it */
    int        rank;
    int64_t    dim[4], elements;
    bool       statistic; /* BatchNorm's running mean and variance: S, not trained */
    ivl_tensor value, grad, m, v;
} ivl_head_param;

typedef struct ivl_heads {
    ivl_device     *dev;
    ivl_dtype       dtype;
    int             n, cap;
    ivl_head_param *param;
    ivl_tensor      value, grad, m, v; /* all that trains, as flat ranges; only value unless allocated for training */
    ivl_buffer      statistics;
} ivl_heads;

/* Declare, then allocate. */
ivl_status ivl_heads_create(ivl_device *dev, ivl_dtype dtype, ivl_heads **h_p);
void       ivl_heads_destroy(ivl_heads *h);
ivl_status ivl_heads_add(ivl_heads *h, const char *prefix, const char *name, int rank, const int64_t *dim);
/* What the heads below need, for features C wide: "norm.*" over 2C and "head.*"; "norm.*" and "conv_seg.*". */
ivl_status ivl_heads_add_probe(ivl_heads *h, const char *prefix, int64_t width, int64_t classes);
ivl_status ivl_heads_add_seg(ivl_heads *h, const char *prefix, int64_t width, int64_t classes);
/* Zeroed memory; training (f32 only): also gradient and moments. */
ivl_status ivl_heads_alloc(ivl_heads *h, bool training);
/* Fresh: norms 1 and 0, biases 0, weights of classifiers N(0, 0.01), of other convolutions N(0, sqrt(2 / fan)) (He et
 * al., 1502.01852; fan: elements of w[i]), a function of (seed, name, element). */
ivl_status ivl_heads_init(const ivl_heads *h, ivl_stream *s, uint64_t seed);

/* Every tensor of a safetensors file, declared and allocated. */
ivl_status ivl_heads_load(ivl_device *dev, ivl_stream *s, ivl_dtype dtype, bool training, const char *path,
                          ivl_heads **h_p);
ivl_status ivl_heads_save(const ivl_heads *h, ivl_stream *s, const char *path);

const ivl_head_param *ivl_heads_find(const ivl_heads *h, const char *name); /* NULL if there is none */
/* All elements as double. */
ivl_status ivl_head_read(const ivl_heads *h, ivl_stream *s, const char *name, double *dst);

/* --- recording ------------------------------------------------------------------------------------ */

typedef struct ivl_head_scope {
    ivl_graph       *g;
    const ivl_heads *h;
    const char      *prefix; /* of every name */
    bool             train;  /* gradients; BatchNorm by, and updating, the statistics of the batch */
} ivl_head_scope;

/* Last ViT state [B,1+N,C] -> [class token, mean of patches] [B,2C]. */
ivl_val ivl_probe_features(ivl_graph *g, ivl_val vision);
/* -> logits [B,classes]: BatchNorm (eps 1e-6), linear. */
ivl_val ivl_probe_head(const ivl_head_scope *s, ivl_val features);

/* A ViT state without its class token. */
ivl_val ivl_seg_map(ivl_graph *g, ivl_val state);
/* Logits [B,to_h*to_w,classes]: BatchNorm (eps 1e-5), 1x1 convolution, bilinear resize. */
ivl_val ivl_seg_head(const ivl_head_scope *s, ivl_val map, ivl_resize2d_attr size);

#endif
