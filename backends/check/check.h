/* Inside of the checking device: any device, wrapped. It runs ops by the wrapped device's implementations and
 * looks at all memory around them. Slow, for tests and for finding the op that went wrong. */
#ifndef IVL_BACKENDS_CHECK_H
#define IVL_BACKENDS_CHECK_H

#include <ivl/ops.h>
#include <pthread.h>

/* Bytes looked at before and after every tensor, and kept behind every buffer. */
enum { IVL_CHECK_BAND = 256 };

typedef struct ivl_check_buffer {
    void *handle;
    struct ivl_check_buffer *next;
} ivl_check_buffer;

typedef struct ivl_check_device {
    ivl_device base;
    ivl_device *inner;
    ivl_stream *stream; /* for filling new buffers */
    pthread_mutex_t lock;
    ivl_check_buffer *own; /* allocated here, so followed by a band; wrapped memory is not */
} ivl_check_device;

typedef struct ivl_check_stream {
    ivl_stream base, *inner;
} ivl_check_stream;

extern const ivl_impl ivl_check_impls[]; /* one row, any op */

/* Bytes of the buffer that may be read: its own, and the band behind it. */
size_t ivl_check_room(ivl_check_device *d, ivl_buffer buf);

#endif
