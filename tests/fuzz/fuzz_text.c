/* Any bytes as text: made valid, cleaned, and valid again afterwards. */
#include "data/tokenizer.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void must_be_valid(const char *text, size_t n)
{
    char *again = NULL;
    size_t m = 0;
    if (ivl_utf8_clean(text, n, &again, &m) != IVL_OK || m != n || memcmp(again, text, n)) abort();
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1), *valid = NULL, *clean = NULL;
    size_t m = 0;
    memcpy(text, data, n);
    text[n] = 0;
    if (ivl_utf8_clean(text, n, &valid, &m) != IVL_OK) abort();
    must_be_valid(valid, m);
    if (ivl_text_clean(text, 50, &clean) != IVL_OK) abort();
    must_be_valid(clean, strlen(clean));
    free(text), free(valid), free(clean);
    return 0;
}
