/* The abstract op layer: record ops into a graph, derive its backward pass, plan it for a device, run it.
 * Also what the author of an op or of an implementation fills in. Shapes are written x[B,N,C]:
 * B batch, N tokens, C channels, H heads, D head size, V vocabulary; arrays are row-major. */
#ifndef IVL_OPS_H
#define IVL_OPS_H

#include <stdio.h>

#include <ivl/backend.h>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

enum { IVL_MAX_RANK = 5, IVL_MAX_IN = 12, IVL_MAX_OUT = 6 };

/* --- tensors ----------------------------------------------------------------------------------- */

/* Metadata and place. Row r of the last axis starts at element off + r * pitch of the buffer, so a
 * slice of the last axis is a tensor too; otherwise pitch equals the last dimension. A scalar has
 * rank 0. Every kernel takes (buffer, off, pitch): weights in mapped files, arena tensors and slices
 * are one case. */
typedef struct ivl_tensor {
    ivl_dtype   dtype;
    int         rank;
    int64_t     dim[IVL_MAX_RANK];
    int64_t     off, pitch;
    ivl_buffer  buf;
    const char *name;
} ivl_tensor;

ivl_tensor ivl_tensor_make(ivl_dtype dtype, int rank, const int64_t *dim);
int64_t ivl_numel(const ivl_tensor *t);
int64_t ivl_cols(const ivl_tensor *t);        /* last dimension; 1 for a scalar */
int64_t ivl_rows(const ivl_tensor *t);        /* numel / cols */
bool    ivl_contiguous(const ivl_tensor *t);
bool    ivl_same_shape(const ivl_tensor *a, const ivl_tensor *b);
/* "bf16[8,257,3200]" into text, at most n bytes; returns text. */
const char *ivl_tensor_text(const ivl_tensor *t, char *text, size_t n);

/* --- ops --------------------------------------------------------------------------------------- */

typedef enum ivl_op {
#define OP(name) IVL_OP_##name,
#include <ivl/ops.def>
#undef OP
    IVL_OP_COUNT /* ops registered at run time follow */
} ivl_op;

typedef struct ivl_graph ivl_graph;
typedef struct ivl_val { int32_t id; } ivl_val;   /* a value of one graph */
#define IVL_NONE ((ivl_val){ -1 })                /* optional input not given; output not wanted */
#ifndef __cplusplus
static inline bool ivl_is(ivl_val v) { return v.id >= 0; }
#endif

/* One recorded op. x[i]/y[i] are NULL where an optional input is absent or an output not wanted. */
typedef struct ivl_node {
    int               op, n_in, n_out;
    ivl_val           in[IVL_MAX_IN], out[IVL_MAX_OUT];
    const ivl_tensor *x[IVL_MAX_IN];
    ivl_tensor       *y[IVL_MAX_OUT];
    const void       *attr;
    uint16_t          add_mask; /* bit i: output i is added to, else assigned */
    size_t            attr_bytes;
    int               block;    /* recompute block, 0 = none */
} ivl_node;

/* An op, device-free. Constant data; one per row of ops.def. */
typedef struct ivl_op_desc {
    const char *name;
    /* Checks inputs and attributes and fills dtype, rank, dim of the outputs: the only place where
     * shapes are checked. For gradients the outputs come filled (shape of their target): only check. */
    ivl_status (*infer)(const ivl_node *n);
    /* Records the backward ops of n with ivl_record_bwd; NULL: not differentiable. */
    ivl_status (*grad)(ivl_graph *g, const ivl_node *n);
    /* The truth, in plain C over host memory (tensor.buf.host), any storage dtype. f64 accumulates in
     * double; f32 is the plain loop whose error sets the tolerance of every implementation. */
    ivl_status (*ref64)(const ivl_node *n);
    ivl_status (*ref32)(const ivl_node *n);
    double     (*flops)(const ivl_node *n);  /* multiply-add = 2; NULL: 0 */
    double     (*bytes)(const ivl_node *n);  /* that must move, where not all of every tensor does; else NULL */
    const ivl_impl *impls;                   /* portable implementations, best rank first */
    int         n_impls;
    uint16_t    mutates;                     /* bit i: input i is updated in place */
} ivl_op_desc;

