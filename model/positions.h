/* Position embeddings for another image size. */
#ifndef IVL_MODEL_POSITIONS_H
#define IVL_MODEL_POSITIONS_H

#include <ivl/ops.h>

/* m[1+h*w, 1+g*g]: the constant matrix that resizes position embeddings [1+g*g, C] of a g x g grid to h x w,
 * row 0 (the class token) kept: bicubic, a = -0.75, align_corners False, no antialias, as the public code
 * does it. The identity when h = w = g. */
ivl_status ivl_pos_matrix(int g, int h, int w, float *m);

/* The same for a square h = w on the stream's device, as a tensor of type dtype with a buffer of its own, which the
 * caller releases. */
ivl_status ivl_pos_tensor(ivl_stream *s, ivl_dtype dtype, int g, int to, ivl_tensor *t_p);

#endif
