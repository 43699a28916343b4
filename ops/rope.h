/* The frequencies of rope, shared by reference and kernels. */
#ifndef IVL_OPS_ROPE_H
#define IVL_OPS_ROPE_H

#include "ops/op.h"

/* theta^(-2i/dim) in f32, in the order of operations of PyTorch models. */
float ivl_rope_frequency(double theta, int i, int dim);

#endif
