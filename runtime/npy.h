/* NumPy's .npy for matrices of float32 (format 1.0 to 3.0 in, 1.0 out): what `ivl embed` writes and `ivl
 * search` reads. */
#ifndef IVL_RUNTIME_NPY_H
#define IVL_RUNTIME_NPY_H

#include "runtime/file.h"

/* Rows are appended in order; PATH appears, complete, at finish. Errors name the path. */
typedef struct ivl_npy_out { ivl_out_file out; int64_t rows, cols; } ivl_npy_out;
ivl_status ivl_npy_create(const char *path, int64_t cols, ivl_npy_out *npy_p);
ivl_status ivl_npy_append(ivl_npy_out *npy, const float *x, int64_t rows);   /* x[rows,cols] */
ivl_status ivl_npy_finish(ivl_npy_out *npy);
void       ivl_npy_abandon(ivl_npy_out *npy);  /* accepts a zeroed or finished one */

/* x[rows,cols], in the mapped file. */
typedef struct ivl_npy { const float *x; int64_t rows, cols; ivl_map map; void *copy; } ivl_npy;
ivl_status ivl_npy_open(const char *path, ivl_npy *npy_p);
void       ivl_npy_close(ivl_npy *npy);
/* From memory that outlives it. */
ivl_status ivl_npy_parse(const void *data, size_t n, const char *name, ivl_npy *npy_p);

#endif
