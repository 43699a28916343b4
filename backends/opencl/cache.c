/* Compiled programs on disk, one file each: magic, checksum of the rest, data. Written aside and renamed, so
 * any number of processes may use one folder; a damaged file is as good as none. */
#include "backends/opencl/opencl.h"

#include "runtime/file.h"
#include "runtime/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char magic[8] = "ivlbin1";
enum { HEAD = 8 + 32, MAX_BYTES = 256 << 20 };

/* The cached file of that name; its folder is made when `make` says so. NULL: none. */
static char *entry_path(const char *key, bool make)
{
    char name[80], *dir = make ? ivl_cache_path("") : NULL;
    if (dir) (void)ivl_make_dirs(dir);
    free(dir);
    snprintf(name, sizeof name, "%s.bin", key);
    return ivl_cache_path(name);
}

static void checksum(const void *data, size_t bytes, uint8_t digest[32])
{
    ivl_sha256 h;
    ivl_sha256_init(&h);
    ivl_sha256_add(&h, data, bytes);
    ivl_sha256_end(&h, digest);
}

static bool intact(const char *file, size_t n)
{
    uint8_t digest[32];
    if (n <= HEAD || memcmp(file, magic, 8)) return false;
    checksum(file + HEAD, n - HEAD, digest);
    return !memcmp(file + 8, digest, 32);
}

void *ivl_cl_cache_load(const char *key, size_t *bytes_p)
{
    char *path = entry_path(key, false), *file = NULL;
    size_t n = 0;
    bool ok = path && !access(path, R_OK) && ivl_read_file(path, MAX_BYTES, &file, &n) == IVL_OK && intact(file, n);
    free(path);
    if (!ok) {
        free(file);
        return NULL;
    }
    memmove(file, file + HEAD, n - HEAD);
    *bytes_p = n - HEAD;
    return file;
}

void ivl_cl_cache_save(const char *key, const void *data, size_t bytes)
{
    char *path = entry_path(key, true);
    uint8_t digest[32];
    ivl_out_file out;
    bool open = path && ivl_out_open(path, &out) == IVL_OK;
    free(path);
    if (!open) return;
    checksum(data, bytes, digest);
    if (fwrite(magic, 8, 1, out.f) == 1 && fwrite(digest, 32, 1, out.f) == 1 && fwrite(data, bytes, 1, out.f) == 1)
        (void)ivl_out_commit(&out);
    else
        ivl_out_abandon(&out);
}
