/* Recording the plans of a training step. */
#include "train/step_parts.h"

/* What a record of `micro` rows holds, as values of one graph. */
typedef struct record {
    ivl_vit_input vit;
    ivl_val       drop_all, drop[2 * 256], ids, len, last, itm, ignore, labels, same, hyper;
    ivl_val       index, inverse, answer, predicts, share;
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

/* Pictures in texts, and what of them is learnt. */
static void declare_conversations(ivl_graph *g, const ivl_step_scope *scope, const ivl_step_shape *s, record *r)
{
    int64_t b = s->micro, n = s->text_len, a = s->answers, k = ivl_chat_picture_tokens(scope->chat, s->image_size);
    r->ids = ivl_input(g, "ids", IVL_I32, 2, (int64_t[]){ b, n });
    r->len = ivl_input(g, "len", IVL_I32, 1, &b);
    r->index = ivl_input(g, "index", IVL_I32, 2, (int64_t[]){ b, n });
    r->inverse = ivl_input(g, "inverse", IVL_I32, 2, (int64_t[]){ b * s->pictures, k });
    r->answer = ivl_input(g, "answer", IVL_I32, 2, (int64_t[]){ b, a });
    r->predicts = ivl_input(g, "predicts", IVL_I32, 2, (int64_t[]){ b, n });
    r->labels = ivl_input(g, "labels", IVL_I32, 2, (int64_t[]){ b, a });
    if (s->micro < s->batch) r->share = ivl_input(g, "share", IVL_F32, 0, NULL);
}

static record declare(ivl_graph *g, const ivl_step_scope *scope, const ivl_step_shape *s)
{
    record r = { .vit = { .keep = IVL_NONE, .resize = IVL_NONE }, .drop_all = IVL_NONE, .last = IVL_NONE,
                 .itm = IVL_NONE, .ignore = IVL_NONE, .labels = IVL_NONE, .same = IVL_NONE, .index = IVL_NONE,
                 .inverse = IVL_NONE, .answer = IVL_NONE, .predicts = IVL_NONE, .share = IVL_NONE };
    int64_t b = s->micro, size = s->image_size, layers = scope->config->vit.layers;
    int64_t pictures = s->stage == IVL_STEP_CHAT ? b * s->pictures : b;
    r.vit.pixels = s->float_pixels ? ivl_input(g, "pixels", IVL_F32, 4, (int64_t[]){ pictures, 3, size, size })
                                   : ivl_input(g, "pixels", IVL_U8, 4, (int64_t[]){ pictures, size, size, 3 });
    if (s->stage == IVL_STEP_STAGE1) {
        r.ids = ivl_input(g, "ids", IVL_I32, 2, (int64_t[]){ b, s->text_len });
        r.len = ivl_input(g, "len", IVL_I32, 1, &b);
        r.last = ivl_input(g, "last", IVL_I32, 1, &b);
    } else if (s->stage == IVL_STEP_CHAT) {
        declare_conversations(g, scope, s, &r);
    } else {
        declare_texts(g, s, &r);
    }
    if (s->patches) r.vit.keep = ivl_input(g, "keep", IVL_I32, 2, (int64_t[]){ b, s->patches });
    if (s->drop_path) r.drop_all = ivl_input(g, "drop", IVL_F32, 2, (int64_t[]){ 2 * layers, pictures });
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
    if (ivl_params_find(s->params, "logit_scale")) report(p, s->g, ivl_logit_scale(s), IVL_STEP_SCALE);
    report(p, s->g, ivl_optimise(s, hyper, &rule->adamw), IVL_STEP_NORM);
}

/* --- recording the parts ------------------------------------------------------------------------------------------ */

static ivl_status begin(ivl_step_part *q, ivl_scope *s, const ivl_step_scope *scope, bool train)
{
    IVL_TRY(ivl_graph_create(&q->g));
    *s = (ivl_scope){ q->g, scope->params, scope->config, scope->dtype, train };
    return IVL_OK;
}

static size_t offset_of(const ivl_step_part *q, ivl_val v) { return v.id >= 0 ? ivl_plan_io_offset(q->plan, v) : 0; }

static void take_layout(ivl_step_plan *p, const ivl_step_part *q, const record *r)
{
    ivl_step_layout *l = &p->layout;
    l->pixels = ivl_plan_io_offset(q->plan, r->vit.pixels);
    l->ids = ivl_plan_io_offset(q->plan, r->ids);
    l->len = ivl_plan_io_offset(q->plan, r->len);
    l->last = offset_of(q, r->last);
    l->keep = offset_of(q, r->vit.keep), l->drop = offset_of(q, r->drop_all);
    l->itm = offset_of(q, r->itm), l->ignore = offset_of(q, r->ignore);
    l->labels = offset_of(q, r->labels), l->same = offset_of(q, r->same);
    l->index = offset_of(q, r->index), l->inverse = offset_of(q, r->inverse);
    l->answer = offset_of(q, r->answer), l->predicts = offset_of(q, r->predicts), l->share = offset_of(q, r->share);
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

static ivl_val record_chat(const ivl_step_plan *p, const ivl_scope *s, const ivl_step_scope *scope, record *r)
{
    ivl_val hits = IVL_NONE;
    r->vit.drop = p->shape.drop_path ? r->drop : NULL;
    ivl_chat_input in = { r->ids, r->len, r->index, r->inverse };
    ivl_chat_answers a = { r->answer, r->predicts, r->labels };
    ivl_val pictures = ivl_chat_pictures(s, scope->chat, &r->vit);
    ivl_val loss = ivl_chat_loss(s, scope->chat, pictures, &in, &a, &hits);
    report(p, s->g, hits, IVL_STEP_HITS);
    return loss;
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
    ivl_step_stage stage = p->shape.stage;
    ivl_val loss = stage == IVL_STEP_STAGE1 ? record_stage1(p, &s, &r)
                   : stage == IVL_STEP_CHAT ? record_chat(p, &s, scope, &r)
                                            : record_stage2(p, &s, &r);
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

/* A micro-batch of conversations: its loss, and its gradient by its share. */
static ivl_status record_part(ivl_step_plan *p, const ivl_step_scope *scope, const ivl_step_rule *rule,
                              const ivl_plan_options *o)
{
    ivl_scope s;
    IVL_TRY(begin(&p->backward, &s, scope, true));
    record r = declare(s.g, scope, &p->shape);
    ivl_val loss = record_chat(p, &s, scope, &r);
    report(p, s.g, loss, IVL_STEP_LOSS);
    IVL_TRY(ivl_graph_backward(s.g, &(ivl_backward){ .out = &loss, .seed = &r.share, .n = 1, .accumulate = true,
                                                     .recompute = rule->recompute }));
    IVL_TRY(ivl_plan_create(p->dev, s.g, o, &p->backward.plan));
    take_layout(p, &p->backward, &r);
    return IVL_OK;
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

ivl_status ivl_step_record(ivl_step_plan *p, const ivl_step_scope *scope, const ivl_step_rule *rule,
                           const ivl_plan_options *o)
{
    if (p->one) return record_whole(p, scope, rule, o);
    if (p->shape.stage == IVL_STEP_CHAT) {
        IVL_TRY(record_part(p, scope, rule, o));
        return record_update(p, scope, rule, o);
    }
    IVL_TRY(record_features(p, scope, o));
    IVL_TRY(record_loss(p, scope, o));
    IVL_TRY(record_backward(p, scope, rule, o));
    return record_update(p, scope, rule, o);
}
