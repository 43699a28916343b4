#include "model/safetensors.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

/* Reads every tensor that the header promises, in every type. */
static void read_all(const ivl_st *f)
{
    static const ivl_dtype to[] = { IVL_F32, IVL_F64, IVL_BF16, IVL_I32 };
    for (int i = 0; i < ivl_st_count(f); i++) {
        const ivl_st_tensor *t = ivl_st_at(f, i);
        if (ivl_st_find(f, t->name) != t) abort();
        void *x = malloc((size_t)t->elements * 8 + 1);
        for (size_t k = 0; x && k < sizeof to / sizeof *to; k++) ivl_st_read(t, 0, t->elements, to[k], x);
        free(x);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ivl_st *f = NULL;
    if (ivl_st_open_memory(data, size, "input", &f) != IVL_OK) return 0;
    read_all(f);
    ivl_st_meta(f, "format");
    ivl_st_close(f);
    return 0;
}
