/* Captions of pictures: a model after stage 2 writes on from InternVL's prompt (reference facts 1.5 and 3). */
#ifndef IVL_TRAIN_CAPTIONER_H
#define IVL_TRAIN_CAPTIONER_H

#include <ivl/ivl.h>

#include "train/decode.h"

typedef struct ivl_captioner ivl_captioner;

typedef struct ivl_captioner_options {
    ivl_dtype          compute; /* storage of weights and activations */
    int                batch;   /* pictures at a time; 0: 8 */
    const char        *prompt;  /* NULL: "English caption:" */
    ivl_decode_options decode;  /* its eos and pad are the model's */
} ivl_captioner_options;

ivl_status ivl_captioner_open(const char *model_dir, ivl_device *dev, const ivl_captioner_options *o,
                              ivl_captioner **c_p);
void       ivl_captioner_close(ivl_captioner *c);
int        ivl_captioner_batch(const ivl_captioner *c);
/* n <= batch captions, each malloc'd; on failure none. */
ivl_status ivl_captioner_run(ivl_captioner *c, const ivl_picture *picture, int n, char **text);

#endif
