/* Any bytes as a file of torch.save, and again as the pickle alone, which a damaged zip would rarely let through. */
#include "model/pickle.h"
#include "model/pth.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void read_all(const ivl_pth *f)
{
    for (int i = 0; i < ivl_pth_count(f); i++) {
        const ivl_pth_tensor *t = ivl_pth_at(f, i);
        char hf[IVL_PTH_NAME];
        double x[64];
        int64_t n = t->elements < 64 ? t->elements : 64;
        ivl_pth_to_hf(t->name, i & 1, hf);
        ivl_pth_read(t, 0, n, IVL_F64, x);
        ivl_pth_read(t, t->elements - n, n, IVL_F32, x);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ivl_pth *f = NULL;
    ivl_pickle p = { 0 };
    if (ivl_pth_open_memory(data, size, "input", &f) == IVL_OK) {
        read_all(f);
        ivl_pth_close(f);
    }
    if (ivl_pickle_read(data, size, "input", &p) == IVL_OK) {
        if (p.top < 0 || p.top >= p.n) abort();
        ivl_pickle_free(&p);
    }
    return 0;
}
