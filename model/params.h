/* The named parameters of a model, built from its configuration: shape, initial values, who trains what, and
 * where each lies. Weights, gradient, master copy and moments are equal flat layouts: parameters that share
 * (trainable, group, decay) lie together in block order, padded with zeros, so optimiser, norms and
 * collectives act on few flat ranges. */
#ifndef IVL_MODEL_PARAMS_H
#define IVL_MODEL_PARAMS_H

#include <ivl/ops.h>

#include "model/config.h"

/* Parts of the model, to be or-ed. */
enum {
    IVL_PART_C = 1,  /* InternVL-C: vision_model, clip_projector, qllama, text_projection, logit_scale */
    IVL_PART_LM = 2, /* qllama.lm_head */
    IVL_PART_G = 4,  /* stage 2: query_tokens, cross_attn, clip_projector2, itm_head; none without queries */
    IVL_PARTS_ALL = 7,
    IVL_PART_PROJECTOR = 8, /* of a chat model: mm_projector */
    IVL_PART_LLM = 16,      /* of a chat model: llm */
    IVL_PART_LORA = 32      /* adapters, which no model file holds */
};

/* Low-rank adapters (model/lora.h): whose linears get them, to be or-ed. */
enum {
    IVL_LORA_IMAGE = 1, /* vision_model: attn.qkv, attn.proj, mlp.fc1, mlp.fc2 */
    IVL_LORA_TEXT = 2,  /* qllama: q, k, v, o of self attention, gate, up, down */
    IVL_LORA_LLM = 4    /* the same of a chat model's language model */
};
typedef struct ivl_lora { int rank; double alpha; unsigned where; } ivl_lora; /* rank 0: none */

/* Which peak learning rate is theirs: vision_model and clip_projector; qllama and text_projection;
 * logit_scale and what stage 2 adds. */
typedef enum ivl_group { IVL_GROUP_IMAGE, IVL_GROUP_TEXT, IVL_GROUP_OTHER, IVL_GROUPS } ivl_group;

/* In which stages a parameter trains, to be or-ed. */
enum {
    IVL_STAGE_1 = 1,       /* contrastive: InternVL-C */
    IVL_STAGE_2 = 2,       /* generative: only what that stage adds */
    IVL_STAGE_RETRIEVAL = 4, /* fine-tuning: all but lm_head */
    IVL_STAGE_3_MLP = 8,     /* chat: the projector */
    IVL_STAGE_3 = 16         /* chat: projector and language model */
};

typedef enum ivl_init {
    IVL_INIT_CONST,  /* init_a */
    IVL_INIT_NORMAL, /* N(0, init_a) */
    IVL_INIT_TRUNC   /* N(0, init_a) cut at 2 init_a, then times init_b (BEiT's rule for block outputs) */
} ivl_init;

typedef struct ivl_param {
    const char *name;       /* in the model: of InternVL as in public checkpoints; of a chat model see model/chat.h */
    const char *file;       /* in files */
    int         rank;
    int64_t     dim[4], elements;
    unsigned    part, stages;
    ivl_group   group;
    bool        decay;      /* not for 1-D ones and biases, so logit_scale and the embeddings do decay */
    bool        trainable;  /* here and now */
    int         layer, depth; /* for layer-wise decay: 0 (embeddings) .. depth (top), see ivl_param_rate */
    ivl_init    init;
    double      init_a, init_b;
    ivl_dtype   blocks;     /* quantised: kept so, in memory of its own outside of the flat layout; else IVL_F32 */
    int64_t     first;      /* element of the flat layout */
    /* Shapes always; places after ivl_params_alloc. Only value unless trainable and allocated for training.
     * value and master are one memory when the compute type is their own. */
    ivl_tensor  value, grad, master, m, v;
} ivl_param;

/* A run of the flat layout whose parameters share all settings, in one buffer per kind. */
typedef struct ivl_range {
    int64_t    first, elements; /* padding included */
    bool       trainable, decay;
    ivl_group  group;
    int        layer, depth;    /* layer -1: several (not laid out by layer) */
    ivl_tensor value, grad, master, m, v; /* rank 1 */
} ivl_range;

typedef struct ivl_params {
    int        n, n_ranges;
    ivl_param *param;           /* in flat order: trainable ones first */
    ivl_range *range;
    int64_t    elements;        /* of the flat layout of weights */
    int64_t    trainable;       /* its first so many: the flat layout of gradient, master copy, moments */
    int64_t    weights;         /* numbers in the model, without padding */
    ivl_dtype  dtype;           /* compute type */
    ivl_lora   lora;
    struct ivl_params_store *store;
} ivl_params;

typedef struct ivl_params_options {
    unsigned parts;             /* 0: all */
    unsigned stage;             /* IVL_STAGE_*: these train; 0: none */
    bool   (*trains)(void *ctx, const char *name); /* overrides stage */
    void    *ctx;
    bool     layerwise;         /* ranges by layer, for layer-wise rate decay */
    ivl_lora lora;              /* these parts get adapters, which train in any stage; their own weights do not */
    const struct ivl_chat_config *chat; /* a chat model's parameters instead; `parts` does not count then */
} ivl_params_options;

ivl_status ivl_params_create(const ivl_model_config *c, const ivl_params_options *o, ivl_params **p_p);
void       ivl_params_destroy(ivl_params *p);
/* NULL if there is none. */
const ivl_param *ivl_params_find(const ivl_params *p, const char *name);
const ivl_param *ivl_params_find_file(const ivl_params *p, const char *file); /* by its name in files */
/* Factor on the learning rate under layer-wise decay: min(1, decay^(depth - layer - 1)). */
double ivl_param_rate(int layer, int depth, double decay);

/* Frozen matrices that stay quantised: type(ctx, q) says in which type, IVL_F32: not. Before ivl_params_alloc, whose
 * compute type is then f32. */
ivl_status ivl_params_keep_blocks(ivl_params *p, ivl_dtype (*type)(void *ctx, const ivl_param *q), void *ctx);

/* Device memory, zeroed, in slabs that the device allows. training: also gradient, master copy and moments of
 * what is trainable. Statistics are f32 (f64 when dtype is f64). Once per params. */
ivl_status ivl_params_alloc(ivl_params *p, ivl_device *dev, ivl_dtype dtype, bool training);
/* The same layout without memory, for planning without a device: tensors carry names only. */
ivl_status ivl_params_plan(ivl_params *p, const ivl_caps *caps, ivl_dtype dtype, bool training);

/* Fresh weights: elements [first, first + n) of one parameter, a function of (seed, name, element) alone. */
void ivl_param_init(const ivl_param *q, uint64_t seed, int64_t first, int64_t n, float *dst);
/* All of them, on the device. */
ivl_status ivl_params_init(const ivl_params *p, ivl_stream *s, uint64_t seed);

/* What to move. WEIGHT is written to value and master, and read from master where there is one. */
typedef enum ivl_slot { IVL_WEIGHT, IVL_VALUE, IVL_GRAD, IVL_M, IVL_V } ivl_slot;
/* Elements [first, first + n) of host memory in type `from`; converts; waits. n < 0: all. */
ivl_status ivl_param_write(const ivl_param *q, ivl_stream *s, ivl_slot slot, int64_t first, int64_t n,
                           const void *src, ivl_dtype from);
ivl_status ivl_param_read(const ivl_param *q, ivl_stream *s, ivl_slot slot, int64_t first, int64_t n,
                          void *dst, ivl_dtype to);

#endif
