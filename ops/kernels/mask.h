/* Attention masks as rules: which keys a query sees. Device-free: kernels, references and tests share it (define
 * DEVICE first). */
#ifndef IVL_KERNELS_MASK_H
#define IVL_KERNELS_MASK_H

/* The rules, numbered as ivl_mask in include/ivl/ops.h. */
#define RULE_FULL 0
#define RULE_CAUSAL 1
#define RULE_SPLIT 2
#define RULE_PREFIX 3

/* A rule for each third of the batch: bits 0-3, 4-7 and 8-11. */
#define RULE_THIRDS 0x1000

DEVICE int mask_rule(int rule, int b, int batch)
{
    return rule & RULE_THIRDS ? rule >> (4 * (b / (batch / 3))) & 15 : rule;
}

/* Keys [lo, hi) and, unless own is negative, key own >= hi too. */
typedef struct mask_keys { int lo, hi, own; } mask_keys;

/* Keys of query i among m, of which the first len are valid. */
DEVICE mask_keys mask_row(int rule, int queries, int i, int m, int len)
{
    mask_keys k;
    int valid = len < 0 ? 0 : len < m ? len : m;
    int before = i + 1 < valid ? i + 1 : valid;
    int prefix = queries < valid ? queries : valid;
    k.lo = 0;
    k.hi = valid;
    k.own = -1;
    if (rule == RULE_CAUSAL) {
        k.hi = before;
        if (i >= valid && i < m) k.own = i;
    } else if (rule != RULE_FULL) {
        k.hi = i < queries ? prefix : before;
        if (rule == RULE_SPLIT && i >= queries) k.lo = queries < k.hi ? queries : k.hi;
    }
    return k;
}

DEVICE int mask_sees(mask_keys k, int j) { return (j >= k.lo && j < k.hi) || j == k.own; }

#endif
