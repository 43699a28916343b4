/* The backends of this build, best first for the default device. */
#ifndef IVL_BACKENDS_LIST_H
#define IVL_BACKENDS_LIST_H

#include "config.h"

#include <ivl/backend.h>

int                ivl_backend_count(void);
const ivl_backend *ivl_backend_get(int i);
/* "P.D" or "N" of a spec to the backend's device index; the message lists what there is. open(-1) takes
 * the backend's own best device. */
ivl_status ivl_backend_index(const ivl_backend *b, const char *where, int *index_p);
/* backends/check: wraps the device of spec, checking every op. */
ivl_status ivl_check_open(const char *spec, ivl_device **dev_p);

extern const ivl_backend ivl_backend_host;
#ifdef HAVE_OPENCL
extern const ivl_backend ivl_backend_opencl;
/* Platform and device number of OpenCL device index. */
void ivl_opencl_place(int index, int *platform_p, int *device_p);
/* Platforms, empty ones included; the name of one, and the number of its usable devices. */
int  ivl_opencl_platforms(void);
int  ivl_opencl_platform(int platform, char *name, size_t n);
#endif

#endif
