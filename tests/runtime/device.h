/* A device and a stream for each test, opened in the forked child: $IVL_TEST_DEVICE, else the best one. */
#ifndef IVL_TESTS_RUNTIME_DEVICE_H
#define IVL_TESTS_RUNTIME_DEVICE_H

#include <ivl/backend.h>

#include "tests/suite.h"

static ivl_device *dev;
static ivl_stream *stream;

#define ok(call) ck_assert_msg((call) == IVL_OK, "%s: %s", #call, ivl_last_error())

static inline void open_device(void)
{
    ok(ivl_device_open(getenv("IVL_TEST_DEVICE"), &dev));
    ok(ivl_stream_open(dev, &stream));
}

static inline void close_device(void)
{
    ivl_stream_close(stream);
    ivl_device_close(dev);
}

#endif