const ivl_op_desc *ivl_op_get(int op);                         /* NULL if out of range */
int ivl_op_count(void);
/* Adds an op of your own (see examples/own_op.c); desc must outlive the library. Not thread-safe. */
ivl_status ivl_op_register(const ivl_op_desc *desc, int *op_p);
/* Adds a kernel source "NAME.cl" for ivl_build(dev, "NAME", ...); it may include "dialect.h". Neither string is
 * copied. Not thread-safe. */
ivl_status ivl_source_register(const char *name, const char *text);

typedef struct ivl_prep ivl_prep;  /* what an implementation keeps per node: kernels, descriptors */

enum { IVL_MAX_PARAM = 6, IVL_ANY_OP = -1 /* an implementation row that serves every op */ };
/* Tunable parameters: value lists (0-terminated) and the defaults for a device. */
typedef struct ivl_tune_space {
    int         n;
    const char *name[IVL_MAX_PARAM];
    int         values[IVL_MAX_PARAM][10];
    void      (*defaults)(const ivl_caps *c, const ivl_node *n, int *param);
    bool      (*valid)(const ivl_caps *c, const ivl_node *n, const int *param); /* NULL: all are */
} ivl_tune_space;

/* One way to run an op: "attention.any.tiled", "linear.opencl.packed". */
struct ivl_impl {
    const char *name;
    int         op;
    int         rank;                                            /* higher is tried first */
    bool       (*fits)(const ivl_caps *c, const ivl_node *n);    /* NULL: always */
    size_t     (*scratch)(const ivl_caps *c, const ivl_node *n); /* bytes while it runs; NULL: 0 */
    ivl_status (*prepare)(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p);
    ivl_status (*run)(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch,
                      int64_t scratch_off /* bytes */);          /* only enqueues */
    void       (*destroy)(ivl_prep *p);
    const ivl_tune_space *space;                                 /* NULL: nothing to tune */
};

/* --- recording --------------------------------------------------------------------------------- */

ivl_status ivl_graph_create(ivl_graph **g_p);
void       ivl_graph_destroy(ivl_graph *g);
/* Errors stick: after the first failure builders return IVL_NONE and record nothing. This reports it. */
ivl_status ivl_graph_status(const ivl_graph *g);
/* For builders of your own: makes status s and the thread's last error stick. Returns IVL_NONE. */
ivl_val    ivl_graph_failed(ivl_graph *g, ivl_status s);

/* A tensor of the batch record: the inputs of a graph lie together in its io arena, in the order they
 * were declared, and arrive with one copy. `name` is copied. */
ivl_val ivl_input(ivl_graph *g, const char *name, ivl_dtype dtype, int rank, const int64_t *dim);
/* A tensor that lives outside the graph (weights, moments). grad: where its gradient is written, NULL
 * for a frozen one. The tensors are copied; their buffers may be empty when planning without a device.
 * The same tensor (buffer, offset or, without buffer, name) gives the same value. */
ivl_val ivl_extern(ivl_graph *g, const ivl_tensor *value, const ivl_tensor *grad);
/* Keeps a value to the end of the plan, so ivl_plan_read can fetch it. Returns v. */
ivl_val ivl_keep(ivl_graph *g, ivl_val v);
const ivl_tensor *ivl_tensor_of(const ivl_graph *g, ivl_val v); /* NULL for IVL_NONE */

/* Records op over n_in inputs; attr (bytes long) is copied. Output 0 is returned; others through out
 * (NULL or room for IVL_MAX_OUT). */
