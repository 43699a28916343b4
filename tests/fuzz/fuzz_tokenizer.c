/* Any bytes as tokenizer.model. What is accepted encodes and decodes without harm. */
#include "data/tokenizer.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ivl_tokenizer *tok = NULL;
    int32_t *ids = NULL, row[16], len = 0;
    char *text = NULL;
    size_t n_ids = 0;
    if (ivl_tokenizer_open_memory(data, n, "input", &tok) != IVL_OK) return 0;
    if (ivl_tokenizer_encode(tok, "A cat</s>, d\xc3\xa9j\xc3\xa0 vu \xf0\x9f\x98\x80 12", &ids, &n_ids) == IVL_OK) {
        for (size_t i = 0; i < n_ids; i++)
            if (ids[i] < 0 || ids[i] >= ivl_tokenizer_size(tok)) abort();
        if (ivl_tokenizer_decode(tok, ids, n_ids, &text) == IVL_OK) free(text);
        free(ids);
    }
    if (ivl_text_contrastive(tok, "two dogs", 16, row, &len) == IVL_OK && (len < 1 || len > 16)) abort();
    ivl_tokenizer_close(tok);
    return 0;
}
