/* For the author of an op: shape helpers, kernel arguments, the portable launch. */
#ifndef IVL_OPS_OP_H
#define IVL_OPS_OP_H

#include <ivl/ops.h>

/* --- infer --- */
/* Output i: fills its shape, or, where it came filled (gradients), checks type and number of elements.
 * Does nothing for an output that is not wanted. */
ivl_status ivl_out(const ivl_node *n, int i, ivl_dtype dtype, int rank, const int64_t *dim);
ivl_status ivl_out_like(const ivl_node *n, int i, const ivl_tensor *t);
/* Input i must be present with this rank (-1: any), float dtype allowed ones; errors name op and input. */
ivl_status ivl_need(const ivl_node *n, int i, const char *what, int rank);
/* A weight w for values of type t: the same float type, or, for f32, quantised in whole blocks. */
bool      ivl_is_weight(const ivl_tensor *w, ivl_dtype t);
/* Input i must be present, of a float type, and of the shape and type of t (NULL: any). */
ivl_status ivl_need_like(const ivl_node *n, int i, const char *what, const ivl_tensor *t);
/* dtype of statistics and of external gradients: f64 for f64, else f32. */
ivl_dtype ivl_stat_dtype(ivl_dtype t);
/* For ops that write any float type: that of output i where it came filled, else t. */
ivl_dtype ivl_out_dtype(const ivl_node *n, int i, ivl_dtype t);
bool      ivl_is_float(ivl_dtype t);
/* For `bytes`: reads of a first input as large as the first output, which is written. */
double    ivl_bytes_of_rows(const ivl_node *n);
static inline bool ivl_adds(const ivl_node *n, int i) { return n->add_mask >> i & 1; }

/* --- kernels --- */
/* Arguments in order. A tensor passes three: buffer, offset, pitch (dialect.h: TENSOR); NULL passes an
 * empty buffer. */
typedef struct ivl_args {
    int     n;
    ivl_arg arg[48];
    union { void *p; int64_t l; int32_t i; float f; } v[48];
} ivl_args;
void ivl_arg_tensor(ivl_args *a, const ivl_tensor *t);
void ivl_arg_buffer(ivl_args *a, ivl_buffer b, int64_t off_elements); /* passes buffer and offset */
void ivl_arg_long(ivl_args *a, int64_t v);
void ivl_arg_int(ivl_args *a, int32_t v);
void ivl_arg_float(ivl_args *a, float v);
ivl_status ivl_enqueue(ivl_stream *s, ivl_kernel *k, int64_t gx, int64_t gy, int64_t gz, int local, ivl_args *a);

/* What portable implementations keep: kernels, a few numbers, and perhaps a table on the device. */
enum { IVL_PREP_KERNELS = 6 };
struct ivl_prep { ivl_kernel *k[IVL_PREP_KERNELS]; int p[IVL_MAX_PARAM]; ivl_buffer table; };
/* Makes *p_p (if NULL) and builds its kernel i from ops/kernels/<file>.cl with the formatted defines; `param` is
 * remembered in p->p. On failure *p_p is freed and NULL. */
ivl_status ivl_prep_kernel(ivl_device *d, ivl_prep **p_p, int i, const int *param, const char *file,
                           const char *entry, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 7, 8)))
#endif
    ;
/* Gives *p_p (made by ivl_prep_kernel) a table of constants. On failure *p_p is freed and NULL. */
ivl_status ivl_prep_table(ivl_device *d, ivl_prep **p_p, const void *data, size_t bytes);
void ivl_prep_destroy(ivl_prep *p);
const char *ivl_t_define(ivl_dtype t);  /* "-DT_F32": storage type T of a kernel */
const char *ivl_w_define(ivl_dtype t);  /* " -DW_Q8_0": type W of a quantised weight; "" of others */
const char *ivl_o_define(ivl_dtype t);  /* "-DO_F32": type O of an output that may differ from T */
/* True for devices that build kernels and storage types that kernels know: the usual `fits`. */
bool ivl_fits_kernels(const ivl_caps *c, const ivl_node *n);

/* Row-wise kernels share one space: WG_SIZE work-items per row, VEC partial sums each. */
extern const ivl_tune_space ivl_row_space;
/* Element-wise kernels: WG_SIZE and VEC elements per item. */
extern const ivl_tune_space ivl_flat_space;
/* Kernels that walk rows: a group owns WG_SIZE * VEC columns, long runs of a row on CPUs, registers on GPUs. */
extern const ivl_tune_space ivl_strip_space;
/* Groups for n elements under ivl_flat_space, for n columns under ivl_strip_space. */
int64_t ivl_flat_groups(int64_t n, const int *param);

/* The reference of every op, compiled for float and for double. */
#define OP(name) ivl_status ivl_ref64_##name(const ivl_node *n); ivl_status ivl_ref32_##name(const ivl_node *n);
#include <ivl/ops.def>
#undef OP

#endif
