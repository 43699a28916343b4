#include "train/step.h"

#include <stdlib.h>

#include "train/step_parts.h"
#include "train/trace.h"

/* --- life --------------------------------------------------------------------------------------------------------- */

static ivl_status check_shape(const ivl_step_scope *scope, const ivl_step_shape *s)
{
    IVL_CHECK(s->batch > 0 && s->micro > 0 && s->batch % s->micro == 0, IVL_EINVAL,
              "a batch of %d cannot be cut into micro-batches of %d", s->batch, s->micro);
    bool first = s->stage == IVL_STEP_STAGE1, chat = s->stage == IVL_STEP_CHAT;
    IVL_CHECK(first || chat || s->batch == s->micro, IVL_EUNSUPPORTED,
              "stages 1 and 3 are cut into micro-batches, not stage 2: its matching and contrast need the whole batch");
    IVL_CHECK(first || chat || scope->config->text.queries, IVL_EINVAL,
              "this model has no queries (num_query_token 0): stage 2 needs them");
    IVL_CHECK(s->image_size > 0 && s->image_size % scope->config->vit.patch == 0, IVL_EINVAL,
              "image size %d is no multiple of the patch size %d", s->image_size, scope->config->vit.patch);
    IVL_CHECK(scope->config->vit.layers <= 256, IVL_EUNSUPPORTED, "more than 256 layers");
    return IVL_OK;
}

static ivl_status allocate(ivl_step_plan *p, const ivl_step_scope *scope)
{
    size_t row = ivl_dtype_bytes(scope->dtype, scope->config->embed_dim);
    p->feature_bytes = row * (size_t)p->shape.micro;
    if (!p->dev) return IVL_OK;
    IVL_TRY(ivl_alloc(p->dev, IVL_MEM_DEVICE, IVL_STEP_RESULT * sizeof(float), &p->result));
    if (!p->one && p->shape.stage == IVL_STEP_STAGE1)
        IVL_TRY(ivl_alloc(p->dev, IVL_MEM_DEVICE, 4 * row * (size_t)p->shape.batch, &p->kept));
    return IVL_OK;
}

ivl_status ivl_step_create(ivl_device *dev, const ivl_step_scope *scope, const ivl_step_shape *shape,
                           const ivl_step_rule *rule, const ivl_plan_options *options, ivl_step_plan **p_p)
{
    IVL_TRY(check_shape(scope, shape));
    ivl_step_plan *p = calloc(1, sizeof *p);
    IVL_CHECK(p, IVL_ENOMEM, "out of memory");
    p->shape = *shape, p->dev = dev, p->params = scope->params, p->one = shape->batch == shape->micro;
    ivl_status s = allocate(p, scope);
    if (s == IVL_OK) s = ivl_step_record(p, scope, rule, options);
    if (s != IVL_OK) {
        ivl_step_destroy(p);
        return s;
    }
    *p_p = p;
    return IVL_OK;
}

static void part_destroy(ivl_step_part *q)
{
    ivl_plan_destroy(q->plan);
    ivl_graph_destroy(q->g);
}

void ivl_step_destroy(ivl_step_plan *p)
{
    if (!p) return;
    part_destroy(&p->features), part_destroy(&p->loss), part_destroy(&p->backward), part_destroy(&p->update);
    ivl_release(p->result), ivl_release(p->kept);
    free(p);
}

static int plans_of(const ivl_step_plan *p, ivl_plan **plan)
{
    const ivl_step_part *q[] = { &p->features, &p->loss, &p->backward, &p->update };
    int n = 0;
    for (int i = 0; i < 4; i++)
        if (q[i]->plan) plan[n++] = q[i]->plan;
    return n;
}

ivl_status ivl_step_bind(ivl_step_plan *const *plans, int n)
{
    ivl_plan *all[4 * 8];
    int k = 0;
    IVL_CHECK(n <= 8, IVL_EUNSUPPORTED, "more than 8 shapes in one run");
    for (int i = 0; i < n; i++) k += plans_of(plans[i], all + k);
    return ivl_plan_bind(all, k);
}

const ivl_step_layout *ivl_step_layout_of(const ivl_step_plan *p) { return &p->layout; }

/* --- running -------------------------------------------------------------------------------------- */

static ivl_status copy_side(const ivl_step_plan *p, ivl_stream *s, const ivl_tensor *t, size_t kept_off, bool to_kept)
{
    size_t off = ivl_dtype_bytes(t->dtype, t->off);
    return to_kept ? ivl_copy(s, p->kept, kept_off, t->buf, off, p->feature_bytes)
                   : ivl_copy(s, t->buf, off, p->kept, kept_off, p->feature_bytes);
}

/* Gradients of micro-batches add up from zero. */
static ivl_status clear_gradients(const ivl_step_plan *p, ivl_stream *s)
{
    for (int i = 0; i < p->params->n_ranges; i++) {
        const ivl_tensor *g = &p->params->range[i].grad;
        if (p->params->range[i].trainable)
            IVL_TRY(ivl_fill(s, g->buf, ivl_dtype_bytes(g->dtype, g->off), ivl_dtype_bytes(g->dtype, ivl_numel(g)), 0));
    }
    return IVL_OK;
}