ivl_val ivl_record(ivl_graph *g, int op, const ivl_val *in, int n_in, int n_out, const void *attr,
                   size_t bytes, ivl_val *out);
/* Views: no copy, no kernel. slice: part i of n equal parts of the last axis. */
ivl_val ivl_slice(ivl_graph *g, ivl_val x, int i, int n);
ivl_val ivl_reshape(ivl_graph *g, ivl_val x, int rank, const int64_t *dim);
/* Columns [first, first + n) of the last axis. */
ivl_val ivl_columns(ivl_graph *g, ivl_val x, int64_t first, int64_t n);
/* Samples [first, first + n) of the first axis of a contiguous value. */
ivl_val ivl_samples(ivl_graph *g, ivl_val x, int64_t first, int64_t n);
/* Element i of the first axis of a contiguous value that needs no gradient (inputs, moments). */
ivl_val ivl_row(ivl_graph *g, ivl_val x, int64_t i);

/* Between begin and end, activations are recomputed in the backward pass instead of kept, if the
 * policy of ivl_graph_backward says so. Blocks do not nest. */
void ivl_block_begin(ivl_graph *g);
void ivl_block_end(ivl_graph *g);

typedef enum ivl_recompute { IVL_RECOMPUTE_NONE, IVL_RECOMPUTE_BLOCKS } ivl_recompute;
typedef struct ivl_backward {
    const ivl_val *out, *seed;  /* gradients start from seed[i] at out[i]; seed NULL: ones */
    int            n;
    bool           accumulate;  /* add to the external gradients instead of assigning */
    ivl_recompute  recompute;
} ivl_backward;
/* Appends the backward pass, pruned to what the gradients of external tensors (and of the values asked
 * for with ivl_want_grad before) need. */
ivl_status ivl_graph_backward(ivl_graph *g, const ivl_backward *b);
void    ivl_want_grad(ivl_graph *g, ivl_val v);
ivl_val ivl_grad(const ivl_graph *g, ivl_val v);  /* gradient value of v, IVL_NONE if it has none */

/* For grad callbacks: record `op`, whose output i is (added to) the gradient of target[i]. Targets that
 * need no gradient become absent outputs; with none left nothing is recorded. */
ivl_status ivl_record_bwd(ivl_graph *g, int op, const ivl_val *in, int n_in, const ivl_val *target,
                          int n_target, const void *attr, size_t bytes);
/* The gradient of `from` passes unchanged to `to` (of the same size): shared, copied only if needed. */
ivl_status ivl_pass_grad(ivl_graph *g, ivl_val from, ivl_val to);

/* --- plans ------------------------------------------------------------------------------------- */

typedef struct ivl_plan ivl_plan;
typedef struct ivl_plan_options {
    const ivl_caps *caps;     /* plan without a device for one like this (dev NULL); print only */
    const ivl_backend *backend; /* with caps: whose implementations to choose from, NULL: portable ones */
    bool            no_fuse;  /* record as written: for tests */
    const char     *force;    /* use this implementation where it fits: for tests and bench */
} ivl_plan_options;

/* Fuses, chooses implementations, lays out memory, builds kernels. Neither the plan nor its runs change
 * the graph's values; the graph must outlive the plan and is complete (no recording afterwards). */
ivl_status ivl_plan_create(ivl_device *dev, ivl_graph *g, const ivl_plan_options *o, ivl_plan **p_p);
void       ivl_plan_destroy(ivl_plan *p);
/* Gives plans their memory: one io and one work arena, sized for the largest, shared by all (so only
 * one of them runs at a time). ivl_plan_create leaves a plan without memory. */
