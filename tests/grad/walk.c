/* The walk itself: gradients that several values share, slices of all kinds, parameters used twice or not at
 * all, and a whole block, kept and recomputed. */
#include "tests/grad/grad_check.h"

/* One product is the whole branch: it reads the gradient that is also x's, and adds to x's. */
static ivl_val build_branch(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = ivl_gelu(g, leaf[0]);
    return ivl_gelu(g, ivl_add(g, x, ivl_linear(g, x, leaf[1], IVL_NONE)));
}

static ivl_val build_twice(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = ivl_gelu(g, leaf[0]);
    return ivl_gelu(g, ivl_add(g, x, x));
}

/* One gradient is handed to a, b and c; a and b are then read again below. */
static ivl_val build_diamond(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val a = ivl_gelu(g, leaf[0]), b = ivl_rms_norm(g, a, leaf[1], 1e-6),
            c = ivl_linear(g, b, leaf[2], IVL_NONE);
    ivl_val y = ivl_add(g, ivl_add(g, a, b), c);
    return ivl_add(g, ivl_silu_mul(g, y, b), ivl_gelu(g, a));
}

/* One weight in two layers. */
static ivl_val build_tied(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val h = ivl_gelu(g, ivl_linear(g, leaf[0], leaf[1], IVL_NONE));
    return ivl_matmul(g, ivl_linear(g, h, leaf[1], IVL_NONE), leaf[1], 0, 0);
}

/* Parts of a parameter: two of three, the second twice. */
static ivl_val build_parameter_parts(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val a = ivl_slice(g, leaf[0], 1, 3), b = ivl_slice(g, leaf[0], 2, 3);
    return ivl_add(g, ivl_silu_mul(g, a, b), ivl_gelu(g, b));
}

/* A value read whole, in thirds, in sixths and in halves. */
static ivl_val build_parts(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = ivl_linear(g, leaf[0], leaf[1], IVL_NONE), third = ivl_slice(g, x, 1, 3);
    ivl_val sixth = ivl_silu_mul(g, ivl_slice(g, third, 1, 2), ivl_slice(g, x, 0, 6));
    ivl_val half = ivl_rms_norm(g, ivl_slice(g, x, 1, 2), leaf[2], 1e-6);
    ivl_val all = ivl_matmul(g, ivl_gelu(g, x), half, 1, 0);
    return ivl_matmul(g, all, ivl_matmul(g, half, sixth, 1, 0), 0, 0);
}

/* Slices of a reshaped value are no column parts of it. */
static ivl_val build_reshaped(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = ivl_gelu(g, leaf[0]), y = ivl_reshape(g, x, 2, (int64_t[]){ 6, 4 });
    ivl_val a = ivl_slice(g, y, 0, 2), b = ivl_slice(g, y, 1, 2);
    return ivl_add(g, ivl_silu_mul(g, a, b), ivl_gelu(g, a));
}

static ivl_val build_unused(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val y = ivl_gelu(g, leaf[0]);
    ivl_linear(g, y, leaf[1], IVL_NONE);
    return y;
}

static ivl_val attend(ivl_graph *g, ivl_val x, const ivl_val *leaf)
{
    ivl_val qkv = ivl_linear(g, ivl_rms_norm(g, x, leaf[1], 1e-6), leaf[2], IVL_NONE);
    ivl_val q = ivl_rms_norm(g, ivl_slice(g, qkv, 0, 3), leaf[3], 1e-6);
    ivl_val k = ivl_rms_norm(g, ivl_slice(g, qkv, 1, 3), leaf[3], 1e-6);
    ivl_attention_attr a = { .heads = 2, .kv_heads = 2 };
    a.mask = IVL_MASK_CAUSAL;
    ivl_val o = ivl_attention(g, ivl_rope(g, q, IVL_NONE, 2, 100, 0), ivl_rope(g, k, IVL_NONE, 2, 100, 0),
                              ivl_slice(g, qkv, 2, 3), IVL_NONE, a);
    return ivl_linear(g, o, leaf[4], leaf[5]);
}

/* Two transformer layers with the same weights, then pooling. */
static ivl_val build_layers(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = leaf[0];
    for (int i = 0; i < 2; i++) {
        ivl_block_begin(g);
        x = ivl_residual(g, x, attend(g, x, leaf), leaf[6], IVL_NONE);
        x = ivl_residual(g, x, ivl_linear(g, ivl_gelu(g, x), leaf[4], leaf[5]), IVL_NONE, IVL_NONE);
        ivl_block_end(g);
    }
    ivl_val p = ivl_layer_norm(g, ivl_mean(g, x), leaf[7], leaf[8], 1e-5);
    return ivl_l2_norm(g, ivl_add(g, p, ivl_mean(g, ivl_gelu(g, x))));
}

#define X(...)                                                                                               \
    {                                                                                                        \
        IVL_ROLE_T, IVL_DIMS(__VA_ARGS__)                                                                    \
    }
#define WEIGHT(...)                                                                                          \
    {                                                                                                        \
        IVL_ROLE_T, IVL_DIMS(__VA_ARGS__), .draw = { IVL_DRAW_NORMAL, 0, 0.3 }                               \
    }
#define SCALE(n)                                                                                             \
    {                                                                                                        \
        IVL_ROLE_T, IVL_DIMS(n), .draw = { IVL_DRAW_NORMAL, 1, 0.1 }                                         \
    }
/* mild, or differences of second order show */
#define LAYERS                                                                                               \
    X(2, 5, 8), SCALE(8), WEIGHT(24, 8), SCALE(8), WEIGHT(8, 8), WEIGHT(8), SCALE(8), SCALE(8), WEIGHT(8)
static const ivl_grad_case cases[] = {
    { .name = "a branch of one product", .build = build_branch, .n = 2, .leaf = { X(4, 6), X(6, 6) } },
    { .name = "a sum of one value", .build = build_twice, .n = 1, .leaf = { X(4, 6) } },
    { .name = "a diamond", .build = build_diamond, .n = 3, .leaf = { X(4, 6), X(6), X(6, 6) } },
    { .name = "a diamond, accumulated",
      .build = build_diamond,
      .n = 3,
      .accumulate = true,
      .leaf = { X(4, 6), X(6), X(6, 6) } },
    { .name = "a weight in two layers", .build = build_tied, .n = 2, .leaf = { X(4, 6), X(6, 6) } },
    { .name = "parts of a parameter", .build = build_parameter_parts, .n = 1, .leaf = { X(4, 12) } },
    { .name = "parts of a parameter, accumulated",
      .build = build_parameter_parts,
      .n = 1,
      .accumulate = true,
      .leaf = { X(4, 12) } },
    { .name = "parts of parts", .build = build_parts, .n = 3, .leaf = { X(4, 5), X(12, 5), X(6) } },
    { .name = "parts of a reshaped value", .build = build_reshaped, .n = 1, .leaf = { X(2, 12) } },
    { .name = "a parameter without effect", .build = build_unused, .n = 2, .leaf = { X(4, 6), X(3, 6) } },
    { .name = "layers", .build = build_layers, .n = 9, .leaf = { LAYERS } },
    { .name = "layers, recomputed",
      .build = build_layers,
      .n = 9,
      .recompute = IVL_RECOMPUTE_BLOCKS,
      .leaf = { LAYERS } },
    { .name = "layers, accumulated", .build = build_layers, .n = 9, .accumulate = true, .leaf = { LAYERS } },
};

const ivl_grad_case *ivl_grads_walk(int *n_p) { return *n_p = (int)(sizeof cases / sizeof *cases), cases; }
