/* Runs a harness over its committed corpus, so that `make check` keeps what fuzzing once found: program
 * fuzz_NAME reads every file of tests/fuzz/corpus/NAME, or the files given, and some damaged copies of each,
 * the same ones every time. `make fuzz` runs the same harnesses under libFuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "runtime/rng.h"
#include "tests/fuzz/fuzz.h"

enum { COPIES = 50 };

static void feed(const char *data, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1); /* no byte more, so that a sanitizer sees reads past the end */
    if (!exact) abort();
    memcpy(exact, data, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

/* Cuts, fills, repeats and flips in place, one to five of them; returns the bytes left. */
static size_t damage(char *p, size_t n, uint32_t copy)
{
    ivl_rng r = ivl_rng_make(n, "damage");
    for (uint32_t k = 0; k < 1 + copy % 5 && n; k++) {
        size_t at = (size_t)ivl_rng_below(r, copy, 3 * k, 0, n);
        uint64_t what = ivl_rng_below(r, copy, 3 * k + 1, 0, 8);
        uint64_t v = ivl_rng_below(r, copy, 3 * k + 2, 0, 256);
        size_t len = 1 + v % 16 < n - at ? 1 + v % 16 : n - at;
        if (what == 0) n = at;
        else if (what == 1) memset(p + at, v & 1 ? 0xff : 0, len);
        else if (what == 2) memmove(p + at, p, len);
        else if (what == 3) p[at] = (char)v;
        else p[at] = (char)(p[at] ^ 1 << v % 8);
    }
    return n;
}

static int run_file(const char *path)
{
    char *data = NULL;
    size_t n = 0;
    if (ivl_read_file(path, 0, &data, &n) != IVL_OK) {
        fprintf(stderr, "%s\n", ivl_last_error());
        return 1;
    }
    char *copy = malloc(n ? n : 1);
    if (!copy) abort();
    feed(data, n);
    for (uint32_t i = 0; i < COPIES; i++) {
        memcpy(copy, data, n);
        feed(copy, damage(copy, n, i));
    }
    free(copy), free(data);
    return 0;
}

static int run_folder(const char *dir)
{
    int files = 0, bad = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        char *path = ivl_path_join(dir, e->d_name);
        if (!path) abort();
        bad += run_file(path);
        files++;
        free(path);
    }
    if (d) closedir(d);
    if (!files) fprintf(stderr, "%s: no corpus here\n", dir);
    printf("%s: %d files\n", dir, files);
    return bad || !files;
}

int main(int argc, char **argv)
{
    int bad = 0;
    for (int i = 1; i < argc; i++) bad |= run_file(argv[i]);
    if (argc > 1) return bad;
    const char *name = strstr(strrchr(argv[0], '/') ? strrchr(argv[0], '/') : argv[0], "fuzz_");
    const char *src = getenv("srcdir");
    char dir[1024];
    if (!name) return 2;
    snprintf(dir, sizeof dir, "%s/tests/fuzz/corpus/%s", src ? src : ".", name + strlen("fuzz_"));
    return run_folder(dir);
}
