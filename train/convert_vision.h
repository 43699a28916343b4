/* Private to convert*.c: the public .pth files of InternVL, a vision encoder or InternVL-C, into folders. */
#ifndef IVL_TRAIN_CONVERT_VISION_H
#define IVL_TRAIN_CONVERT_VISION_H

#include "model/weights.h"
#include "train/convert.h"

/* Does w hold InternViT's tensors? */
bool       ivl_convert_is_vision(const ivl_weights *w);
ivl_status ivl_convert_vision(const char *in, const ivl_weights *w, const char *out, const ivl_convert_options *o,
                              ivl_convert_report *r);
/* n values of a tensor as f32, f16 or bf16; those that f16 cannot hold are refused. */
ivl_status ivl_convert_read(const ivl_weights *w, const ivl_weights_tensor *t, int64_t first, int64_t n, ivl_dtype to,
                            void *dst);

#endif
