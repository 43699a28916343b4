#include "train/probe.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "runtime/file.h"
#include "train/classes.h"
#include "runtime/json_save.h"

typedef struct probe {
    const ivl_probe_options *o;
    ivl_head_rule   rule;
    ivl_classes     classes, test_classes; /* the latter where there is a test set of its own */
    ivl_split       split;
    ivl_head_rows   train, test;
    uint16_t       *label, *test_label;
    ivl_heads      *heads;
    ivl_head_epoch *history;
    int64_t        *seen, *right; /* per class */
    int64_t         hits, hits5;
} probe;

static void probe_close(probe *p)
{
    ivl_release(p->train.table.buf), ivl_release(p->test.table.buf);
    ivl_heads_destroy(p->heads);
    ivl_split_close(&p->split);
    ivl_classes_free(&p->classes), ivl_classes_free(&p->test_classes);
    free(p->label), free(p->test_label), free(p->history), free(p->seen), free(p->right);
}

/* --- data ----------------------------------------------------------------------------------------- */

/* Number of the class of a test record among those trained on. */
static ivl_status test_label(const probe *p, int64_t record, uint16_t *label_p)
{
    char where[512];
    const ivl_classes *c = &p->test_classes;
    int label = p->o->val ? ivl_classes_find(&p->classes, c->name[c->label[record]]) : p->classes.label[record];
    IVL_CHECK(label >= 0, IVL_EFORMAT, "%s: its class %s is not in the training data",
              ivl_dataset_where(p->split.test, record, where, sizeof where), c->name[c->label[record]]);
    *label_p = (uint16_t)label;
    return IVL_OK;
}

static ivl_status read_data(probe *p)
{
    const ivl_probe_options *o = p->o;
    IVL_TRY(ivl_split_open(o, &p->split));
    IVL_TRY(ivl_classes_read(p->split.train, &p->classes));
    if (o->val) IVL_TRY(ivl_classes_read(p->split.test, &p->test_classes));
    IVL_CHECK(p->classes.n > 1 && p->classes.n < IVL_NO_LABEL, IVL_EFORMAT, "%s: %d classes; two or more are needed",
              o->data, p->classes.n);
    IVL_TRY(ivl_split_deal(o, NULL, p->classes.label, &p->split));
    p->label = malloc((size_t)p->split.n * sizeof *p->label);
    p->test_label = malloc((size_t)p->split.n_held * sizeof *p->test_label);
    p->seen = calloc((size_t)p->classes.n, sizeof *p->seen);
    p->right = calloc((size_t)p->classes.n, sizeof *p->right);
    IVL_CHECK(p->label && p->test_label && p->seen && p->right, IVL_ENOMEM, "out of memory");
    for (int64_t i = 0; i < p->split.n; i++) p->label[i] = (uint16_t)p->classes.label[p->split.record[i]];
    for (int64_t i = 0; i < p->split.n_held; i++) IVL_TRY(test_label(p, p->split.held[i], &p->test_label[i]));
    return IVL_OK;
}

/* --- training and scores --------------------------------------------------------------------------- */

static ivl_val logits(const ivl_head_scope *s, ivl_val rows, const void *ctx, ivl_val *auxiliary_p)
{
    (void)ctx, (void)auxiliary_p;
    return ivl_probe_head(s, rows);
}

static void visit(void *ctx, int64_t row, const float *z)
{
    probe *p = ctx;
    int own = p->test_label[row], before = 0;
    for (int c = 0; c < p->classes.n; c++) before += z[c] > z[own] || (z[c] == z[own] && c < own);
    p->seen[own]++, p->right[own] += before == 0;
    p->hits += before == 0, p->hits5 += before < 5;
}

static void settle_rule(const ivl_probe_options *o, int64_t n, ivl_head_rule *r)
{
    *r = o->rule;
    if (!r->batch) r->batch = n / 16 < 16 ? 16 : n / 16 > 1024 ? 1024 : (int)(n / 16);
    if (r->rate <= 0) r->rate = r->batch > 154 ? 0.1 * r->batch / 512 : 0.03;
}

