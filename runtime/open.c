/* Opening a device by its spec: "host", "opencl:0.1", "cuda:0", "check:opencl", or the best one. */
#include "backends/list.h"

#include <string.h>

static const ivl_backend *find(const char *name, size_t n)
{
    for (int i = 0; i < ivl_backend_count(); i++) {
        const ivl_backend *b = ivl_backend_get(i);
        if (strlen(b->name) == n && !strncmp(b->name, name, n)) return b;
    }
    return NULL;
}

static ivl_status open_best(ivl_device **dev_p)
{
    for (int i = 0; i < ivl_backend_count(); i++) { /* listed best first */
        const ivl_backend *b = ivl_backend_get(i);
        int n = 0;
        if (b->count(&n) == IVL_OK && n > 0 && b->open(-1, dev_p) == IVL_OK) return IVL_OK;
    }
    return ivl_fail(IVL_EDEVICE, __FILE__, __LINE__, "no device at all: this build has no backends");
}

ivl_status ivl_device_open(const char *spec, ivl_device **dev_p)
{
    if (!spec || !*spec) return open_best(dev_p);
    if (!strncmp(spec, "check:", 6)) return ivl_check_open(spec + 6, dev_p);
    size_t n = strcspn(spec, ":");
    const ivl_backend *b = find(spec, n);
    IVL_CHECK(b, IVL_EINVAL,
              "unknown device '%s': use host, opencl[:P.D], cuda[:N] or check:DEVICE (see `ivl devices`)",
              spec);
    int index = -1;
    if (spec[n]) IVL_TRY(ivl_backend_index(b, spec + n + 1, &index));
    return b->open(index, dev_p);
}
