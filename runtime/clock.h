/* Time that only goes forward. */
#ifndef IVL_RUNTIME_CLOCK_H
#define IVL_RUNTIME_CLOCK_H

#include <time.h>

static inline double ivl_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
