/* Private to model/lora*.c: one adapter in numbers. */
#ifndef IVL_MODEL_LORA_FILE_H
#define IVL_MODEL_LORA_FILE_H

#include <jansson.h>

#include "model/lora.h"

/* a[r,in], b[out,r] */
typedef struct ivl_lora_pair { int rank; int64_t in; double scale; const float *a, *b; } ivl_lora_pair;

/* w[n], elements [first, first + n) of W[out,in], += scale b a. */
void       ivl_lora_add(const ivl_lora_pair *l, int64_t first, int64_t n, double *w);
ivl_status ivl_lora_add_param(const ivl_lora_pair *l, const ivl_param *q, ivl_stream *s);

/* "target_modules": endings of the adapted linears' names. NULL: out of memory. */
json_t    *ivl_lora_modules(const ivl_lora *l);

#endif
