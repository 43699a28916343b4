/* Any bytes as a shard: indexed, and every record read. */
#include "data/dataset.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    ivl_dataset *ds = calloc(1, sizeof *ds);
    if (fd < 0 || !ds || write(fd, data, n) != (ssize_t)n) abort();
    if (ivl_index_shard_fd(ds, "fuzz.tar", fd) == IVL_OK)
        for (int64_t i = 0; i < ivl_dataset_count(ds); i++) {
            ivl_sample rec = { 0 };
            if (ivl_dataset_read(ds, i, &rec) == IVL_OK) ivl_sample_free(&rec);
        }
    ivl_dataset_close(ds);
    return 0;
}
