/* .npy: what is written comes back, what others write is read or refused with a reason. */
#include "runtime/npy.h"
#include "tests/suite.h"

#include <unistd.h>

START_TEST(written_comes_back)
{
    char path[] = "npy.XXXXXX";
    const float x[] = { 1, 2, 3, 4, 5, -6 };
    ivl_npy_out out = { 0 };
    ivl_npy in;
    close(mkstemp(path));
    ck_assert_int_eq(ivl_npy_create(path, 3, &out), IVL_OK);
    ck_assert_int_eq(ivl_npy_append(&out, x, 1), IVL_OK);
    ck_assert_int_eq(ivl_npy_append(&out, x + 3, 1), IVL_OK);
    ck_assert_int_eq(ivl_npy_finish(&out), IVL_OK);
    ck_assert_int_eq(ivl_npy_open(path, &in), IVL_OK);
    ck_assert_int_eq(in.rows, 2);
    ck_assert_int_eq(in.cols, 3);
    ck_assert(!memcmp(in.x, x, sizeof x));
    ivl_npy_close(&in);
    ck_assert_int_eq(ivl_npy_create(path, 3, &out), IVL_OK);
    ck_assert_int_eq(ivl_npy_append(&out, x, 2), IVL_OK);
    ivl_npy_abandon(&out); /* the older file stays */
    ck_assert_int_eq(ivl_npy_open(path, &in), IVL_OK);
    ivl_npy_close(&in);
    ck_assert_int_eq(ivl_npy_create("/nowhere/x.npy", 3, &out), IVL_EIO);
    ck_assert_int_eq(ivl_npy_create(path, 0, &out), IVL_EINVAL);
    unlink(path);
}
END_TEST

/* A file of version v with this header and room for n numbers; returns its size. */
static size_t build(char *d, int v, const char *header, size_t n)
{
    size_t h = strlen(header), start = v == 1 ? 10 : 12;
    memset(d, 0, start + h + n * 4);
    memcpy(d, "\x93NUMPY", 6);
    d[6] = (char)v, d[8] = (char)h, d[9] = (char)(h >> 8);
    memcpy(d + start, header, h);
    return start + h + n * 4;
}

static const struct { int v; const char *header; size_t n; const char *words; } row[] = {
    { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 6, NULL },
    { 2, "{'shape': (2, 3,), 'fortran_order': False, 'descr': '<f4'}", 6, NULL },
    { 1, "{'shape': (0, 3), 'fortran_order': False, 'descr': '<f4'} ", 0, NULL },
    { 1, "{'shape': (2L, 3L), 'fortran_order': False, 'descr': '<f4'}  ", 6, NULL },
    { 4, "{}", 0, "no .npy file" },
    { 1, "", 1, "no dictionary" },
    { 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", 6, "not '<f4'" },
    { 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 6, "by columns" },
    { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", 6, "not two dimensions" },
    { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }", 6, "not two dimensions" },
    { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3), }", 6, "not two dimensions" },
    { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 3), }", 6,
      "not two dimensions" },
    { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }", 6, "do not take the 24 bytes" },
    { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905, 4), }", 4,
      "do not take the 16 bytes" },
    { 1, "{'descr': '<f4', 'fortran_order': False, }", 6, "incomplete" },
    { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", 6, "incomplete" },
    { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} x", 6, "incomplete" },
    { 1, "{'nonsense': 1}", 6, "is wrong at ''nonsense': 1}'" },
};

START_TEST(others_files)
{
    static char d[1024];
    ivl_npy npy = { 0 };
    size_t n = build(d, row[_i].v, row[_i].header, row[_i].n);
    ivl_status s = ivl_npy_parse(d, n, "x.npy", &npy);
    ck_assert_int_eq(s, row[_i].words ? IVL_EFORMAT : IVL_OK);
    if (s == IVL_OK) ck_assert_int_eq(npy.rows * npy.cols, (int64_t)row[_i].n);
    else ck_assert_msg(strstr(ivl_last_error(), row[_i].words), "says %s", ivl_last_error());
    ivl_npy_close(&npy);
    for (size_t k = 0; k < n; k++) ck_assert_int_eq(ivl_npy_parse(d, k, "x.npy", &npy), IVL_EFORMAT);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("npy");
    tcase_add_test(t, written_comes_back);
    tcase_add_loop_test(t, others_files, 0, sizeof row / sizeof *row);
    return run_suite("npy", t);
}