ivl_status ivl_plan_bind(ivl_plan *const *plans, int n);
/* Enqueues everything: no allocation, no copy, no wait. */
ivl_status ivl_plan_run(ivl_plan *p, ivl_stream *s);
size_t     ivl_plan_io_bytes(const ivl_plan *p);
size_t     ivl_plan_io_offset(const ivl_plan *p, ivl_val input);   /* bytes, in the batch record */
/* Copies a whole batch record from a pinned slot (at offset off) to the io arena: one copy. */
ivl_status ivl_plan_feed(ivl_plan *p, ivl_stream *s, ivl_buffer slot, size_t off);
/* Slow paths for tests and tools: plain host memory, they wait. bytes must match the tensor. */
ivl_status ivl_plan_write(ivl_plan *p, ivl_stream *s, ivl_val v, const void *host, size_t bytes);
ivl_status ivl_plan_read(ivl_plan *p, ivl_stream *s, ivl_val v, void *host, size_t bytes);
/* Where a value lies after ivl_plan_bind; NULL if the plan dropped it. */
const ivl_tensor *ivl_plan_tensor(const ivl_plan *p, ivl_val v);
/* Bytes by part, for "does it fit" and the print-out. */
typedef struct ivl_plan_size { size_t work, io, largest; double flops; int nodes, slabs; } ivl_plan_size;
ivl_plan_size ivl_plan_sizes(const ivl_plan *p);
/* Nodes with shapes, chosen implementation, bytes, FLOPs; then the sums. */
void ivl_plan_print(const ivl_plan *p, FILE *f, bool nodes);
int  ivl_plan_nodes(const ivl_plan *p);
/* For per-node comparison and profiles: node i, its implementation name; run nodes [i, j). */
const ivl_node *ivl_plan_node(const ivl_plan *p, int i);
const char *ivl_plan_impl(const ivl_plan *p, int i);
ivl_status ivl_plan_run_range(ivl_plan *p, ivl_stream *s, int i, int j);

/* --- builders: the ops, and their contracts ----------------------------------------------------- */
/* Unless said otherwise: T is the storage type f32, bf16 or f16 (host also f64) of all tensors of an op;
 * arithmetic is f32; statistics S are f32 (f64 when T is f64); gradients of external tensors are S. */

typedef struct ivl_fill_attr { double value; } ivl_fill_attr;
ivl_val ivl_fill_op(ivl_graph *g, ivl_dtype dtype, int rank, const int64_t *dim, double value);
typedef struct ivl_cast_attr { ivl_dtype dtype; } ivl_cast_attr;
ivl_val ivl_cast(ivl_graph *g, ivl_val x, ivl_dtype dtype);       /* round to nearest even */
ivl_val ivl_add(ivl_graph *g, ivl_val a, ivl_val b);              /* same shape */

/* y[..,N] = x[..,K] w[N,K]^T + b[N]; b may be IVL_NONE. With x in f32, w may be quantised (q8_0, q4_0, q4_1; K a
 * multiple of 32): its values come from blocks, and no gradient passes. */
ivl_val ivl_linear(ivl_graph *g, ivl_val x, ivl_val w, ivl_val b);
/* y[M,N] = op(a) op(b) with op = transpose where ta/tb; leading axes of a and b fold into rows. dtype of
 * y: that of a. linear's gradients are matmuls (dx = dy w, dw = dy^T x). */
typedef struct ivl_matmul_attr { int ta, tb; } ivl_matmul_attr;
ivl_val ivl_matmul(ivl_graph *g, ivl_val a, ivl_val b, int ta, int tb);
ivl_val ivl_gelu(ivl_graph *g, ivl_val x);                        /* exact: x Phi(x) */
ivl_val ivl_relu(ivl_graph *g, ivl_val x);                        /* max(x, 0); gradient 0 at 0 */
ivl_val ivl_silu_mul(ivl_graph *g, ivl_val gate, ivl_val up);     /* gate sigmoid(gate) up */
/* x[B,N,C] + scale[B] * ls[C] * y[B,N,C]; ls (LayerScale, T) and scale (drop path: 0 or 1/(1-rate), f32)
 * may be IVL_NONE. */
