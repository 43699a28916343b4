#include "tests/cli/bad_files.h"

#include "runtime/file.h"
#include "tests/suite.h"

static const char *folder;

const char *at(const char *name)
{
    static char text[4][512];
    static int turn;
    char *t = text[turn++ & 3];
    snprintf(t, sizeof text[0], "%s/%s", folder, name);
    return t;
}

const char *golden(const char *name)
{
    static char text[4][512];
    static int turn;
    char *t = text[turn++ & 3];
    snprintf(t, sizeof text[0], "%s/%s", source("tests/golden"), name);
    return t;
}

void put(const char *name, const void *data, size_t n)
{
    FILE *f = fopen(at(name), "wb");
    ck_assert_msg(f && fwrite(data, 1, n, f) == n, "%s", name);
    ck_assert_int_eq(fclose(f), 0);
}

void put_text(const char *name, const char *text) { put(name, text, strlen(text)); }

void put_folder(const char *name) { ck_assert_msg(ivl_make_dirs(at(name)) == IVL_OK, "%s", ivl_last_error()); }

static char *read_file(const char *path, size_t *n_p)
{
    char *data = NULL;
    ck_assert_msg(ivl_read_file(path, 0, &data, n_p) == IVL_OK, "%s", ivl_last_error());
    return data;
}

char *get(const char *name, size_t *n_p) { return read_file(at(name), n_p); }
char *get_golden(const char *name, size_t *n_p) { return read_file(golden(name), n_p); }

void bad_files_make(const char *dir)
{
    folder = dir;
    bad_good_run_make();
    bad_pictures_make();
    bad_models_make();
    bad_runs_make();
}
