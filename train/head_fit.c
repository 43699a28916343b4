#include "train/head_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/sample.h"
#include "runtime/rng.h"
#include "train/schedule.h"

static const double beta1 = 0.9, beta2 = 0.999, adam_eps = 1e-8;

/* A recorded batch. */
typedef struct batch {
    ivl_graph *g;
    ivl_plan  *plan;
    ivl_buffer slot;
    int64_t    b;
    ivl_val    ids, labels, hyper, logits, loss, hits;
} batch;

static void batch_close(batch *k)
{
    ivl_plan_destroy(k->plan);
    ivl_graph_destroy(k->g);
    ivl_release(k->slot);
}

static void *place(const batch *k, ivl_val v) { return (char *)k->slot.host + ivl_plan_io_offset(k->plan, v); }

/* Rows by number, as f32. */
static ivl_val take_rows(batch *k, const ivl_tensor *table)
{
    k->ids = ivl_input(k->g, "rows", IVL_I32, 2, (int64_t[]){ k->b, 1 });
    ivl_val x = ivl_reshape(k->g, ivl_embed(k->g, ivl_extern(k->g, table, NULL), k->ids), 2,
                            (int64_t[]){ k->b, table->dim[1] });
    return table->dtype == IVL_F32 ? x : ivl_cast(k->g, x, IVL_F32);
}

static ivl_status finish(ivl_device *dev, batch *k)
{
    IVL_TRY(ivl_plan_create(dev, k->g, NULL, &k->plan));
    IVL_TRY(ivl_plan_bind(&k->plan, 1));
    return ivl_alloc(dev, IVL_MEM_PINNED, ivl_plan_io_bytes(k->plan), &k->slot);
}

static ivl_val loss_of(const batch *k, ivl_val logits, ivl_val *hits)
{
    return ivl_softmax_ce(k->g, logits, k->labels, IVL_NONE, IVL_NONE, hits);
}

/* Forward and backward; what a head declares as a block is computed again. */
static ivl_status record_loss(const ivl_head_task *t, const ivl_tensor *table, batch *k)
{
    ivl_head_scope scope = { k->g, t->heads, "", true };
    ivl_val auxiliary = IVL_NONE, x = t->logits(&scope, take_rows(k, table), t->ctx, &auxiliary);
    k->labels = ivl_input(k->g, "labels", IVL_I32, 1, (int64_t[]){ k->b * t->per });
    ivl_val loss[2] = { k->loss = ivl_keep(k->g, loss_of(k, x, &k->hits)) }, seed[2] = { IVL_NONE };
    ivl_keep(k->g, k->hits);
    if (ivl_is(auxiliary)) {
        loss[1] = loss_of(k, auxiliary, NULL);
        seed[1] = ivl_fill_op(k->g, IVL_F32, 0, NULL, t->auxiliary_weight);
    }
    return ivl_graph_backward(k->g, &(ivl_backward){ .out = loss, .seed = seed, .n = ivl_is(auxiliary) ? 2 : 1,
                                                     .recompute = IVL_RECOMPUTE_BLOCKS });
}

static ivl_status open_train(ivl_device *dev, const ivl_head_task *t, const ivl_head_rows *rows,
                             const ivl_head_rule *rule, batch *k)
{
    const ivl_heads *h = t->heads;
    IVL_TRY(ivl_graph_create(&k->g));
    ivl_graph *g = k->g;
    k->hyper = ivl_input(g, "hyper", IVL_F32, 1, (int64_t[]){ rule->adamw ? 4 : 2 });
    IVL_TRY(record_loss(t, &rows->table, k));
    ivl_val grad = ivl_extern(g, &h->grad, NULL), norm = ivl_sq_norm(g, &grad, 1);
    ivl_val value = ivl_extern(g, &h->value, NULL), m = ivl_extern(g, &h->m, NULL);
    if (rule->adamw)
        ivl_adamw(g, value, grad, m, ivl_extern(g, &h->v, NULL), k->hyper, norm,
                  (ivl_adamw_attr){ beta1, beta2, adam_eps, rule->clip });
    else ivl_sgd(g, value, grad, m, k->hyper, norm, (ivl_sgd_attr){ rule->momentum, rule->clip });
    return finish(dev, k);
}

static double rate_at(const ivl_head_rule *r, int64_t warmup, int64_t steps, int64_t step)
{
    if (!r->adamw) return ivl_learning_rate(r->rate, 0, warmup, steps, step);
    if (step < warmup) return r->rate * (double)(step + 1) / (double)warmup;
    return r->rate * (double)(steps - step) / (double)(steps - warmup);
}

static void fill_hyper(const ivl_head_rule *r, double rate, int64_t step, float *hyper)
{
    hyper[0] = (float)rate, hyper[1] = (float)r->decay;
    if (!r->adamw) return;
    hyper[2] = (float)(1 - pow(beta1, (double)(step + 1)));
    hyper[3] = (float)(1 - pow(beta2, (double)(step + 1)));
}