ivl_val ivl_residual(ivl_graph *g, ivl_val x, ivl_val y, ivl_val ls, ivl_val scale);

typedef struct ivl_norm_attr { double eps; } ivl_norm_attr;
ivl_val ivl_rms_norm(ivl_graph *g, ivl_val x, ivl_val w, double eps);   /* also: rstd S[rows] */
ivl_val ivl_layer_norm(ivl_graph *g, ivl_val x, ivl_val w, ivl_val b, double eps); /* mean, rstd S */
/* y = (x - mean) rstd w[C] + b[C] by column of x[..,C], all leading axes being rows. train: mean and variance of these
 * rows (at least 2), and in place running = (1 - momentum) running + momentum (mean; variance of R - 1); not to be
 * recorded in a recompute block. Else those of running_mean, running_var S[C]. -> y, mean, rstd S[C]. (1502.03167) */
typedef struct ivl_batch_norm_attr { double eps, momentum; int train; } ivl_batch_norm_attr;
ivl_val ivl_batch_norm(ivl_graph *g, ivl_val x, ivl_val w, ivl_val b, ivl_val running_mean, ivl_val running_var,
                       ivl_batch_norm_attr a);
ivl_val ivl_l2_norm(ivl_graph *g, ivl_val x);                     /* x / |x| by row; 1/|x| S[rows] */

/* Rotates pairs (i, i + D/2) of each head (adjacent: pairs (2i, 2i+1)) by angle pos * theta^(-2i/D),
 * angles in f32. pos i32[B,N] or IVL_NONE for 0..N-1. */
typedef struct ivl_rope_attr { int heads; double theta; int adjacent, inverse; } ivl_rope_attr;
ivl_val ivl_rope(ivl_graph *g, ivl_val x, ivl_val pos, int heads, double theta, int adjacent);

/* Masks are rules. A key j is valid if j < len[b] (len i32[B], IVL_NONE: all). Query i sees valid keys j:
 *   FULL    all
 *   CAUSAL  j <= i; and itself, also when it is padding
 *   SPLIT   first `queries` positions among themselves; the others causally among themselves
 *   PREFIX  first `queries` positions among themselves; the others all queries and causally themselves
 * For SPLIT and PREFIX len counts from 0 including the queries. A row without keys yields 0. Two rules hold three in
 * one batch, a third each: STAGE2 is FULL, SPLIT, PREFIX (ITM, ITC, ITG), RETRIEVAL is FULL, FULL, SPLIT. */
typedef enum ivl_mask {
    IVL_MASK_FULL, IVL_MASK_CAUSAL, IVL_MASK_SPLIT, IVL_MASK_PREFIX,
    IVL_MASK_STAGE2 = 0x1320, IVL_MASK_RETRIEVAL = 0x1200
} ivl_mask;
typedef struct ivl_attention_attr { int heads, kv_heads; ivl_mask mask; int queries; double scale; } ivl_attention_attr;
/* q[B,N,H*D], k,v[B,M,Hkv*D] -> o[B,N,H*D] and log-sum-exp S[B,H,N]; scale 0 means D^-1/2. */
ivl_val ivl_attention(ivl_graph *g, ivl_val q, ivl_val k, ivl_val v, ivl_val len, ivl_attention_attr a);

/* Pixels to patch rows: px f32[B,3,H,W] (already normalised) or u8[B,H,W,3] (normalised here with
 * mean and std) -> T[B,K,3*p*p] in the order (channel, row, column) of a convolution kernel.
 * keep i32[B,K]: the patches that survive masking, row-major; IVL_NONE: all, in order. */
typedef struct ivl_patchify_attr { int patch; float mean[3], std[3]; ivl_dtype dtype; } ivl_patchify_attr;
ivl_val ivl_patchify(ivl_graph *g, ivl_val px, ivl_val keep, ivl_patchify_attr a);
/* x[B,K,C], cls[C], pos[1+G,C], keep i32[B,K]? -> [B,1+K,C]: row 0 = cls + pos[0], row 1+k = x[k] +
 * pos[1 + keep[k]] (keep absent: K = G). */
