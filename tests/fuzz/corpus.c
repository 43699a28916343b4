/* Runs a harness over its committed corpus, so that `make check` keeps what fuzzing once found: program
 * fuzz_NAME reads every file of tests/fuzz/corpus/NAME, or the files given. `make fuzz` runs the same
 * harnesses under libFuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "tests/fuzz/fuzz.h"

static int run_file(const char *path)
{
    char *data = NULL;
    size_t n = 0;
    if (ivl_read_file(path, 0, &data, &n) != IVL_OK) {
        fprintf(stderr, "%s\n", ivl_last_error());
        return 1;
    }
    uint8_t *exact = malloc(n ? n : 1); /* no byte more, so that a sanitizer sees reads past the end */
    if (exact) {
        memcpy(exact, data, n);
        LLVMFuzzerTestOneInput(exact, n);
    }
    free(exact), free(data);
    return !exact;
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
