#include "tests/ops/cases.h"

static ivl_status fix_bwd(const ivl_node *n)
{
    return ivl_case_forward(IVL_OP_attention, n->x, 4, (const ivl_tensor *[]){ n->x[4], n->x[5] }, 2, n->attr,
                            n->attr_bytes);
}

/* kb: batches of keys; gap 1: q, k, v are slices, as of one qkv tensor; len 1: lengths from 0 to m. */
typedef struct shape {
    int64_t  b, kb, n, m, h, kh, d;
    ivl_mask mask;
    int      queries, len, gap;
    ivl_case_size size;
} shape;

/* Few head sizes: each is a program of its own. */
static const shape shapes[] = {
    { 1, 1, 1, 1, 1, 1, 5, IVL_MASK_FULL, 0, 0, 0, IVL_TINY },
    { 2, 2, 3, 5, 2, 1, 5, IVL_MASK_FULL, 0, 1, 0, IVL_TINY },
    { 2, 1, 7, 7, 2, 2, 5, IVL_MASK_CAUSAL, 0, 1, 1, IVL_TINY },
    { 2, 2, 9, 9, 1, 1, 5, IVL_MASK_SPLIT, 3, 1, 0, IVL_TINY },
    { 2, 2, 9, 9, 1, 1, 5, IVL_MASK_PREFIX, 3, 1, 0, IVL_TINY },
    { 2, 2, 65, 65, 3, 3, 64, IVL_MASK_FULL, 0, 0, 1, IVL_NORMAL },
    { 1, 1, 257, 257, 1, 1, 128, IVL_MASK_FULL, 0, 0, 1, IVL_NORMAL },
    { 2, 2, 80, 80, 4, 2, 64, IVL_MASK_CAUSAL, 0, 0, 0, IVL_NORMAL },
    { 3, 3, 77, 77, 2, 1, 64, IVL_MASK_CAUSAL, 0, 1, 1, IVL_NORMAL },
    { 2, 2, 1, 257, 2, 2, 200, IVL_MASK_FULL, 0, 0, 0, IVL_NORMAL },
    { 6, 2, 19, 70, 2, 2, 33, IVL_MASK_FULL, 0, 1, 0, IVL_NORMAL },
    { 4, 4, 107, 107, 2, 2, 33, IVL_MASK_SPLIT, 30, 1, 0, IVL_NORMAL },
    { 4, 4, 107, 107, 2, 2, 33, IVL_MASK_PREFIX, 30, 1, 1, IVL_NORMAL },
    { 6, 6, 9, 9, 1, 1, 5, IVL_MASK_STAGE2, 3, 1, 0, IVL_TINY },
    { 3, 3, 107, 107, 2, 2, 33, IVL_MASK_STAGE2, 30, 1, 0, IVL_NORMAL },
    { 6, 6, 40, 40, 4, 4, 33, IVL_MASK_RETRIEVAL, 7, 1, 1, IVL_NORMAL },
    { 1, 1, 5, 130, 2, 2, 33, IVL_MASK_CAUSAL, 0, 0, 0, IVL_NORMAL },
    { 1, 1, 130, 40, 2, 2, 33, IVL_MASK_CAUSAL, 0, 1, 0, IVL_NORMAL },
    { 2, 2, 1, 50, 2, 2, 256, IVL_MASK_FULL, 0, 1, 0, IVL_LARGE },
    { 1, 1, 1025, 1025, 2, 2, 128, IVL_MASK_FULL, 0, 0, 1, IVL_LARGE },
};

static void add_bwd(ivl_case_list *list, const shape *s, const ivl_case *f, int i)
{
    int64_t c = s->h * s->d, kc = s->kh * s->d;
    int64_t gap = s->gap ? 2 * kc : 0, kgap = s->gap ? c + kc : 0;
    ivl_case d = *f;
    d.op = IVL_OP_attention_bwd, d.n_in = 7, d.n_out = 3, d.fix = fix_bwd, d.add_mask = (uint16_t)(i % 8);
    d.in[4] = (ivl_case_tensor){ IVL_ROLE_T, IVL_DIMS(s->b, s->n, c), .gap = 0 };
    d.in[5] = (ivl_case_tensor){ IVL_ROLE_S, IVL_DIMS(s->b, s->h, s->n), .gap = 0 };
    d.in[6] = (ivl_case_tensor){ IVL_ROLE_T, IVL_DIMS(s->b, s->n, c), .gap = 0 };
    d.out[0] = (ivl_case_tensor){ IVL_ROLE_T, IVL_DIMS(s->b, s->n, c), .gap = gap };
    d.out[1] = d.out[2] = (ivl_case_tensor){ IVL_ROLE_T, IVL_DIMS(s->kb, s->m, kc), .gap = kgap };
    if (i == 1) d.out[0].role = IVL_ROLE_ABSENT;
    if (i == 3) d.out[1].role = IVL_ROLE_ABSENT;
    if (i == 4) d.out[1].role = d.out[2].role = IVL_ROLE_ABSENT;
    if (i == 6) d.out[2].role = IVL_ROLE_ABSENT;
    ivl_case_add(list, &d);
}

void ivl_cases_attention(ivl_case_list *list)
{
    static const char *const rule[] = { "full", "causal", "split", "prefix" };
    for (int i = 0; i < (int)(sizeof shapes / sizeof *shapes); i++) {
        const shape *s = &shapes[i];
        int64_t c = s->h * s->d, kc = s->kh * s->d;
        ivl_attention_attr a = { .heads = (int)s->h, .kv_heads = (int)s->kh, .mask = s->mask, .queries = s->queries,
                                 .scale = i == 5 ? 0.2 : 0 };
        ivl_case_tensor key = { IVL_ROLE_T, IVL_DIMS(s->kb, s->m, kc), .gap = s->gap ? c + kc : 0 };
        ivl_case f = {
            .op = IVL_OP_attention, .size = s->size, .n_in = 4, .n_out = 2, .attr = &a, .attr_bytes = sizeof a,
            .in = { { IVL_ROLE_T, IVL_DIMS(s->b, s->n, c), .gap = s->gap ? 2 * kc : 0 }, key, key,
                    { s->len ? IVL_ROLE_I32 : IVL_ROLE_ABSENT, IVL_DIMS(s->b),
                      .draw = { IVL_DRAW_INT, 0, (double)s->m + 1 } } },
            .out = { { IVL_ROLE_INFER }, { IVL_ROLE_INFER } },
        };
        snprintf(f.name, sizeof f.name, "%s %lldx%lld of %lldx%lld heads %lld/%lld of %lld%s%s",
                 s->mask == IVL_MASK_STAGE2 ? "stage 2" : s->mask == IVL_MASK_RETRIEVAL ? "retrieval" : rule[s->mask],
                 (long long)s->b, (long long)s->n, (long long)s->kb, (long long)s->m, (long long)s->h, (long long)s->kh,
                 (long long)s->d, s->len ? " len" : "", s->gap ? " slices" : "");
        ivl_case_add(list, &f);
        add_bwd(list, s, &f, i);
    }
}