ivl_val ivl_vit_tokens(ivl_graph *g, ivl_val x, ivl_val cls, ivl_val pos, ivl_val keep);
/* table[V,C] (quantised: then y is f32, and no gradient passes), ids i32[B,N] -> [B,N,C] */
ivl_val ivl_embed(ivl_graph *g, ivl_val table, ivl_val ids);
ivl_val ivl_gather_rows(ivl_graph *g, ivl_val x, ivl_val index);  /* x[B,N,C], i32[B] -> [B,C] */
ivl_val ivl_mean(ivl_graph *g, ivl_val x);                        /* x[B,N,C] -> [B,1,C] over N */

/* Maps: tokens x[B,h*w,C] of a grid, row by row. */
typedef struct ivl_map_attr { int h, w; } ivl_map_attr;
/* 2x2, stride 2, an odd row or column at the end left out -> [B,(h/2)*(w/2),C]; the first of equal ones takes the
 * gradient. */
ivl_val ivl_max_pool(ivl_graph *g, ivl_val x, int h, int w);
/* The 3x3 cells around each, 0 beyond the edges -> [B,h*w,9*C], columns (channel, row, column): before a product with
 * weights [K,C,3,3] as a matrix this is PyTorch's Conv2d with 3x3 kernels, stride 1 and padding 1. */
ivl_val ivl_im2col(ivl_graph *g, ivl_val x, int h, int w);
/* x[B,h*w,4*C], columns (channel, row, column) -> [B,2h*2w,C], plus b[C] (IVL_NONE: none). After a product with
 * weights [K,C,2,2] this is PyTorch's ConvTranspose2d with 2x2 kernels and stride 2. */
ivl_val ivl_depth_to_space(ivl_graph *g, ivl_val x, ivl_val b, int h, int w);
/* Bilinear, pixel centres at halves (align_corners False), edges repeated, no antialias -> [B,to_h*to_w,C]. */
typedef struct ivl_resize2d_attr { int h, w, to_h, to_w; } ivl_resize2d_attr;
ivl_val ivl_resize2d(ivl_graph *g, ivl_val x, ivl_resize2d_attr a);
/* Means over bins: cell i of n_to over cells [i n / n_to, (i + 1) n / n_to) of n, rounded outwards (PyTorch's
 * AdaptiveAvgPool2d; a side may grow, and cells repeat) -> [B,to_h*to_w,C]. */
ivl_val ivl_avg_pool(ivl_graph *g, ivl_val x, ivl_resize2d_attr a);

/* [a | b] of a[R,K], b[R,K']; one of them may have a single row, which then stands in every row. */
typedef struct ivl_concat_attr { int64_t rows; } ivl_concat_attr; /* at least so many */
ivl_val ivl_concat(ivl_graph *g, ivl_val a, ivl_val b);
/* The same of tokens: a[B,N,C], b[B,N',C] -> [B,N+N',C]; batch 1 stands in every sample. */
ivl_val ivl_join(ivl_graph *g, ivl_val a, ivl_val b);
ivl_val ivl_repeat(ivl_graph *g, ivl_val x, int64_t batch);       /* x[1,N,C] -> [batch,N,C] */
/* Tokens [first, first + n) of x[B,N,C], copied (all of them: x). */
ivl_val ivl_tokens(ivl_graph *g, ivl_val x, int64_t first, int64_t n);

/* Mean cross-entropy of rows of logits z = exp(logit_scale) x[..,V] -> loss S[]; also lse S[rows], and hits S[], the
 * share of rows whose largest logit is a right one. labels i32[rows] (negative: the row does not count), or target
 * S[rows,V]: a distribution per row. logit_scale S[] may be IVL_NONE. hits (may be NULL) receives that value. Without a
 * row that counts the loss is 0. */
