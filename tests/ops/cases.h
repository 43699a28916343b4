/* Cases of ops: tables of inputs that every implementation on every device is compared on. The tests, the
 * bench and `ivl selftest` share them.
 *
 * The rule: truth is ref64 over f64 tensors that hold the rounded inputs, plain is ref32 over the storage
 * type. An implementation passes if, for every output,
 *     max|device - truth| <= 2 max|plain - truth| + 1 ulp (of the output's type at max|truth|),
 * it wrote every element and nothing else, and left its inputs alone. No case carries a tolerance. */
#ifndef IVL_TESTS_OPS_CASES_H
#define IVL_TESTS_OPS_CASES_H

#include <ivl/ops.h>

typedef enum ivl_role {
    IVL_ROLE_ABSENT,
    IVL_ROLE_T,     /* storage type of the run; f64 for the truth */
    IVL_ROLE_S,     /* statistics, external gradients: f32; f64 for the truth */
    IVL_ROLE_F32, IVL_ROLE_BF16, IVL_ROLE_F16, IVL_ROLE_I32, IVL_ROLE_U8, /* always this type */
    IVL_ROLE_Q8_0, IVL_ROLE_Q4_0, IVL_ROLE_Q4_1,
    IVL_ROLE_INFER  /* outputs only: what the op's infer says */
} ivl_role;

typedef enum ivl_draw_kind {
    IVL_DRAW_NORMAL,  /* mean a, deviation b; both 0 means N(0, 1) */
    IVL_DRAW_UNIFORM, /* [a, b) */
    IVL_DRAW_INT,     /* whole numbers of [a, b) */
    IVL_DRAW_CONST    /* a */
} ivl_draw_kind;
typedef struct ivl_draw { ivl_draw_kind kind; double a, b; } ivl_draw;

typedef struct ivl_case_tensor {
    ivl_role role;
    int      rank;
    int64_t  dim[IVL_MAX_RANK];
    int64_t  gap;   /* pitch = columns + gap: a slice; its start is then misaligned as well */
    ivl_draw draw;
} ivl_case_tensor;
/* { IVL_ROLE_T, IVL_DIMS(257, 37), .gap = 5 } */
#define IVL_DIMS(...) (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ }

typedef enum ivl_case_size { IVL_TINY, IVL_NORMAL, IVL_LARGE } ivl_case_size; /* tiny: runs under oclgrind */

enum { IVL_CASE_F32 = 1, IVL_CASE_BF16 = 2, IVL_CASE_F16 = 4 };

typedef struct ivl_case {
    char            name[64];
    int             op;
    ivl_case_size   size;
    int             n_in, n_out;
    ivl_case_tensor in[IVL_MAX_IN], out[IVL_MAX_OUT];
    const void     *attr;       /* copied by ivl_case_add */
    size_t          attr_bytes;
    uint16_t        add_mask;   /* these outputs start from random old values */
    int             dtypes;     /* storage types to run, IVL_CASE_*; 0: all three */
    /* Optional: puts the storage type of a run (f64 for the truth) into a copy of attr. */
    void          (*set_dtype)(void *attr, ivl_dtype t);
    /* Optional: overwrites inputs that must agree with others (rstd, lse, ...). n->x are f64 host tensors
     * (roles T and S) with the storage type's values; see ivl_case_forward. */
    ivl_status    (*fix)(const ivl_node *n);
} ivl_case;

typedef struct ivl_case_list ivl_case_list;
/* Copies c. Running out of memory is remembered and reported by ivl_cases_create. */
void ivl_case_add(ivl_case_list *list, const ivl_case *c);
/* tests/ops/NAME.c adds the cases of NAME and of its gradient with ivl_cases_NAME. */
#define CASES(name) void ivl_cases_##name(ivl_case_list *list);
#include "tests/ops/cases.list.h"
#undef CASES
/* All cases of this build. */
ivl_status      ivl_cases_create(ivl_case_list **list_p);
void            ivl_cases_destroy(ivl_case_list *list);
int             ivl_cases_count(const ivl_case_list *list);
const ivl_case *ivl_cases_get(const ivl_case_list *list, int i);

/* Draws all elements of a host tensor: a pure function of (name, which). */
void ivl_case_fill(const ivl_tensor *t, const ivl_draw *d, const char *name, uint32_t which);
/* For fix: runs op's ref64 over host tensors; outputs y[i] exist already (they may be inputs of the case)
 * or are NULL where they do not matter. */
ivl_status ivl_case_forward(int op, const ivl_tensor *const *x, int n_in, const ivl_tensor *const *y,
                            int n_out, const void *attr, size_t attr_bytes);

/* --- running ----------------------------------------------------------------------------------- */

/* The node of a case with its tensors, each in memory of its own between guard bands. */
typedef struct ivl_case_memory { ivl_buffer buf; unsigned char *image; size_t bytes; } ivl_case_memory;
typedef struct ivl_case_node {
    ivl_node        n;
    ivl_tensor      x[IVL_MAX_IN], y[IVL_MAX_OUT];
    ivl_case_memory mx[IVL_MAX_IN], my[IVL_MAX_OUT]; /* image: what the memory held before the run */
    void           *attr;
} ivl_case_node;
/* On the host: tensors point into the images. values[i] (row-major) fill input i, old[i] output i where it
 * is added to; NULL arrays: drawn ones. */
ivl_status ivl_case_node_create(const ivl_case *c, ivl_dtype t, double *const *values, double *const *old,
                                ivl_case_node **cn_p);
void       ivl_case_node_destroy(ivl_case_node *cn);
/* Gives every tensor device memory (first time) and writes the images there. */
ivl_status ivl_case_node_upload(ivl_case_node *cn, ivl_stream *s);
/* Implementation i of n on this device: the portable ones, then the backend's. NULL at the end; *fits_p
 * tells whether it fits. */
const ivl_impl *ivl_case_impl(ivl_device *dev, const ivl_node *n, int i, bool *fits_p);
/* Its parameters for this node: the defaults of its tuning space. */
void ivl_case_params(ivl_device *dev, const ivl_node *n, const ivl_impl *impl, int *param);

typedef struct ivl_case_result {
    const ivl_case *c;
    const char     *impl;
    ivl_dtype       dtype;
    const ivl_node *node;
    const int      *param;          /* of its tuning space; NULL: it has none */
    bool            ok;
    double          error, allowed; /* of the output that came closest to its limit, or passed it */
    char            message[320];   /* why it failed */
} ivl_case_result;

typedef struct ivl_case_options {
    int           op;     /* -1: all */
    ivl_case_size size;   /* the largest class to run */
    const char   *impl;   /* only this one; NULL: all that fit */
    bool          sweep;  /* besides the default parameters those that differ in one of them */
    /* Optional: told before an implementation runs (a driver may crash there); false: skip this comparison. */
    bool        (*before)(void *user, const ivl_case_result *r);
    void        (*report)(void *user, const ivl_case_result *r); /* for every case x type x implementation */
    void         *user;
} ivl_case_options;
/* Fails only if the machinery does (memory); a device that fails is a failed result. */
ivl_status ivl_cases_run(const ivl_case_list *list, ivl_device *dev, const ivl_case_options *o);

#endif
