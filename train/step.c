#include "train/step.h"

#include <stdlib.h>
#include <string.h>

#include "train/trace.h"

/* A graph and its plan. */
typedef struct part { ivl_graph *g; ivl_plan *plan; } part;

struct ivl_step {
    ivl_step_shape    shape;
    ivl_step_layout   layout;
    const ivl_params *params;
    ivl_device       *dev;
    /* whole: everything in one plan, or the last part (norm, AdamW) when micro-batches are used */
    part              features, loss, backward, update;
    bool              one;                 /* only `update` is used, and holds the whole step */
    ivl_val           image, text;         /* of features: what it computes */
    ivl_val           all_image, all_text; /* of loss: the whole batch's features, inputs */
    ivl_val           seed_image, seed_text;
    ivl_buffer        result, kept;        /* kept: features of the batch, then their gradients */
    size_t            feature_bytes;       /* of one micro-batch and one side */
};

/* What a record of `micro` rows holds, as values of one graph. */
typedef struct record {
    ivl_vit_input vit;
    ivl_val       drop_all, drop[2 * 256], ids, len, last, itm, ignore, labels, same, hyper;
} record;

/* The texts of stage 2 and of retrieval fine-tuning. */
static void declare_texts(ivl_graph *g, const ivl_step_shape *s, record *r)
{
    int64_t b = s->micro, l = s->text_len, three = 3 * b;
    bool retrieval = s->stage == IVL_STEP_RETRIEVAL;
    int64_t pairs = retrieval ? 2 * b : b;
    r->ids = ivl_input(g, "ids", IVL_I32, 2, (int64_t[]){ three, l });
    r->len = ivl_input(g, "len", IVL_I32, 1, &three);
    r->last = ivl_input(g, "last", IVL_I32, 1, &b);
    r->itm = ivl_input(g, "itm", IVL_I32, 1, &pairs);
    if (retrieval) {
        r->same = ivl_input(g, "same", IVL_F32, 2, (int64_t[]){ b, b });
        return;
    }
    r->ignore = ivl_input(g, "ignore", IVL_I32, 1, &b);
    r->labels = ivl_input(g, "labels", IVL_I32, 2, (int64_t[]){ b, l });
}

static record declare(ivl_graph *g, const ivl_step_scope *scope, const ivl_step_shape *s)
{
    record r = { .vit = { .keep = IVL_NONE, .resize = IVL_NONE }, .drop_all = IVL_NONE, .itm = IVL_NONE,
                 .ignore = IVL_NONE, .labels = IVL_NONE, .same = IVL_NONE };
    int64_t b = s->micro, size = s->image_size, layers = scope->config->vit.layers;
    r.vit.pixels = s->float_pixels ? ivl_input(g, "pixels", IVL_F32, 4, (int64_t[]){ b, 3, size, size })
                                   : ivl_input(g, "pixels", IVL_U8, 4, (int64_t[]){ b, size, size, 3 });
    if (s->stage == IVL_STEP_STAGE1) {
        r.ids = ivl_input(g, "ids", IVL_I32, 2, (int64_t[]){ b, s->text_len });
        r.len = ivl_input(g, "len", IVL_I32, 1, &b);
        r.last = ivl_input(g, "last", IVL_I32, 1, &b);
    } else {
        declare_texts(g, s, &r);
    }
    if (s->patches) r.vit.keep = ivl_input(g, "keep", IVL_I32, 2, (int64_t[]){ b, s->patches });
    if (s->drop_path) r.drop_all = ivl_input(g, "drop", IVL_F32, 2, (int64_t[]){ 2 * layers, b });
    r.hyper = ivl_input(g, "hyper", IVL_F32, 2, (int64_t[]){ scope->params->n_ranges, 4 });
    for (int i = 0; s->drop_path && i < 2 * layers; i++) r.drop[i] = ivl_row(g, r.drop_all, i);
    if (scope->resize) r.vit.resize = ivl_extern(g, scope->resize, NULL);
    return r;
}

static void encode(const ivl_scope *s, record *r, bool drop_path, ivl_val *image, ivl_val *text)
{
    r->vit.drop = drop_path ? r->drop : NULL;
    *image = ivl_l2_norm(s->g, ivl_encode_image(s, &r->vit));
    *text = ivl_l2_norm(s->g, ivl_encode_text(s, r->ids, r->len, r->last));
}

static ivl_val result_of(const ivl_step_plan *p, ivl_graph *g, int i)
{
    ivl_tensor t = ivl_tensor_make(IVL_F32, 1, (int64_t[]){ IVL_STEP_RESULT });
    t.buf = p->result, t.name = "result";
    return ivl_row(g, ivl_extern(g, &t, NULL), i);
}

static void report(const ivl_step_plan *p, ivl_graph *g, ivl_val v, int i)
{
    if (v.id >= 0) ivl_cast_into(g, v, result_of(p, g, i));
}

static void update(const ivl_step_plan *p, const ivl_scope *s, ivl_val hyper, const ivl_step_rule *rule)
{
    report(p, s->g, ivl_logit_scale(s), IVL_STEP_SCALE);
    report(p, s->g, ivl_optimise(s, hyper, &rule->adamw), IVL_STEP_NORM);
}

