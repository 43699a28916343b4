/* A BLAS library opened at run time, as the peer of f32 products: any shared library with cblas_sgemm, or with the
 * names and 64-bit integers of the ones inside Python wheels. */
#ifndef IVL_TRAIN_BLAS_H
#define IVL_TRAIN_BLAS_H

#include "ops/measure.h"

typedef struct ivl_blas {
    void *library, *sgemm;
    bool  wide;      /* integers of 64 bits */
    char  name[48];
} ivl_blas;

ivl_status ivl_blas_open(const char *path, ivl_blas *b_p);
void       ivl_blas_close(ivl_blas *b); /* a zeroed one is accepted */
/* Products of f32 tensors in host memory, without an epilogue. */
bool       ivl_blas_fits(const ivl_node *n);
/* Writes the node's result. */
ivl_status ivl_blas_measure(const ivl_blas *b, const ivl_node *n, double budget, ivl_timing *t_p);

#endif
