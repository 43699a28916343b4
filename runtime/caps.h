/* Capabilities as a text file, so a plan can be made and printed for a device that is not here. */
#ifndef IVL_RUNTIME_CAPS_H
#define IVL_RUNTIME_CAPS_H

#include <ivl/backend.h>

/* spec: the device they belong to ("opencl:0.0"); its backend offers the implementations. */
ivl_status ivl_caps_save(const char *path, const char *spec, const ivl_caps *c);
ivl_status ivl_caps_load(const char *path, char spec[32], ivl_caps *c);

/* "gpu", "host_memory", ...: the word of feature bit i; NULL past the last. */
const char *ivl_caps_feature(int i);

#endif
