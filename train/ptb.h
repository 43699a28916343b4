/* Captions into words the way caption scores want them: lower case, Penn Treebank tokens, punctuation left out. Follows
 * the Stanford tokenizer as the COCO caption evaluation calls it (its oddities too: a bracket stays as "-lrb-", "?!"
 * and "!!" stay, a single "!" does not), closely enough for captions: tests/golden/caption/tokens.json. */
#ifndef IVL_TRAIN_PTB_H
#define IVL_TRAIN_PTB_H

#include <ivl/backend.h>

/* The tokens with single spaces between them; freed by the caller. */
ivl_status ivl_ptb_tokenize(const char *text, char **out_p);

#endif
