/* Private to model/lora*.c: one adapter in numbers, and the files of all. */
#ifndef IVL_MODEL_LORA_FILE_H
#define IVL_MODEL_LORA_FILE_H

#include <jansson.h>

#include "model/lora.h"
#include "model/safetensors.h"

/* a[r,in], b[out,r] */
typedef struct ivl_lora_pair { int rank; int64_t in; double scale; const float *a, *b; } ivl_lora_pair;

/* w[n], elements [first, first + n) of W[out,in], += scale b a. */
void       ivl_lora_add(const ivl_lora_pair *l, int64_t first, int64_t n, double *w);
ivl_status ivl_lora_add_param(const ivl_lora_pair *l, const ivl_param *q, ivl_stream *s);

/* "target_modules": endings of the adapted linears' names. NULL: out of memory. */
json_t    *ivl_lora_modules(const ivl_lora *l);

/* An open folder of adapter_config.json and adapter_model.safetensors. */
typedef struct ivl_adapter {
    const char *dir;
    ivl_st  *st;
    ivl_lora l;
} ivl_adapter;
ivl_status ivl_adapter_open(const char *dir, ivl_adapter *a);
void       ivl_adapter_close(ivl_adapter *a);

/* "MODULE.weight" that a tensor of the file is A or B of; false: it is of another form. */
bool       ivl_adapter_weight_name(const char *tensor, char *weight, size_t n, char *which);
/* What a tensor of the file replaces whole; NULL: it is no such tensor. */
const char *ivl_adapter_whole_name(const char *tensor);
/* The tensor that replaces `name` whole; NULL: none does. */
const ivl_st_tensor *ivl_adapter_whole(const ivl_adapter *a, const char *name);
ivl_status ivl_adapter_check_whole(const ivl_adapter *a, const ivl_st_tensor *t, int rank, const int64_t *dim);
/* The pair of a weight W[out,in]; zero where it has none. */
ivl_status ivl_adapter_pair(const ivl_adapter *a, const char *weight, int rank, const int64_t *dim, ivl_lora_pair *l_p);
void       ivl_lora_pair_free(ivl_lora_pair *l);

#endif
