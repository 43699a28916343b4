/* Ranges differ in their rates, so AdamW takes one at a time; the norm and the copies do not, and take whole runs of
 * them: with layer-wise rates a model has hundreds of ranges, yet few runs, one per slab of memory. */
#include "train/optimiser.h"

static bool goes_on(const ivl_tensor *run, const ivl_range *r)
{
    return r->trainable && r->grad.buf.handle == run->buf.handle && r->grad.off == run->off + run->dim[0];
}

/* The next run of trainable ranges that lie behind each other, from range *i on, as tensors of one axis. */
static bool next_run(const ivl_params *p, int *i, ivl_range *run)
{
    while (*i < p->n_ranges && !p->range[*i].trainable) ++*i;
    if (*i == p->n_ranges) return false;
    *run = p->range[(*i)++];
    for (; *i < p->n_ranges && goes_on(&run->grad, &p->range[*i]); ++*i) {
        run->elements += p->range[*i].elements;
        ivl_tensor *const t[] = { &run->value, &run->grad, &run->master };
        for (int k = 0; k < 3; k++) t[k]->dim[0] = t[k]->pitch = run->elements;
    }
    return true;
}

static ivl_val gradient_norm(const ivl_scope *s)
{
    ivl_val grad[IVL_MAX_IN], sum = IVL_NONE;
    ivl_range run;
    for (int i = 0, n = 0, more = 1; more;) {
        more = next_run(s->params, &i, &run);
        if (more) grad[n++] = ivl_extern(s->g, &run.grad, NULL);
        if (n < IVL_MAX_IN && (more || !n)) continue;
        ivl_val part = ivl_sq_norm(s->g, grad, n);
        sum = sum.id >= 0 ? ivl_add(s->g, sum, part) : part;
        n = 0;
    }
    return sum;
}

ivl_val ivl_optimise(const ivl_scope *s, ivl_val hyper, const ivl_adamw_rule *rule)
{
    ivl_val norm = gradient_norm(s);
    ivl_adamw_attr a = { rule->beta1, rule->beta2, rule->eps, rule->clip };
    for (int i = 0; i < s->params->n_ranges; i++) {
        const ivl_range *r = &s->params->range[i];
        if (r->trainable)
            ivl_adamw(s->g, ivl_extern(s->g, &r->master, NULL), ivl_extern(s->g, &r->grad, NULL),
                      ivl_extern(s->g, &r->m, NULL), ivl_extern(s->g, &r->v, NULL), ivl_row(s->g, hyper, i), norm, a);
    }
    const ivl_param *q = ivl_params_find(s->params, "logit_scale");
    if (rule->max_logit_scale > 0 && q && q->trainable)
        ivl_clamp(s->g, ivl_extern(s->g, &q->master, NULL), -1e30, rule->max_logit_scale);
    ivl_range run;
    for (int i = 0; s->dtype != IVL_F32 && next_run(s->params, &i, &run);)
        ivl_cast_into(s->g, ivl_extern(s->g, &run.master, NULL), ivl_extern(s->g, &run.value, NULL));
    return norm;
}
