#include "model/heads.h"

#include <stdio.h>
#include <string.h>

static const double probe_eps = 1e-6, seg_eps = 1e-5, momentum = 0.1;

static ivl_val weight(const ivl_head_scope *s, const char *name)
{
    char full[192];
    snprintf(full, sizeof full, "%s%s", s->prefix, name);
    const ivl_head_param *p = ivl_heads_find(s->h, full);
    if (!p) {
        ivl_status e = ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "the heads have no parameter %s", full);
        return ivl_graph_failed(s->g, e);
    }
    return ivl_extern(s->g, &p->value, s->train && p->grad.buf.dev ? &p->grad : NULL);
}

static ivl_val batch_norm(const ivl_head_scope *s, ivl_val x, double eps)
{
    ivl_batch_norm_attr a = { eps, momentum, s->train };
    return ivl_batch_norm(s->g, x, weight(s, "norm.weight"), weight(s, "norm.bias"), weight(s, "norm.running_mean"),
                          weight(s, "norm.running_var"), a);
}

/* A matrix from a convolution's weights: their first axis, and the rest. */
static ivl_val as_matrix(const ivl_head_scope *s, ivl_val w)
{
    const ivl_tensor *t = ivl_tensor_of(s->g, w);
    if (!t) return IVL_NONE;
    return ivl_reshape(s->g, w, 2, (int64_t[]){ t->dim[0], ivl_numel(t) / t->dim[0] });
}

/* --- linear probe --------------------------------------------------------------------------------- */

ivl_val ivl_probe_features(ivl_graph *g, ivl_val vision)
{
    const ivl_tensor *t = ivl_tensor_of(g, vision);
    if (!t) return IVL_NONE;
    int64_t shape[] = { t->dim[0], t->dim[2] };
    ivl_val cls = ivl_tokens(g, vision, 0, 1), mean = ivl_mean(g, ivl_seg_map(g, vision));
    return ivl_concat(g, ivl_reshape(g, cls, 2, shape), ivl_reshape(g, mean, 2, shape));
}

ivl_val ivl_probe_head(const ivl_head_scope *s, ivl_val features)
{
    return ivl_linear(s->g, batch_norm(s, features, probe_eps), weight(s, "head.weight"), weight(s, "head.bias"));
}

/* --- segmentation --------------------------------------------------------------------------------- */

ivl_val ivl_seg_map(ivl_graph *g, ivl_val state)
{
    const ivl_tensor *t = ivl_tensor_of(g, state);
    return t ? ivl_tokens(g, state, 1, t->dim[1] - 1) : IVL_NONE;
}

ivl_val ivl_seg_head(const ivl_head_scope *s, ivl_val map, ivl_resize2d_attr size)
{
    ivl_val w = as_matrix(s, weight(s, "conv_seg.weight"));
    return ivl_resize2d(s->g, ivl_linear(s->g, batch_norm(s, map, seg_eps), w, weight(s, "conv_seg.bias")), size);
}

/* Deconvolution with 2x2 kernels and stride 2, of a map of h x w. */
static ivl_val up(const ivl_head_scope *s, const char *name, ivl_val x, int h, int w)
{
    char weights[64], bias[64];
    snprintf(weights, sizeof weights, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    ivl_val y = ivl_matmul(s->g, x, as_matrix(s, weight(s, weights)), 0, 0);
    const ivl_tensor *tx = ivl_tensor_of(s->g, x), *ty = ivl_tensor_of(s->g, y);
    if (!tx || !ty) return IVL_NONE;
    y = ivl_reshape(s->g, y, 3, (int64_t[]){ tx->dim[0], tx->dim[1], ty->dim[1] });
    return ivl_depth_to_space(s->g, y, weight(s, bias), h, w);
}

void ivl_seg_pyramid(const ivl_head_scope *s, const ivl_val map[4], int h, int w, ivl_val out[4])
{
    ivl_val x = up(s, "up1.0", map[0], h, w);
    x = ivl_gelu(s->g, ivl_layer_norm(s->g, x, weight(s, "up1.1.weight"), weight(s, "up1.1.bias"), 1e-6));
    out[0] = up(s, "up1.3", x, 2 * h, 2 * w);
    out[1] = up(s, "up2.0", map[1], h, w);
    out[2] = map[2];
    out[3] = ivl_max_pool(s->g, map[3], h, w);
}
