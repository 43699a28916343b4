/* rope: rotates pairs of each head by pos * theta^(-2i/D) (Su et al., 2104.09864). Angles are f32 whatever the storage
 * type, as in PyTorch, and the frequencies are computed once on the host, so every device has the same angles. The
 * gradient is the inverse rotation: rope itself. */
#include "ops/rope.h"

#include <math.h>
#include <stdlib.h>

ivl_val ivl_rope(ivl_graph *g, ivl_val x, ivl_val pos, int heads, double theta, int adjacent)
{
    ivl_rope_attr a = { .heads = heads, .theta = theta, .adjacent = adjacent };
    return ivl_record(g, IVL_OP_rope, (ivl_val[]){ x, pos }, 2, 1, &a, sizeof a, NULL);
}

float ivl_rope_frequency(double theta, int i, int dim)
{
    return 1.0f / powf((float)theta, (float)(2 * i) / (float)dim);
}

static ivl_status infer(const ivl_node *n)
{
    IVL_TRY(ivl_need(n, 0, "x", -1));
    const ivl_rope_attr *a = n->attr;
    const ivl_tensor *x = n->x[0], *pos = n->x[1];
    char s[96], t[96];
    IVL_CHECK(x->rank >= 2 && ivl_is_float(x->dtype) && a->heads > 0 && ivl_cols(x) % (2 * a->heads) == 0, IVL_ESHAPE,
              "rope: x %s does not split into %d heads of an even size", ivl_tensor_text(x, s, sizeof s), a->heads);
    IVL_CHECK(!pos || (pos->dtype == IVL_I32 && ivl_numel(pos) == ivl_rows(x)), IVL_ESHAPE,
              "rope: positions %s do not fit x %s", ivl_tensor_text(pos, s, sizeof s), ivl_tensor_text(x, t, sizeof t));
    IVL_CHECK(a->theta > 0, IVL_EINVAL, "rope: theta is %g", a->theta);
    return ivl_out_like(n, 0, x);
}

static ivl_status grad(ivl_graph *g, const ivl_node *n)
{
    ivl_rope_attr a = *(const ivl_rope_attr *)n->attr;
    a.inverse = !a.inverse;
    return ivl_record_bwd(g, IVL_OP_rope, (ivl_val[]){ ivl_grad(g, n->out[0]), n->in[1] }, 2, n->in, 1, &a, sizeof a);
}

/* --- portable: one group per row ------------------------------------------------------------------ */

/* Without positions cos and sin of every (position, pair) are a table; with them only the frequencies are. */
static ivl_status prepare(ivl_device *d, const ivl_node *n, const int *param, ivl_prep **p_p)
{
    const ivl_rope_attr *a = n->attr;
    const ivl_tensor *x = n->x[0];
    int64_t len = n->x[1] ? 1 : x->dim[x->rank - 2], half = ivl_cols(x) / a->heads / 2;
    IVL_TRY(ivl_prep_kernel(d, p_p, 0, param, "rope", "rope_fwd", "%s -DWG_SIZE=%d%s%s",
                            ivl_t_define(x->dtype), param[0], a->adjacent ? " -DADJACENT" : "",
                            n->x[1] ? " -DHAS_POS" : ""));
    float *table = malloc((size_t)(2 * len * half) * sizeof *table);
    if (!table) {
        ivl_prep_destroy(*p_p);
        *p_p = NULL;
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    }
    for (int64_t i = 0; i < len * half; i++) {
        float inv = ivl_rope_frequency(a->theta, (int)(i % half), (int)(2 * half)), angle = (float)(i / half) * inv;
        float *row = table + i / half * 2 * half;
        row[i % half] = n->x[1] ? inv : (float)cos((double)angle);
        row[half + i % half] = n->x[1] ? 0 : (float)sin((double)angle);
    }
    ivl_status s = ivl_prep_table(d, p_p, table, (size_t)(2 * len * half) * sizeof *table);
    free(table);
    return s;
}

static ivl_status run(ivl_stream *s, const ivl_node *n, const ivl_prep *p, ivl_buffer scratch, int64_t off)
{
    (void)scratch, (void)off;
    const ivl_rope_attr *t = n->attr;
    const ivl_tensor *x = n->x[0];
    ivl_args a = { 0 };
    ivl_arg_tensor(&a, x), ivl_arg_tensor(&a, n->x[1]), ivl_arg_tensor(&a, n->y[0]);
    ivl_arg_buffer(&a, p->table, 0);
    ivl_arg_int(&a, (int)x->dim[x->rank - 2]), ivl_arg_int(&a, t->heads),
        ivl_arg_int(&a, (int)(ivl_cols(x) / t->heads / 2));
    ivl_arg_float(&a, t->inverse ? -1.0f : 1.0f), ivl_arg_int(&a, ivl_adds(n, 0));
    return ivl_enqueue(s, p->k[0], ivl_rows(x), 1, 1, p->p[0], &a);
}

static const ivl_impl impls[] = {
    { .name = "rope.any.group", .op = IVL_OP_rope, .fits = ivl_fits_kernels, .prepare = prepare, .run = run,
      .destroy = ivl_prep_destroy, .space = &ivl_row_space },
};

static double flops(const ivl_node *n) { return 3.0 * (double)ivl_numel(n->x[0]); }

const ivl_op_desc ivl_desc_rope = {
    .name = "rope", .infer = infer, .grad = grad, .ref64 = ivl_ref64_rope, .ref32 = ivl_ref32_rope, .flops = flops,
    .impls = impls, .n_impls = 1,
};
