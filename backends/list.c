#include "backends/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ivl_backend *const backends[] = {
#ifdef HAVE_OPENCL
    &ivl_backend_opencl,
#endif
    &ivl_backend_host,
};

int ivl_backend_count(void) { return (int)(sizeof backends / sizeof *backends); }
const ivl_backend *ivl_backend_get(int i) { return backends[i]; }

ivl_status ivl_backend_index(const ivl_backend *b, const char *where, int *index_p)
{
    int n = 0, p = 0, d = 0;
    IVL_TRY(b->count(&n));
#ifdef HAVE_OPENCL
    if (b == &ivl_backend_opencl)
        for (int i = 0; i < n; i++) {
            ivl_opencl_place(i, &p, &d);
            char text[32];
            snprintf(text, sizeof text, "%d.%d", p, d);
            if (!strcmp(text, where) || (d == 0 && strlen(where) == 1 && where[0] == '0' + p)) {
                *index_p = i;
                return IVL_OK;
            }
        }
    else
#endif
    {
        char *end;
        long i = strtol(where, &end, 10);
        if (*where && !*end && i >= 0 && i < n) {
            *index_p = (int)i;
            return IVL_OK;
        }
    }
    return ivl_fail(IVL_EDEVICE, __FILE__, __LINE__, "no device %s:%s among %d (see `ivl devices`)", b->name, where, n);
}