ivl_val ivl_softmax_ce(ivl_graph *g, ivl_val logits, ivl_val labels, ivl_val target, ivl_val logit_scale,
                       ivl_val *hits);

/* Symmetric cross-entropy of local rows (b) against all columns (n >= b), all unit norm; row j belongs to
 * column row0 + j. logit_scale S[] enters as exp(). ignore i32[b] (1 = no loss) may be IVL_NONE, as may
 * all_image/all_text: then the local ones. -> loss S[] (mean of both directions), lse S[b] of images and
 * of texts. Never stores b x n logits. (InternVL 2312.14238, stage 1; CLIP's loss) */
typedef struct ivl_contrastive_attr { double smoothing; int64_t row0; } ivl_contrastive_attr;
ivl_val ivl_contrastive(ivl_graph *g, ivl_val image, ivl_val text, ivl_val all_image, ivl_val all_text,
                        ivl_val logit_scale, ivl_val ignore, ivl_contrastive_attr a);

/* Rows of pictures into texts: y[r] = index[r] < 0 ? x[r] : rows[index[r]]. index i32 for the rows of x; inverse i32
 * for those of rows: where each is placed (at most once), or negative. */
ivl_val ivl_place_rows(ivl_graph *g, ivl_val x, ivl_val rows, ivl_val index, ivl_val inverse);

/* Decoding's cache of keys or values, an external cache[R,M,C], in place. Write: x[B,N,C] to rows pos[b] .. (pos
 * i32[B]) of sample b R/B; rows beyond M are left out. Reorder: the first len[r] rows of sample r become those of
 * sample parent[r] (i32[R] both). */
void ivl_kv_write(ivl_graph *g, ivl_val cache, ivl_val x, ivl_val pos);
void ivl_kv_reorder(ivl_graph *g, ivl_val cache, ivl_val parent, ivl_val len);

/* Sum of squares of all elements of n <= 12 contiguous tensors -> S[]. Not differentiable. */
ivl_val ivl_sq_norm(ivl_graph *g, const ivl_val *x, int n);
/* In place on p (master weights S[n]), m, v (S[n]) from gradient S[n]. hyper f32[4] = learning rate,
 * weight decay, 1 - beta1^t, 1 - beta2^t. sq_norm S[] is the squared global gradient norm: gradients are
 * scaled by min(1, clip / (norm + 1e-6)) if clip > 0, and if it is not finite nothing changes. May be
 * IVL_NONE. p *= 1 - lr wd; m, v update; p -= lr (m / bc1) / (sqrt(v / bc2) + eps). (AdamW, 1711.05101) */
typedef struct ivl_adamw_attr { double beta1, beta2, eps, clip; } ivl_adamw_attr;
void ivl_adamw(ivl_graph *g, ivl_val p, ivl_val grad, ivl_val m, ivl_val v, ivl_val hyper, ivl_val sq_norm,
               ivl_adamw_attr a);
/* In place on p and m (S[n]) from gradient S[n]: m = momentum m + grad + wd p; p -= lr m. hyper f32[2] = learning rate,
 * weight decay; sq_norm and clip as adamw has them. With m zero before the first step this is PyTorch's SGD. */
typedef struct ivl_sgd_attr { double momentum, clip; } ivl_sgd_attr;
void ivl_sgd(ivl_graph *g, ivl_val p, ivl_val grad, ivl_val m, ivl_val hyper, ivl_val sq_norm, ivl_sgd_attr a);
typedef struct ivl_clamp_attr { double lo, hi; } ivl_clamp_attr;
void ivl_clamp(ivl_graph *g, ivl_val x, double lo, double hi);    /* in place */
/* Rounds external master weights into external compute copies: y = x in y's dtype. */
void ivl_cast_into(ivl_graph *g, ivl_val x, ivl_val y);

#ifdef __cplusplus
}
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#endif
