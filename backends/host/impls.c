/* The reference of every op as the host's implementation: one row serves them all. */
#include "backends/host/host.h"

static bool ref_fits(const ivl_caps *c, const ivl_node *n)
{
    (void)c;
    const ivl_op_desc *d = ivl_op_get(n->op);
    return d && d->ref64;
}

static ivl_status ref_prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    (void)d, (void)n, (void)param;
    *p_p = NULL;
    return IVL_OK;
}

static ivl_status ref_run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)s, (void)p, (void)scratch, (void)off;
    return ivl_op_get(n->op)->ref64(n);
}

static void ref_destroy(ivl_prep *p) { (void)p; }

const ivl_impl ivl_host_impls[] = {
    { .name = "host.ref", .op = IVL_ANY_OP, .fits = ref_fits, .prepare = ref_prepare, .run = ref_run,
      .destroy = ref_destroy },
};
