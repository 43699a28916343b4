/* Learning-rate schedule and drop-path rates (Table 20 of 2312.14238). */
#ifndef IVL_TRAIN_SCHEDULE_H
#define IVL_TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* Linear warm-up from 0 over `warmup` steps to `peak`, then a cosine to `floor` * peak at the last of `steps`. */
double ivl_learning_rate(double peak, double floor, int64_t warmup, int64_t steps, int64_t step);
/* Rate of layer i of n: `rate` everywhere (uniform, stage 1 of the paper) or growing linearly from 0. */
double ivl_drop_path_rate(double rate, bool uniform, int i, int n);

#endif
