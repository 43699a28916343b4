#include "model/scope.h"

#include <stdarg.h>
#include <stdio.h>

#include "model/lora.h"

static ivl_val weight(const ivl_scope *s, const char *name)
{
    const ivl_param *p = ivl_params_find(s->params, name);
    if (!p) {
        ivl_status e = ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "the model has no parameter %s", name);
        return ivl_graph_failed(s->g, e);
    }
    return ivl_extern(s->g, &p->value, s->train && p->trainable ? &p->grad : NULL);
}

ivl_val ivl_weight(const ivl_scope *s, const char *fmt, ...)
{
    char name[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    return weight(s, name);
}

/* alpha/r (x A^T) B^T + y */
static ivl_val adapted(const ivl_scope *s, ivl_val x, ivl_val y, const char *weight_name)
{
    char a[160], b[160];
    const ivl_lora *l = &s->params->lora;
    ivl_lora_name(weight_name, 'A', a, sizeof a);
    ivl_lora_name(weight_name, 'B', b, sizeof b);
    ivl_val low = ivl_linear(s->g, ivl_linear(s->g, x, weight(s, a), IVL_NONE), weight(s, b), IVL_NONE);
    const ivl_tensor *t = ivl_tensor_of(s->g, low);
    if (!t) return IVL_NONE;
    ivl_val scale = ivl_fill_op(s->g, t->dtype, 1, &t->dim[t->rank - 1], l->alpha / l->rank);
    return ivl_residual(s->g, y, low, scale, IVL_NONE);
}

ivl_val ivl_linear_of(const ivl_scope *s, ivl_val x, bool bias, const char *fmt, ...)
{
    char name[128], full[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    snprintf(full, sizeof full, "%s.bias", name);
    ivl_val b = bias ? weight(s, full) : IVL_NONE;
    snprintf(full, sizeof full, "%s.weight", name);
    ivl_val y = ivl_linear(s->g, x, weight(s, full), b);
    return ivl_lora_adapts(&s->params->lora, full) ? adapted(s, x, y, full) : y;
}

ivl_val ivl_weight_as(const ivl_scope *s, int rank, const int64_t *dim, const char *name)
{
    return ivl_reshape(s->g, weight(s, name), rank, dim);
}

ivl_val ivl_logit_scale(const ivl_scope *s)
{
    const ivl_param *p = ivl_params_find(s->params, "logit_scale");
    bool wide = s->dtype == IVL_F32 || s->dtype == IVL_F64, master = p && p->trainable && p->master.name;
    if (wide || !p) return weight(s, "logit_scale");
    if (!master) return ivl_cast(s->g, weight(s, "logit_scale"), IVL_F32);
    return ivl_extern(s->g, &p->master, s->train ? &p->grad : NULL);
}
