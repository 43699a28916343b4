#include "tests/grad/grad_check.h"

static ivl_val attend(ivl_graph *g, const ivl_val *leaf, int kv_heads, ivl_mask mask, int queries)
{
    ivl_attention_attr a = { .heads = 4, .kv_heads = kv_heads, .mask = mask, .queries = queries };
    return ivl_attention(g, leaf[0], leaf[1], leaf[2], leaf[3], a);
}

static ivl_val build_full(ivl_graph *g, const ivl_val *leaf) { return attend(g, leaf, 4, IVL_MASK_FULL, 0); }
static ivl_val build_grouped(ivl_graph *g, const ivl_val *leaf)
{
    return attend(g, leaf, 2, IVL_MASK_CAUSAL, 0);
}
static ivl_val build_split(ivl_graph *g, const ivl_val *leaf)
{
    return attend(g, leaf, 4, IVL_MASK_SPLIT, 2);
}
static ivl_val build_prefix(ivl_graph *g, const ivl_val *leaf)
{
    return attend(g, leaf, 4, IVL_MASK_PREFIX, 2);
}

/* q, k, v as slices of one product's output. */
static ivl_val build_packed(ivl_graph *g, const ivl_val *leaf)
{
    ivl_val x = ivl_gelu(g, leaf[0]);
    ivl_val qkv[] = { ivl_slice(g, x, 0, 3), ivl_slice(g, x, 1, 3), ivl_slice(g, x, 2, 3), leaf[1] };
    return attend(g, qkv, 4, IVL_MASK_FULL, 0);
}

#define Q { IVL_ROLE_T, IVL_DIMS(2, 6, 20) }
#define KV(m, c) { IVL_ROLE_T, IVL_DIMS(2, m, c) }, { IVL_ROLE_T, IVL_DIMS(2, m, c) }
#define LEN(from, to) { IVL_ROLE_I32, IVL_DIMS(2), .draw = { IVL_DRAW_INT, from, to } }
#define NONE { IVL_ROLE_ABSENT }
static const ivl_grad_case cases[] = {
    { .name = "attention", .build = build_full, .n = 4, .leaf = { Q, KV(7, 20), NONE } },
    { .name = "attention, lengths", .build = build_full, .n = 4, .leaf = { Q, KV(7, 20), LEN(1, 6) } },
    { .name = "attention, no keys", .build = build_full, .n = 4, .leaf = { Q, KV(7, 20), LEN(0, 2) } },
    { .name = "attention, causal, grouped heads",
      .build = build_grouped,
      .n = 4,
      .leaf = { Q, KV(6, 10), LEN(2, 6) } },
    { .name = "attention, split", .build = build_split, .n = 4, .leaf = { Q, KV(6, 20), LEN(3, 6) } },
    { .name = "attention, prefix", .build = build_prefix, .n = 4, .leaf = { Q, KV(6, 20), NONE } },
    { .name = "attention of slices",
      .build = build_packed,
      .n = 2,
      .leaf = { { IVL_ROLE_T, IVL_DIMS(2, 5, 36) }, NONE } },
};

const ivl_grad_case *ivl_grads_attention(int *n_p)
{
    return *n_p = (int)(sizeof cases / sizeof *cases), cases;
}
