/* TensorBoard's event files: length-prefixed records with masked CRC-32C, each a protobuf Event with scalars. */
#ifndef IVL_TRAIN_TFEVENTS_H
#define IVL_TRAIN_TFEVENTS_H

#include <stdio.h>

#include "train/metrics.h"

uint32_t ivl_crc32c(const void *data, size_t n);
/* The first record of a file. */
ivl_status ivl_tfevents_begin(FILE *f, const char *path, double wall_time);
ivl_status ivl_tfevents_scalars(FILE *f, const char *path, double wall_time, int64_t step, const ivl_metric *m, int n);

#endif
