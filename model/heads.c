#include "model/head_parts.h"

#include <stdio.h>

static const double probe_eps = 1e-6, momentum = 0.1;

ivl_val ivl_head_weight(const ivl_head_scope *s, const char *module, const char *leaf)
{
    char full[192];
    snprintf(full, sizeof full, "%s%s.%s", s->prefix, module, leaf);
    const ivl_head_param *p = ivl_heads_find(s->h, full);
    if (!p) {
        ivl_status e = ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "the heads have no parameter %s", full);
        return ivl_graph_failed(s->g, e);
    }
    return ivl_extern(s->g, &p->value, s->train && p->grad.buf.dev ? &p->grad : NULL);
}

ivl_val ivl_head_batch_norm(const ivl_head_scope *s, const char *module, ivl_val x, double eps)
{
    ivl_batch_norm_attr a = { eps, momentum, s->train };
    return ivl_batch_norm(s->g, x, ivl_head_weight(s, module, "weight"), ivl_head_weight(s, module, "bias"),
                          ivl_head_weight(s, module, "running_mean"), ivl_head_weight(s, module, "running_var"), a);
}

ivl_val ivl_head_matrix(const ivl_head_scope *s, const char *module)
{
    ivl_val w = ivl_head_weight(s, module, "weight");
    const ivl_tensor *t = ivl_tensor_of(s->g, w);
    if (!t) return IVL_NONE;
    return ivl_reshape(s->g, w, 2, (int64_t[]){ t->dim[0], ivl_numel(t) / t->dim[0] });
}

ivl_val ivl_head_classify(const ivl_head_scope *s, const char *module, ivl_val x)
{
    return ivl_linear(s->g, x, ivl_head_matrix(s, module), ivl_head_weight(s, module, "bias"));
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
    return ivl_head_classify(s, "head", ivl_head_batch_norm(s, "norm", features, probe_eps));
}

/* --- linear segmentation -------------------------------------------------------------------------- */

ivl_val ivl_seg_map(ivl_graph *g, ivl_val state)
{
    const ivl_tensor *t = ivl_tensor_of(g, state);
    return t ? ivl_tokens(g, state, 1, t->dim[1] - 1) : IVL_NONE;
}

ivl_val ivl_seg_head(const ivl_head_scope *s, ivl_val map, ivl_resize2d_attr size)
{
    return ivl_resize2d(s->g, ivl_head_classify(s, "conv_seg", ivl_head_batch_norm(s, "norm", map, IVL_SEG_EPS)), size);
}
