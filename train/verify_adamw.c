/* The real training step over the case's batch, twice. */
#include "train/parity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Parameters that the case's optimiser trains. */
static bool is_trained(void *ctx, const char *name)
{
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)ctx, i, v)
        if (json_is_string(v) && !strcmp(json_string_value(v), name)) return true;
    return false;
}

static double number(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }

static void fill_hyper(const ivl_params *p, const json_t *a, int step, float *hyper)
{
    double b1 = json_number_value(json_array_get(json_object_get(a, "betas"), 0));
    double b2 = json_number_value(json_array_get(json_object_get(a, "betas"), 1));
    for (int i = 0; i < p->n_ranges; i++) {
        hyper[4 * i] = (float)number(a, "lr");
        hyper[4 * i + 1] = p->range[i].decay ? (float)number(a, "weight_decay") : 0;
        hyper[4 * i + 2] = (float)(1 - pow(b1, step));
        hyper[4 * i + 3] = (float)(1 - pow(b2, step));
    }
}

typedef struct adam { ivl_step_plan *plan; ivl_buffer slot, result; } adam;

static ivl_status adam_open(ivl_parity *c, const ivl_params *p, const json_t *a, ivl_parity_fill fill, void *ctx,
                            adam *o)
{
    ivl_step_shape shape;
    ivl_step_rule rule = { .adamw = { .beta1 = json_number_value(json_array_get(json_object_get(a, "betas"), 0)),
                                      .beta2 = json_number_value(json_array_get(json_object_get(a, "betas"), 1)),
                                      .eps = number(a, "eps") } };
    ivl_step_scope scope = { p, &c->config, c->o->compute, NULL, NULL };
    IVL_TRY(fill(c, ctx, &shape, NULL, NULL));
    IVL_TRY(ivl_step_create(c->dev, &scope, &shape, &rule, NULL, &o->plan));
    IVL_TRY(ivl_step_bind(&o->plan, 1));
    IVL_TRY(ivl_alloc(c->dev, IVL_MEM_PINNED, ivl_step_layout_of(o->plan)->bytes, &o->slot));
    IVL_TRY(ivl_alloc(c->dev, IVL_MEM_PINNED, IVL_STEP_RESULT * sizeof(float), &o->result));
    return fill(c, ctx, NULL, ivl_step_layout_of(o->plan), o->slot.host);
}

static ivl_status adam_steps(ivl_parity *c, const char *stage, const ivl_params *p, const json_t *a, adam *o)
{
    for (int step = 1; step <= 2; step++) {
        char name[64];
        fill_hyper(p, a, step, (float *)(void *)((char *)o->slot.host + ivl_step_layout_of(o->plan)->hyper));
        IVL_TRY(ivl_step_run(o->plan, c->stream, &o->slot, o->result, 0));
        IVL_TRY(ivl_sync(c->stream));
        double loss = ((float *)o->result.host)[0];
        snprintf(name, sizeof name, "%s.adamw.loss_before_step%d", stage, step);
        IVL_TRY(ivl_parity_compare(c, name, &loss, 1));
        snprintf(name, sizeof name, "%s.adamw.step%d.", stage, step);
        IVL_TRY(ivl_parity_check_params(c, p, name, IVL_WEIGHT));
    }
    return IVL_OK;
}

ivl_status ivl_verify_adamw(ivl_parity *c, const char *stage, ivl_parity_fill fill, void *ctx)
{
    const json_t *a = json_object_get(c->manifest, "adamw");
    json_t *trained = json_object_get(json_object_get(a, "trained"), stage);
    if (!json_is_array(trained) || c->o->compute != IVL_F32) return IVL_OK;
    ivl_params *p = NULL;
    adam o = { 0 };
    IVL_TRY(ivl_parity_params(c, is_trained, trained, &p));
    ivl_status s = adam_open(c, p, a, fill, ctx, &o);
    if (s == IVL_OK) s = adam_steps(c, stage, p, a, &o);
    ivl_step_destroy(o.plan);
    ivl_release(o.slot), ivl_release(o.result);
    ivl_params_destroy(p);
    return s;
}
