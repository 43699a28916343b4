#include "train/blas.h"

#include <dlfcn.h>
#include <string.h>

#include "ops/gemm_tiled.h"

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 }; /* cblas.h's numbers */

typedef void sgemm32(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                     const float *b, int ldb, float beta, float *c, int ldc);
typedef void sgemm64(int order, int ta, int tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                     int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

ivl_status ivl_blas_open(const char *path, ivl_blas *b_p)
{
    static const struct {
        const char *name;
        bool wide;
    } entry[] = { { "cblas_sgemm", false }, { "cblas_sgemm64_", true }, { "scipy_cblas_sgemm64_", true } };
    ivl_blas b = { .library = dlopen(path, RTLD_NOW | RTLD_LOCAL) };
    IVL_CHECK(b.library, IVL_EIO, "%s: no library that can be opened: %s", path, dlerror());
    for (int i = 0; i < 3 && !b.sgemm; i++) b.sgemm = dlsym(b.library, entry[i].name), b.wide = entry[i].wide;
    if (!b.sgemm) {
        dlclose(b.library);
        IVL_CHECK(false, IVL_EFORMAT, "%s: has no cblas_sgemm", path);
    }
    const char *slash = strrchr(path, '/');
    snprintf(b.name, sizeof b.name, "blas %.40s", slash ? slash + 1 : path);
    *b_p = b;
    return IVL_OK;
}

void ivl_blas_close(ivl_blas *b)
{
    if (b->library) dlclose(b->library);
    *b = (ivl_blas){ 0 };
}

bool ivl_blas_fits(const ivl_node *n)
{
    if (n->op != IVL_OP_matmul && n->op != IVL_OP_linear) return false;
    ivl_product p = ivl_product_of(n);
    return p.a->dtype == IVL_F32 && p.b->dtype == IVL_F32 && p.y->dtype == IVL_F32 && p.a->buf.host &&
           p.b->buf.host && p.y->buf.host;
}

typedef struct call {
    const ivl_blas *blas;
    ivl_product p;
    bool add;
} call;

static float *data(const ivl_tensor *t) { return (float *)t->buf.host + t->off; }

static ivl_status run(void *ctx, int runs)
{
    const call *c = ctx;
    const ivl_product *p = &c->p;
    int ta = p->ta ? TRANS : NO_TRANS, tb = p->tb ? TRANS : NO_TRANS;
    int64_t ldy = ivl_cols(p->y) == p->n ? p->y->pitch : p->n;
    float beta = c->add ? 1 : 0;
    sgemm32 *narrow;
    sgemm64 *wide;
    memcpy(&narrow, &c->blas->sgemm, sizeof narrow),
        memcpy(&wide, &c->blas->sgemm, sizeof wide); /* ISO C has no cast */
    for (int i = 0; i < runs; i++)
        if (c->blas->wide)
            wide(ROW_MAJOR, ta, tb, p->m, p->n, p->k, 1, data(p->a), p->a->pitch, data(p->b), p->b->pitch,
                 beta, data(p->y), ldy);
        else
            narrow(ROW_MAJOR, ta, tb, (int)p->m, (int)p->n, (int)p->k, 1, data(p->a), (int)p->a->pitch,
                   data(p->b), (int)p->b->pitch, beta, data(p->y), (int)ldy);
    return IVL_OK;
}

ivl_status ivl_blas_measure(const ivl_blas *b, const ivl_node *n, double budget, ivl_timing *t_p)
{
    call c = { b, ivl_product_of(n), n->add_mask & 1 };
    return ivl_measure_runs(run, &c, budget, t_p);
}
