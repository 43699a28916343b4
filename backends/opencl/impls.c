/* What OpenCL devices do better than the portable kernels. Higher rows are tried first. */
#include "backends/opencl/opencl.h"
#include "ops/op.h"

#define FEW(op_)                                                                                             \
    {                                                                                                        \
        .name = #op_ ".opencl.few", .op = IVL_OP_##op_, .rank = 20, .fits = ivl_cl_few_fits,                 \
        .prepare = ivl_cl_few_prepare, .run = ivl_cl_few_run, .destroy = ivl_prep_destroy,                   \
        .space = &ivl_cl_few_space                                                                           \
    }
#define PACKED(op_)                                                                                          \
    {                                                                                                        \
        .name = #op_ ".opencl.packed", .op = IVL_OP_##op_, .rank = 10, .fits = ivl_cl_packed_fits,           \
        .scratch = ivl_cl_packed_scratch, .prepare = ivl_cl_packed_prepare, .run = ivl_cl_packed_run,        \
        .destroy = ivl_prep_destroy, .space = &ivl_cl_packed_space                                           \
    }
const ivl_impl ivl_cl_impls[IVL_CL_IMPLS] = {
    FEW(linear), FEW(linear_gelu), FEW(linear_residual),
    { .name = "linears.opencl.few", .op = IVL_OP_linears, .rank = 20, .fits = ivl_cl_linears_fits,
      .scratch = ivl_cl_linears_scratch, .prepare = ivl_cl_linears_prepare, .run = ivl_cl_linears_run,
      .destroy = ivl_prep_destroy, .space = &ivl_cl_few_space },
    { .name = "attention.opencl.one", .op = IVL_OP_attention, .rank = 20, .fits = ivl_cl_one_fits,
      .prepare = ivl_cl_one_prepare, .run = ivl_cl_one_run, .destroy = ivl_prep_destroy, .space = &ivl_cl_one_space },
    PACKED(linear), PACKED(linear_gelu), PACKED(linear_residual), PACKED(matmul),
};
