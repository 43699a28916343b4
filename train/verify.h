/* Runs a parity case: a tiny random checkpoint, inputs, and what the model must answer, with tolerances (form:
 * tests/oracle/README.md and the case's manifest.json). */
#ifndef IVL_TRAIN_VERIFY_H
#define IVL_TRAIN_VERIFY_H

#include <ivl/backend.h>

typedef enum ivl_verdict { IVL_WITHIN, IVL_BEYOND, IVL_UNKNOWN } ivl_verdict;

typedef struct ivl_verify_line {
    const char *name;
    ivl_verdict verdict;
    double      error, tolerance; /* largest absolute difference; NaN where the verdict is unknown */
} ivl_verify_line;

typedef struct ivl_verify_options {
    ivl_dtype compute; /* storage type of weights and activations: f32, bf16, f16 */
    void (*line)(void *ctx, const ivl_verify_line *l);
    void *ctx;
} ivl_verify_options;

/* Every tensor that the manifest gives a tolerance for with this compute type; those that this version does not
 * compute are unknown. Fails on a bad case; a tensor beyond its tolerance is no failure, but is counted. */
ivl_status ivl_verify(const char *dir, ivl_device *dev, const ivl_verify_options *o, int counts_p[3]);

#endif
