/* What Check programs share: running one case, and files of the source and build folders. */
#ifndef IVL_TESTS_SUITE_H
#define IVL_TESTS_SUITE_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs one case as a suite: the exit status of main. */
static inline int run_suite(const char *name, TCase *t)
{
    Suite *s = suite_create(name);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* "$srcdir/PATH" as automake sets it, "PATH" by hand. Valid until the fourth call after. */
static inline const char *source(const char *path)
{
    static char text[4][512];
    static int turn;
    char *t = text[turn++ & 3];
    const char *dir = getenv("srcdir");
    snprintf(t, sizeof text[0], "%s/%s", dir ? dir : ".", path);
    return t;
}

/* rm -r of a folder the test made. */
static inline void remove_tree(const char *dir)
{
    char command[600];
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

#endif
