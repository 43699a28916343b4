/* The device beside the host that a test runs on. */
#ifndef IVL_TESTS_DEVICES_H
#define IVL_TESTS_DEVICES_H

#include <stdlib.h>
#include <string.h>

#include "backends/list.h"

/* $IVL_TEST_DEVICE, else "opencl" if there is a device of it, else NULL. */
static inline const char *second_device(void)
{
    const char *device = getenv("IVL_TEST_DEVICE");
    if (device && *device) return device;
    for (int i = 0, n = 0; i < ivl_backend_count(); i++)
        if (!strcmp(ivl_backend_get(i)->name, "opencl") && ivl_backend_get(i)->count(&n) == IVL_OK && n > 0)
            return "opencl";
    return NULL;
}

#endif
