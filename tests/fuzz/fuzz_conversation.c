/* Any bytes as a file of conversations; then every template and its labels of what could be read. */
#include "data/conversations.h"
#include "data/json_spans.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static ivl_status bytewise(const void *ctx, const char *text, int32_t **ids_p, size_t *n_p)
{
    (void)ctx;
    size_t n = 0;
    while (text[n]) n++;
    int32_t *ids = malloc((n + 1) * sizeof *ids);
    for (size_t i = 0; i < n; i++) ids[i] = (uint8_t)text[i];
    *ids_p = ids, *n_p = n;
    return IVL_OK;
}

static void learn(const ivl_conversation *c)
{
    ivl_codec codec = { bytewise, NULL, 1, true };
    for (int t = 0; t < 3; t++) {
        ivl_sft s = { 0 };
        char *text = NULL;
        if (ivl_prompt_text((ivl_template)t, c->system, c->turn, c->n_turns, &text) == IVL_OK) free(text);
        if (ivl_sft_make(&codec, (ivl_template)t, c->system, c->turn, c->n_turns, &s) != IVL_OK) continue;
        for (size_t i = 0; i < s.n; i++)
            if (s.labels[i] != IVL_IGNORE && s.labels[i] != s.ids[i]) abort();
        ivl_sft_truncate(&s, s.n / 2, 3);
        ivl_sft_free(&s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ivl_spans s = { 0 };
    char *text = malloc(n + 1);
    for (size_t i = 0; i < n; i++) text[i] = (char)data[i];
    ivl_status found = ivl_spans_find(text, n, "fuzz.json", &s);
    for (int64_t i = 0; found == IVL_OK && i < s.n; i++) {
        ivl_conversation c = { 0 };
        if (s.v[i].off < 0 || s.v[i].bytes < 0 || (size_t)(s.v[i].off + s.v[i].bytes) > n) abort();
        if (ivl_conversation_parse(text + s.v[i].off, (size_t)s.v[i].bytes, "fuzz", &c) != IVL_OK) continue;
        learn(&c);
        ivl_conversation_free(&c);
    }
    ivl_spans_free(&s);
    free(text);
    return 0;
}
