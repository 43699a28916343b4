#include "model/gguf.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

/* Every metadata value through every getter; wrong kinds are refused. */
static void read_meta(const ivl_gguf *f, const char *key)
{
    int64_t i, n, *ints = NULL;
    double r, *reals = NULL;
    bool b;
    const char *s;
    ivl_gguf_text *text = NULL;
    if (!ivl_gguf_has(f, key)) abort();
    ivl_gguf_int(f, key, &i), ivl_gguf_real(f, key, &r), ivl_gguf_bool(f, key, &b), ivl_gguf_string(f, key, &s);
    if (ivl_gguf_strings(f, key, &text, &n) == IVL_OK) {
        volatile char last = 0;
        for (int64_t k = 0; k < n; k++)
            if (text[k].n) last = text[k].p[text[k].n - 1];
        (void)last;
    }
    ivl_gguf_ints(f, key, &ints, &n), ivl_gguf_reals(f, key, &reals, &n);
    free(text), free(ints), free(reals);
}

static void read_tensor(const ivl_gguf_tensor *t, const ivl_text_config *c)
{
    char hf[IVL_GGUF_NAME];
    int64_t n = t->elements < 4096 ? t->elements : 4096;
    double *x = malloc((size_t)n * sizeof *x + 1);
    if (!x) abort();
    ivl_gguf_read(t, t->elements - n, n, IVL_F64, x);
    if (ivl_gguf_to_hf(t->name, hf) && c) ivl_gguf_read_hf(t, c, 0, n, IVL_F32, x);
    free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ivl_gguf *f = NULL;
    ivl_text_config c;
    if (ivl_gguf_open_memory(data, size, "input", &f) != IVL_OK) return 0;
    bool llama = ivl_gguf_text_config(f, &c) == IVL_OK;
    for (int i = 0; i < ivl_gguf_meta_count(f); i++) read_meta(f, ivl_gguf_meta_key(f, i));
    for (int i = 0; i < ivl_gguf_count(f); i++) {
        const ivl_gguf_tensor *t = ivl_gguf_at(f, i);
        if (ivl_gguf_find(f, t->name) != t) abort();
        read_tensor(t, llama ? &c : NULL);
    }
    ivl_gguf_close(f);
    return 0;
}
