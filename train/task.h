/* Whole tasks over random weights, pictures and texts, for timing: what tests/oracle/bench_torch.py times, by the same
 * names. `ivl bench` times their nodes, bench/tasks the whole of them. */
#ifndef IVL_TRAIN_TASK_H
#define IVL_TRAIN_TASK_H

#include <ivl/ops.h>

typedef struct ivl_task_options {
    const char *model;     /* as ivl_config_load takes it */
    int         batch, text_len, new_tokens;
    int         layers;    /* keep so many of each tower; 0: all */
    int         image_size; /* 0: the model's */
    ivl_dtype   dtype;     /* of weights and activations */
} ivl_task_options;

typedef struct ivl_task ivl_task;
/* NULL behind the last: "image_c", "image_g", "text", "stage1", "stage2", "caption". */
const char *ivl_task_name(int i);
ivl_status  ivl_task_open(ivl_device *dev, const char *name, const ivl_task_options *o, ivl_task **t_p);
void        ivl_task_close(ivl_task *t);
/* Once, and waits: features of a batch, one training step, or a batch of captions (greedy, all new_tokens). */
ivl_status  ivl_task_run(ivl_task *t);
/* The plan that does the work; of captions the one of a single token. Ready to run, after one ivl_task_run. */
ivl_plan   *ivl_task_plan(const ivl_task *t);
ivl_stream *ivl_task_stream(const ivl_task *t);
double      ivl_task_flops(const ivl_task *t); /* of one run */

#endif
