/* Every different node of a task, in the implementations that a device has for it: times, and how near the device's
 * roof they come (the roofline of Williams, Waterman and Patterson, 2009). */
#ifndef IVL_TRAIN_BENCH_H
#define IVL_TRAIN_BENCH_H

#include <stdio.h>

#include "ops/measure.h"
#include "train/task.h"

enum { IVL_BENCH_LEVELS = 3 };

/* What the device can do at most, measured. */
typedef struct ivl_bench_roofs {
    double flops, copy, read[IVL_BENCH_LEVELS]; /* a second; bytes from working sets of so many bytes: */
    size_t level[IVL_BENCH_LEVELS];
} ivl_bench_roofs;
ivl_status ivl_bench_measure_roofs(ivl_device *dev, ivl_bench_roofs *r_p);

typedef struct ivl_bench_row {
    char       device[32], impl[48];
    const char *op;
    char       shapes[160];   /* of inputs -> outputs; +: added to */
    int        times;         /* nodes like this one in a run of the task */
    bool       chosen;        /* plans take this implementation */
    double     flops, bytes;  /* of one run; bytes: the least that must move */
    double     roof;          /* seconds that the device's roofs allow; 0: unknown */
    ivl_timing time;
} ivl_bench_row;

typedef struct ivl_bench {
    int            n, cap;
    ivl_bench_row *row;       /* nodes in order of time; implementations of one node together */
} ivl_bench;
ivl_status ivl_bench_append(ivl_bench *b, const ivl_bench_row *row);
void ivl_bench_free(ivl_bench *b);

typedef struct ivl_bench_options {
    const char *op;           /* this op only; NULL: all */
    bool        all;          /* every implementation that fits, else the chosen one */
    double      budget;       /* seconds for each */
    const char *blas;         /* a shared library with cblas_sgemm, timed beside f32 products; NULL: none */
    void      (*progress)(void *ctx, int done, int of, const char *what); /* may be NULL */
    void       *ctx;
} ivl_bench_options;
/* Appends the rows of a task. */
ivl_status ivl_bench_task(ivl_bench *b, ivl_device *dev, const ivl_task *t, const ivl_bench_roofs *r,
                          const ivl_bench_options *o);
/* Puts rows of one node, of all devices, together, those that take most time first. */
void ivl_bench_sort(ivl_bench *b);

/* Rows as JSON lines; reading takes what was written. */
ivl_status ivl_bench_save(const ivl_bench *b, const char *path);
ivl_status ivl_bench_load(const char *path, ivl_bench *b_p);
/* The roofline of one device as SVG: each row a dot, larger where more time goes. */
ivl_status ivl_bench_svg(const ivl_bench *b, const char *device, const ivl_bench_roofs *r, const char *path);

#endif