/* --- recording the parts ------------------------------------------------------------------------------------------ */

static ivl_status begin(part *q, ivl_scope *s, const ivl_step_scope *scope, bool train)
{
    IVL_TRY(ivl_graph_create(&q->g));
    *s = (ivl_scope){ q->g, scope->params, scope->config, scope->dtype, train };
    return IVL_OK;
}

static size_t offset_of(const part *q, ivl_val v) { return v.id >= 0 ? ivl_plan_io_offset(q->plan, v) : 0; }

static void take_layout(ivl_step_plan *p, const part *q, const record *r)
{
    ivl_step_layout *l = &p->layout;
    l->pixels = ivl_plan_io_offset(q->plan, r->vit.pixels);
    l->ids = ivl_plan_io_offset(q->plan, r->ids);
    l->len = ivl_plan_io_offset(q->plan, r->len);
    l->last = ivl_plan_io_offset(q->plan, r->last);
    l->keep = offset_of(q, r->vit.keep), l->drop = offset_of(q, r->drop_all);
    l->itm = offset_of(q, r->itm), l->ignore = offset_of(q, r->ignore);
    l->labels = offset_of(q, r->labels), l->same = offset_of(q, r->same);
    l->hyper = ivl_plan_io_offset(q->plan, r->hyper);
    l->bytes = ivl_plan_io_bytes(q->plan);
}

/* The loss of a whole batch, with its parts reported. */
static ivl_val record_stage2(const ivl_step_plan *p, const ivl_scope *s, record *r)
{
    r->vit.drop = p->shape.drop_path ? r->drop : NULL;
    ivl_stage2_input in = { ivl_vit(s, &r->vit, NULL), r->ids, r->len, r->last, r->itm, r->ignore, r->labels, r->same };
    bool retrieval = p->shape.stage == IVL_STEP_RETRIEVAL;
    ivl_stage2_output o = retrieval ? ivl_retrieval(s, &in) : ivl_stage2(s, &in);
    report(p, s->g, o.itm, IVL_STEP_ITM), report(p, s->g, o.itc, IVL_STEP_ITC), report(p, s->g, o.itg, IVL_STEP_ITG);
    report(p, s->g, o.itm_hits, IVL_STEP_ITM_HITS), report(p, s->g, o.itg_hits, IVL_STEP_ITG_HITS);
    ivl_val sum = ivl_add(s->g, o.itm, o.itc);
    return retrieval ? sum : ivl_add(s->g, sum, o.itg);
}

static ivl_val record_stage1(const ivl_step_plan *p, const ivl_scope *s, record *r)
{
    ivl_val image, text;
    encode(s, r, p->shape.drop_path, &image, &text);
    return ivl_stage1_loss(s, image, text);
}

static ivl_status record_whole(ivl_step_plan *p, const ivl_step_scope *scope, const ivl_step_rule *rule,
                               const ivl_plan_options *o)
{
    ivl_scope s;
    IVL_TRY(begin(&p->update, &s, scope, true));
    record r = declare(s.g, scope, &p->shape);
    ivl_val loss = p->shape.stage == IVL_STEP_STAGE1 ? record_stage1(p, &s, &r) : record_stage2(p, &s, &r);
    report(p, s.g, loss, IVL_STEP_LOSS);
    IVL_TRY(ivl_graph_backward(s.g, &(ivl_backward){ .out = &loss, .n = 1, .recompute = rule->recompute }));
    update(p, &s, r.hyper, rule);
    IVL_TRY(ivl_plan_create(p->dev, s.g, o, &p->update.plan));
    take_layout(p, &p->update, &r);
    return IVL_OK;
}

static ivl_status record_features(ivl_step_plan *p, const ivl_step_scope *scope, const ivl_plan_options *o)
{
    ivl_scope s;
    IVL_TRY(begin(&p->features, &s, scope, false));
    record r = declare(s.g, scope, &p->shape);
    encode(&s, &r, p->shape.drop_path, &p->image, &p->text);
    ivl_keep(s.g, p->image), ivl_keep(s.g, p->text);
    IVL_TRY(ivl_plan_create(p->dev, s.g, o, &p->features.plan));
    take_layout(p, &p->features, &r);
    return IVL_OK;
}

static ivl_tensor kept_tensor(const ivl_step_plan *p, const ivl_step_scope *scope, int side, bool gradient)
{
    ivl_tensor t = ivl_tensor_make(scope->dtype, 2, (int64_t[]){ p->shape.batch, scope->config->embed_dim });
    t.buf = p->kept;
    t.off = ivl_numel(&t) * (side + 2 * gradient);
    static const char *const name[] = { "all images", "all texts", "d all images", "d all texts" };
    t.name = name[side + 2 * gradient];
    return t;
}

