/* The portable rows of linear, its fused forms, its bias gradient and matmul. */
#ifndef IVL_OPS_GEMM_TILED_H
#define IVL_OPS_GEMM_TILED_H

#include "ops/op.h"

/* What such a node asks for: y[m,n] = op(a) op(b) + bias, and the epilogue of the fused forms. */
typedef struct ivl_product {
    int64_t           m, n, k;
    bool              ta, tb;
    const ivl_tensor *a, *b, *bias, *res, *ls, *scale;
    ivl_tensor       *y, *z;
} ivl_product;
ivl_product ivl_product_of(const ivl_node *n);

/* What kernels are told (kernels/epilogue.h). */
enum {
    IVL_HAS_BIAS = 1, IVL_HAS_LS = 2, IVL_HAS_SCALE = 4, IVL_HAS_Z = 8, IVL_ADD_Y = 16, IVL_ADD_Z = 32, IVL_GELU = 64,
    IVL_RESIDUAL = 128
};
int ivl_product_flags(const ivl_node *n, const ivl_product *p);

extern const ivl_impl ivl_linear_impls[1], ivl_linear_gelu_impls[1], ivl_linear_residual_impls[1],
    ivl_matmul_impls[1], ivl_linear_bwd_b_impls[1];

#endif
