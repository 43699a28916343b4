#include "model/scope.h"

#include <stdarg.h>

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