static ivl_status copy_result(const ivl_step_plan *p, ivl_stream *s, ivl_buffer result, size_t off, int row)
{
    size_t bytes = IVL_STEP_RESULT * sizeof(float);
    return ivl_copy(s, result, off + (size_t)row * bytes, p->result, 0, bytes);
}

/* Conversations: a row of results for each micro-batch; the last gets the update's, too. */
static ivl_status run_parts(ivl_step_plan *p, ivl_stream *s, const ivl_buffer *slots, ivl_buffer result, size_t off)
{
    int n = p->shape.batch / p->shape.micro;
    IVL_TRY(clear_gradients(p, s));
    for (int i = 0; i < n; i++) {
        IVL_TRY(ivl_plan_feed(p->backward.plan, s, slots[i], 0));
        IVL_TRY(ivl_plan_run(p->backward.plan, s));
        if (i + 1 < n) IVL_TRY(copy_result(p, s, result, off, i));
    }
    IVL_TRY(ivl_plan_feed(p->update.plan, s, slots[n - 1], 0));
    IVL_TRY(ivl_plan_run(p->update.plan, s));
    return copy_result(p, s, result, off, n - 1);
}

static ivl_status run_micro(ivl_step_plan *p, ivl_stream *s, const ivl_buffer *slots)
{
    int n = p->shape.batch / p->shape.micro;
    size_t side = p->feature_bytes * (size_t)n;
    for (int i = 0; i < n; i++) {
        size_t at = p->feature_bytes * (size_t)i;
        IVL_TRY(ivl_plan_feed(p->features.plan, s, slots[i], 0));
        IVL_TRY(ivl_plan_run(p->features.plan, s));
        IVL_TRY(copy_side(p, s, ivl_plan_tensor(p->features.plan, p->image), at, true));
        IVL_TRY(copy_side(p, s, ivl_plan_tensor(p->features.plan, p->text), side + at, true));
    }
    IVL_TRY(clear_gradients(p, s));
    IVL_TRY(ivl_plan_run(p->loss.plan, s));
    for (int i = 0; i < n; i++) {
        size_t at = p->feature_bytes * (size_t)i;
        ivl_plan *b = p->backward.plan;
        const ivl_tensor *io = ivl_plan_tensor(b, p->seed_image);
        IVL_TRY(ivl_copy(s, io->buf, 0, slots[i], 0, p->layout.bytes));
        IVL_TRY(copy_side(p, s, io, 2 * side + at, false));
        IVL_TRY(copy_side(p, s, ivl_plan_tensor(b, p->seed_text), 3 * side + at, false));
        IVL_TRY(ivl_plan_run(b, s));
    }
    return ivl_plan_run(p->update.plan, s); /* its record, the last micro-batch's, is in place */
}

ivl_status ivl_step_run(ivl_step_plan *p, ivl_stream *s, const ivl_buffer *slots, ivl_buffer result, size_t result_off)
{
    if (!p->one && p->shape.stage == IVL_STEP_CHAT) return run_parts(p, s, slots, result, result_off);
    if (p->one) {
        IVL_TRY(ivl_plan_feed(p->update.plan, s, slots[0], 0));
        IVL_TRY(ivl_plan_run(p->update.plan, s));
    } else {
        IVL_TRY(run_micro(p, s, slots));
    }
    return copy_result(p, s, result, result_off, 0);
}

ivl_status ivl_step_trace(ivl_step_plan *p, ivl_stream *s, ivl_buffer slot, bool *found_p, char *text, size_t n)
{
    ivl_plan *plan = p->one ? p->update.plan : p->features.plan ? p->features.plan : p->backward.plan;
    IVL_TRY(ivl_plan_feed(plan, s, slot, 0));
    return ivl_trace_nan(plan, s, found_p, text, n);
}

ivl_plan *ivl_step_whole(const ivl_step_plan *p) { return p->one ? p->update.plan : NULL; }

void ivl_step_print(const ivl_step_plan *p, FILE *f, bool nodes)
{
    static const char *const name[] = { "features", "loss", "backward", "update" };
    const ivl_step_part *q[] = { &p->features, &p->loss, &p->backward, &p->update };
    for (int i = 0; i < 4; i++) {
        if (!q[i]->plan) continue;
        fprintf(f, "plan: %s\n", p->one ? "step" : name[i]);
        ivl_plan_print(q[i]->plan, f, nodes);
    }
}

ivl_plan_size ivl_step_sizes(const ivl_step_plan *p)
{
    ivl_plan *plan[4];
    ivl_plan_size sum = { 0 };
    double times = p->shape.batch / p->shape.micro;
    for (int i = 0, n = plans_of(p, plan); i < n; i++) {
        ivl_plan_size z = ivl_plan_sizes(plan[i]);
        bool once = p->one || plan[i] == p->loss.plan || plan[i] == p->update.plan;
        sum.nodes += z.nodes;
        sum.flops += z.flops * (once ? 1 : times);
        if (z.work > sum.work) sum.work = z.work, sum.slabs = z.slabs;
        if (z.io > sum.io) sum.io = z.io;
        if (z.largest > sum.largest) sum.largest = z.largest;
    }
    return sum;
}
