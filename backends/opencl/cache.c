/* Compiled programs on disk, one file each: magic, checksum of the rest, data. Written aside and renamed, so
 * any number of processes may use one folder; a damaged file is as good as none. */
#include "backends/opencl/opencl.h"

#include "runtime/file.h"
#include "runtime/sha256.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char magic[8] = "ivlbin1";
enum { HEAD = 8 + 32, MAX_BYTES = 256 << 20 };

/* $IVL_CACHE_DIR, $XDG_CACHE_HOME/ivl or ~/.cache/ivl; false: nowhere to keep anything. */
static bool cache_path(const char *name, char *dir, char *path)
{
    const char *own = getenv("IVL_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = own && *own     ? snprintf(dir, PATH_MAX, "%s", own)
            : xdg && *xdg   ? snprintf(dir, PATH_MAX, "%s/ivl", xdg)
            : home && *home ? snprintf(dir, PATH_MAX, "%s/.cache/ivl", home)
                            : PATH_MAX;
    return n < PATH_MAX && snprintf(path, PATH_MAX, "%s/%s.bin", dir, name) < PATH_MAX;
}

static void checksum(const void *data, size_t bytes, uint8_t digest[32])
{
    ivl_sha256 h;
    ivl_sha256_init(&h);
    ivl_sha256_add(&h, data, bytes);
    ivl_sha256_end(&h, digest);
}

void *ivl_cl_cache_load(const char *key, size_t *bytes_p)
{
    char dir[PATH_MAX], path[PATH_MAX], *file = NULL;
    size_t n = 0;
    if (!cache_path(key, dir, path) || access(path, R_OK)) return NULL;
    if (ivl_read_file(path, MAX_BYTES, &file, &n) != IVL_OK) return NULL;
    uint8_t digest[32];
    if (n > HEAD && !memcmp(file, magic, 8)) {
        checksum(file + HEAD, n - HEAD, digest);
        if (!memcmp(file + 8, digest, 32)) {
            memmove(file, file + HEAD, n - HEAD);
            *bytes_p = n - HEAD;
            return file;
        }
    }
    free(file);
    return NULL;
}

void ivl_cl_cache_save(const char *key, const void *data, size_t bytes)
{
    char dir[PATH_MAX], path[PATH_MAX];
    uint8_t digest[32];
    ivl_out_file out;
    if (!cache_path(key, dir, path) || ivl_make_dirs(dir) != IVL_OK || ivl_out_open(path, &out) != IVL_OK)
        return;
    checksum(data, bytes, digest);
    if (fwrite(magic, 8, 1, out.f) == 1 && fwrite(digest, 32, 1, out.f) == 1 &&
        fwrite(data, bytes, 1, out.f) == 1)
        (void)ivl_out_commit(&out);
    else
        ivl_out_abandon(&out);
}