/* Loss of the whole batch from kept features; their gradients go beside them. */
static ivl_status record_loss(ivl_step_plan *p, const ivl_step_scope *scope, const ivl_plan_options *o)
{
    ivl_scope s;
    IVL_TRY(begin(&p->loss, &s, scope, true));
    ivl_val side[2];
    for (int i = 0; i < 2; i++) {
        ivl_tensor value = kept_tensor(p, scope, i, false), grad = kept_tensor(p, scope, i, true);
        side[i] = ivl_extern(s.g, &value, &grad);
    }
    ivl_val loss = ivl_stage1_loss(&s, side[0], side[1]);
    report(p, s.g, loss, IVL_STEP_LOSS);
    IVL_TRY(ivl_graph_backward(s.g, &(ivl_backward){ .out = &loss, .n = 1 }));
    return ivl_plan_create(p->dev, s.g, o, &p->loss.plan);
}

static ivl_status record_backward(ivl_step_plan *p, const ivl_step_scope *scope, const ivl_step_rule *rule,
                                  const ivl_plan_options *o)
{
    ivl_scope s;
    ivl_val out[2];
    IVL_TRY(begin(&p->backward, &s, scope, true));
    record r = declare(s.g, scope, &p->shape);
    int64_t dim[] = { p->shape.micro, scope->config->embed_dim };
    p->seed_image = ivl_input(s.g, "seed of images", scope->dtype, 2, dim);
    p->seed_text = ivl_input(s.g, "seed of texts", scope->dtype, 2, dim);
    encode(&s, &r, p->shape.drop_path, &out[0], &out[1]);
    ivl_val seed[] = { p->seed_image, p->seed_text };
    IVL_TRY(ivl_graph_backward(s.g, &(ivl_backward){ .out = out, .seed = seed, .n = 2, .accumulate = true,
                                                     .recompute = rule->recompute }));
    return ivl_plan_create(p->dev, s.g, o, &p->backward.plan);
}

static ivl_status record_update(ivl_step_plan *p, const ivl_step_scope *scope, const ivl_step_rule *rule,
                                const ivl_plan_options *o)
{
    ivl_scope s;
    IVL_TRY(begin(&p->update, &s, scope, false));
    record r = declare(s.g, scope, &p->shape);
    update(p, &s, r.hyper, rule);
    return ivl_plan_create(p->dev, s.g, o, &p->update.plan);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static ivl_status check_shape(const ivl_step_scope *scope, const ivl_step_shape *s)
{
    IVL_CHECK(s->batch > 0 && s->micro > 0 && s->batch % s->micro == 0, IVL_EINVAL,
              "a batch of %d cannot be cut into micro-batches of %d", s->batch, s->micro);
    IVL_CHECK(s->stage == IVL_STEP_STAGE1 || s->batch == s->micro, IVL_EUNSUPPORTED,
              "only stage 1 is cut into micro-batches: its features can be kept");
    IVL_CHECK(s->stage == IVL_STEP_STAGE1 || scope->config->text.queries, IVL_EINVAL,
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
    if (!p->one) IVL_TRY(ivl_alloc(p->dev, IVL_MEM_DEVICE, 4 * row * (size_t)p->shape.batch, &p->kept));
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
    if (s == IVL_OK && p->one) s = record_whole(p, scope, rule, options);
    if (s == IVL_OK && !p->one) s = record_features(p, scope, options);
    if (s == IVL_OK && !p->one) s = record_loss(p, scope, options);
    if (s == IVL_OK && !p->one) s = record_backward(p, scope, rule, options);
    if (s == IVL_OK && !p->one) s = record_update(p, scope, rule, options);
    if (s != IVL_OK) {
        ivl_step_destroy(p);
        return s;
    }
    *p_p = p;
    return IVL_OK;
}

static void part_destroy(part *q)
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
    const part *q[] = { &p->features, &p->loss, &p->backward, &p->update };
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
    for (int i = 0; i < p->params->n_ranges; i++) { /* gradients of micro-batches add up from zero */
        const ivl_tensor *g = &p->params->range[i].grad;
        if (p->params->range[i].trainable)
            IVL_TRY(ivl_fill(s, g->buf, ivl_dtype_bytes(g->dtype, g->off), ivl_dtype_bytes(g->dtype, ivl_numel(g)), 0));
    }
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
    if (p->one) {
        IVL_TRY(ivl_plan_feed(p->update.plan, s, slots[0], 0));
        IVL_TRY(ivl_plan_run(p->update.plan, s));
    } else {
        IVL_TRY(run_micro(p, s, slots));
    }
    return ivl_copy(s, result, result_off, p->result, 0, IVL_STEP_RESULT * sizeof(float));
}

ivl_status ivl_step_trace(ivl_step_plan *p, ivl_stream *s, ivl_buffer slot, bool *found_p, char *text, size_t n)
{
    ivl_plan *plan = p->one ? p->update.plan : p->features.plan;
    IVL_TRY(ivl_plan_feed(plan, s, slot, 0));
    return ivl_trace_nan(plan, s, found_p, text, n);
}

ivl_plan *ivl_step_whole(const ivl_step_plan *p) { return p->one ? p->update.plan : NULL; }

void ivl_step_print(const ivl_step_plan *p, FILE *f, bool nodes)
{
    static const char *const name[] = { "features", "loss", "backward", "update" };
    const part *q[] = { &p->features, &p->loss, &p->backward, &p->update };
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