static ivl_status train_and_test(ivl_device *dev, ivl_stream *s, probe *p)
{
    ivl_frozen_shape shape;
    IVL_TRY(ivl_split_features(dev, s, p->o, &p->split, &p->train, &p->test, &shape));
    p->train.label = p->label, p->test.label = p->test_label;
    settle_rule(p->o, p->split.n, &p->rule);
    p->history = calloc((size_t)p->rule.epochs, sizeof *p->history);
    IVL_CHECK(p->history, IVL_ENOMEM, "out of memory");
    IVL_TRY(ivl_heads_create(dev, IVL_F32, &p->heads));
    IVL_TRY(ivl_heads_add_probe(p->heads, "", shape.width, p->classes.n));
    IVL_TRY(ivl_heads_alloc(p->heads, true));
    IVL_TRY(ivl_heads_init(p->heads, s, p->rule.seed));
    ivl_head_task t = { .heads = p->heads, .logits = logits, .per = 1, .classes = p->classes.n };
    IVL_TRY(ivl_head_train(dev, s, &t, &p->train, &p->rule, p->history));
    return ivl_head_apply(dev, s, &t, &p->test, p->rule.batch, visit, p);
}

/* --- results --------------------------------------------------------------------------------------- */

static ivl_probe_result result_of(const probe *p)
{
    ivl_probe_result r = { .images = p->split.n, .test_images = p->split.n_held, .classes = p->classes.n };
    int with = 0;
    for (int c = 0; c < p->classes.n; c++)
        if (p->seen[c]) r.mean_per_class += (double)p->right[c] / (double)p->seen[c], with++;
    r.mean_per_class /= with;
    r.top1 = (double)p->hits / (double)r.test_images, r.top5 = (double)p->hits5 / (double)r.test_images;
    return r;
}

/* What naming the commonest class gives. */
static double majority(const probe *p)
{
    int64_t most = 0;
    for (int c = 0; c < p->classes.n; c++)
        if (p->seen[c] > most) most = p->seen[c];
    return (double)most / (double)p->split.n_held;
}

static json_t *history(const probe *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->rule.epochs; i++)
        json_array_append_new(list, json_pack("{s:i, s:f, s:f}", "epoch", i + 1, "loss", p->history[i].loss,
                                              "train_acc1", p->history[i].hits));
    return list;
}

static json_t *per_class(const probe *p)
{
    json_t *list = json_array();
    for (int c = 0; c < p->classes.n; c++)
        json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "name", p->classes.name[c], "images",
                                              (json_int_t)p->seen[c], "right", (json_int_t)p->right[c]));
    return list;
}

static json_t *as_json(const probe *p, const ivl_probe_result *r)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:i, s:i, s:f, s:i, s:{s:f, s:f, s:f}, s:f, s:f, s:o, s:o}",
                     "task", "linear_probe", "dataset", p->o->data, "model", p->o->frozen.model, "images",
                     (json_int_t)r->images, "test_images", (json_int_t)r->test_images, "classes", r->classes, "epochs",
                     p->rule.epochs, "batch", p->rule.batch, "lr", p->rule.rate, "views", p->o->views, "metrics",
                     "acc1", r->top1, "acc5", r->top5, "mean_per_class_recall", r->mean_per_class,
                     "chance", 1.0 / r->classes, "majority", majority(p), "history", history(p),
                     "per_class", per_class(p));
}

static ivl_status save(ivl_stream *s, const probe *p, const ivl_probe_result *r)
{
    const ivl_probe_options *o = p->o;
    IVL_TRY(ivl_make_dirs(o->out));
    char *heads = ivl_probe_path(o, "heads.safetensors"), *json = ivl_probe_path(o, "probe.json");
    ivl_status st = heads && json ? ivl_heads_save(p->heads, s, heads)
                                  : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (st == IVL_OK)
        st = ivl_json_save(as_json(p, r), json);
    free(heads), free(json);
    return st;
}

ivl_status ivl_probe(ivl_device *dev, const ivl_probe_options *o, ivl_probe_result *r_p)
{
    probe p = { .o = o };
    ivl_stream *s = NULL;
    ivl_status st = ivl_stream_open(dev, &s);
    if (st == IVL_OK) st = read_data(&p);
    if (st == IVL_OK) st = train_and_test(dev, s, &p);
    if (st == IVL_OK) {
        ivl_probe_result r = result_of(&p);
        st = save(s, &p, &r);
        if (st == IVL_OK) *r_p = r;
    }
    probe_close(&p);
    ivl_stream_close(s);
    return st;
}