/* Rows of batch `at` of an epoch: the epoch's permutation, a random view of each. */
static void fill_rows(const batch *k, const ivl_head_task *t, const ivl_head_rows *rows, uint64_t seed, int64_t epoch,
                      int64_t at)
{
    ivl_rng order = ivl_rng_make(seed, "head order"), view = ivl_rng_make(seed, "head view");
    int64_t views = rows->views > 0 ? rows->views : 1;
    int32_t *ids = place(k, k->ids), *labels = place(k, k->labels);
    for (int64_t b = 0; b < k->b; b++) {
        int64_t i = ivl_permute(order, (uint64_t)epoch, rows->n, at * k->b + b);
        uint64_t v = views > 1 ? ivl_rng_below(view, (uint32_t)epoch, 0, (uint64_t)i, (uint64_t)views) : 0;
        ids[b] = (int32_t)(i * views + (int64_t)v);
        for (int64_t j = 0; j < t->per; j++) {
            uint16_t label = rows->label[i * t->per + j];
            labels[b * t->per + j] = label == IVL_NO_LABEL ? -1 : label;
        }
    }
}

static ivl_status epochs(ivl_stream *s, const ivl_head_task *t, const ivl_head_rows *rows, const ivl_head_rule *rule,
                         batch *k, ivl_head_epoch *history)
{
    int64_t per = rows->n / k->b, steps = per * rule->epochs, warmup = (int64_t)(rule->warmup * (double)per + 0.5);
    if (warmup >= steps) warmup = steps - 1;
    for (int64_t step = 0; step < steps; step++) {
        ivl_head_epoch *e = &history[step / per];
        float loss, hits;
        if (step % per == 0) *e = (ivl_head_epoch){ 0 };
        if (rule->progress) rule->progress(rule->ctx, "train", step, steps);
        fill_rows(k, t, rows, rule->seed, step / per, step % per);
        fill_hyper(rule, rate_at(rule, warmup, steps, step), step, place(k, k->hyper));
        IVL_TRY(ivl_plan_feed(k->plan, s, k->slot, 0));
        IVL_TRY(ivl_plan_run(k->plan, s));
        IVL_TRY(ivl_plan_read(k->plan, s, k->loss, &loss, sizeof loss));
        IVL_TRY(ivl_plan_read(k->plan, s, k->hits, &hits, sizeof hits));
        IVL_CHECK(isfinite(loss), IVL_EINVAL, "the loss of step %lld is not finite: a smaller learning rate may help",
                  (long long)step + 1);
        e->loss += (double)loss / (double)per, e->hits += (double)hits / (double)per;
    }
    if (rule->progress) rule->progress(rule->ctx, "train", steps, steps);
    return IVL_OK;
}

ivl_status ivl_head_train(ivl_device *dev, ivl_stream *s, const ivl_head_task *t, const ivl_head_rows *rows,
                          const ivl_head_rule *rule, ivl_head_epoch *history)
{
    batch k = { .b = rule->batch < rows->n ? rule->batch : rows->n };
    IVL_CHECK(k.b * t->per > 1, IVL_EINVAL, "a head needs at least two pictures to train on");
    ivl_status st = open_train(dev, t, rows, rule, &k);
    if (st == IVL_OK) st = epochs(s, t, rows, rule, &k, history);
    batch_close(&k);
    return st;
}

static ivl_status apply_all(ivl_stream *s, const ivl_head_task *t, const ivl_head_rows *rows, const batch *k,
                            float *logits, ivl_head_visit visit, void *ctx)
{
    int64_t one = t->per * t->classes, views = rows->views > 0 ? rows->views : 1;
    int32_t *ids = place(k, k->ids);
    for (int64_t i = 0; i < rows->n; i += k->b) {
        int64_t n = rows->n - i < k->b ? rows->n - i : k->b;
        for (int64_t b = 0; b < k->b; b++) ids[b] = (int32_t)((b < n ? i + b : i) * views);
        IVL_TRY(ivl_plan_feed(k->plan, s, k->slot, 0));
        IVL_TRY(ivl_plan_run(k->plan, s));
        IVL_TRY(ivl_plan_read(k->plan, s, k->logits, logits, (size_t)(k->b * one) * sizeof *logits));
        for (int64_t b = 0; b < n; b++) visit(ctx, i + b, logits + b * one);
    }
    return IVL_OK;
}

ivl_status ivl_head_apply(ivl_device *dev, ivl_stream *s, const ivl_head_task *t, const ivl_head_rows *rows, int size,
                          ivl_head_visit visit, void *ctx)
{
    batch k = { .b = size < rows->n ? size : rows->n };
    if (!rows->n) return IVL_OK;
    float *logits = malloc((size_t)(k.b * t->per * t->classes) * sizeof *logits);
    ivl_status st = logits ? ivl_graph_create(&k.g) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (st == IVL_OK) {
        ivl_head_scope scope = { k.g, t->heads, "", false };
        k.logits = ivl_keep(k.g, t->logits(&scope, take_rows(&k, &rows->table), t->ctx, NULL));
        st = finish(dev, &k);
    }
    if (st == IVL_OK) st = apply_all(s, t, rows, &k, logits, visit, ctx);
    batch_close(&k);
    free(logits);
    return st;
}
