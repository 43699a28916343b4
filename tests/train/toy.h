/* A few drawn pictures with captions, and training runs on them at preset `tiny`. */
#ifndef IVL_TESTS_TRAIN_TOY_H
#define IVL_TESTS_TRAIN_TOY_H

#include "tests/suite.h"
#include "train/train.h"

enum { TOY_PICTURES = 6 };
extern char toy_dir[];
extern const char *const toy_words[TOY_PICTURES]; /* picture i's captions: this, and the same with " again" */

void toy_setup(void);    /* a checked fixture: toy_dir, with the data in it */
void toy_teardown(void);

/* The usual settings, then more[], ended by NULL, as KEY=VALUE; freed by toy_free. */
void toy_recipe(ivl_recipe *r, const char *const *more);
void toy_free(ivl_recipe *r);
/* Trains into toy_dir/name on the host or the device of IVL_TEST_DEVICE. */
ivl_status toy_train(const char *name, const char *const *more, ivl_train_options o, bool *done_p);
/* The same, which must go well to its end. */
void  toy_must(const char *name, const char *const *more, ivl_train_options o);
/* toy_dir/name; a static buffer per call, of eight. */
const char *toy_path(const char *name);
/* The bytes of toy_dir/name, freed by the caller. */
char *toy_bytes(const char *name, size_t *n_p);
const char *toy_device(void);

/* Makes toy_dir/one/model, of stage 1, or two/model, of stage 2, hardly trained; "init=" and its path. */
const char *toy_stage1(void);
const char *toy_stage2(void);
/* Does the tensor differ between two safetensors files? */
bool toy_differs(const char *file, const char *other, const char *name);

/* Stops a run after a number of steps, and remembers what the last one told. */
typedef struct toy_watch { ivl_train_progress last; int stop_at; volatile int stop; } toy_watch;
void toy_hear(void *ctx, const ivl_train_progress *p);

#endif
