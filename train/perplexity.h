/* How well a language model foresees a text: perplexity = exp of the mean of -log p(token | those before it), and the
 * logits behind it. */
#ifndef IVL_TRAIN_PERPLEXITY_H
#define IVL_TRAIN_PERPLEXITY_H

#include <ivl/ivl.h>

typedef struct ivl_perplexity_options {
    ivl_dtype   compute; /* storage of weights and activations */
    int         window;  /* tokens the model sees at a time; 0: 512, or what it can take */
    const char *logits;  /* .npy float32 [tokens,V]: row i foresees token i + 1; NULL: none */
    const char *out;     /* JSON with the tokens and their log-probabilities; NULL: none */
} ivl_perplexity_options;

typedef struct ivl_perplexity {
    int64_t tokens, scored; /* BOS, where the tokenizer has one, included; the first has nothing before it */
    double  loss;           /* mean -log p of the scored */
    double  perplexity;
} ivl_perplexity;

/* The text of a UTF-8 file. A text longer than the window is read in windows that begin half a window after one
 * another, and each token counts where it has more before it. */
ivl_status ivl_eval_perplexity(const char *model, ivl_device *dev, const char *text, const ivl_perplexity_options *o,
                               ivl_perplexity *r_p);

#endif
