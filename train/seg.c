#include "train/probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "data/mask.h"
#include "runtime/file.h"
#include "runtime/json_save.h"
#include "train/seg_head.h"

static const double auxiliary_weight = 0.4;

typedef struct seg {
    const ivl_probe_options *o;
    const ivl_seg_head_kind *kind;
    ivl_head_rule   rule;
    ivl_split       split;
    ivl_head_rows   train, test;
    uint16_t       *label, *test_label; /* [n,side,side] */
    int             side, classes;
    ivl_frozen_shape frozen;
    ivl_seg_shape   shape; /* of the head */
    ivl_heads      *heads;
    ivl_head_epoch *history;
    int64_t        *counts; /* [label,predicted] */
    json_t         *names;
} seg;

static void seg_close(seg *p)
{
    ivl_release(p->train.table.buf), ivl_release(p->test.table.buf);
    ivl_heads_destroy(p->heads);
    ivl_split_close(&p->split);
    json_decref(p->names);
    free(p->label), free(p->test_label), free(p->history), free(p->counts);
}

/* --- label maps ----------------------------------------------------------------------------------- */

static ivl_status read_mask(seg *p, const ivl_dataset *ds, int64_t record, uint8_t *cells, uint16_t *label)
{
    ivl_mask_image m = { 0 };
    uint8_t *png = NULL;
    size_t n = 0;
    char where[512];
    IVL_TRY(ivl_dataset_read_mask(ds, record, &png, &n));
    ivl_status s = ivl_mask_decode(png, n, ivl_dataset_where(ds, record, where, sizeof where), &m);
    free(png);
    IVL_TRY(s);
    ivl_mask_resize(&m, p->side, p->side, cells);
    ivl_mask_free(&m);
    for (int64_t i = 0; i < (int64_t)p->side * p->side; i++) {
        label[i] = cells[i] == IVL_MASK_IGNORE ? IVL_NO_LABEL : cells[i];
        if (cells[i] != IVL_MASK_IGNORE && cells[i] >= p->classes) p->classes = cells[i] + 1;
    }
    return IVL_OK;
}

static ivl_status read_masks(seg *p, const ivl_dataset *ds, const int64_t *record, int64_t n, uint16_t **label_p)
{
    size_t cells = (size_t)p->side * (size_t)p->side;
    uint8_t *one = malloc(cells);
    uint16_t *label = *label_p = malloc(cells * (size_t)n * sizeof *label);
    ivl_status s = one && label ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__,
                                                    "no memory for %lld label maps of %d x %d", (long long)n, p->side,
                                                    p->side);
    for (int64_t i = 0; i < n && s == IVL_OK; i++) s = read_mask(p, ds, record[i], one, label + cells * (size_t)i);
    free(one);
    return s;
}

/* A class name per line. */
static ivl_status read_names(seg *p)
{
    char *text = NULL, *save = NULL;
    size_t n = 0;
    IVL_TRY(ivl_read_file(p->o->names, 1 << 20, &text, &n));
    p->names = json_array();
    for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save))
        json_array_append_new(p->names, json_string(line));
    free(text);
    IVL_CHECK((int)json_array_size(p->names) >= p->classes, IVL_EFORMAT, "%s: names %zu classes, and the masks hold %d",
              p->o->names, json_array_size(p->names), p->classes);
    return IVL_OK;
}

static ivl_status read_labels(seg *p)
{
    p->side = p->o->label_size ? p->o->label_size : p->frozen.image_size;
    IVL_TRY(read_masks(p, p->split.train, p->split.record, p->split.n, &p->label));
    IVL_TRY(read_masks(p, p->split.test, p->split.held, p->split.n_held, &p->test_label));
    IVL_CHECK(p->classes > 1, IVL_EFORMAT, "%s: the masks hold %d classes; two or more are needed", p->o->data,
              p->classes);
    p->counts = calloc((size_t)p->classes * (size_t)p->classes, sizeof *p->counts);
    IVL_CHECK(p->counts, IVL_ENOMEM, "out of memory");
    if (!p->o->names) return IVL_OK;
    return read_names(p);
}

/* --- training and scores -------------------------------------------------------------------------- */

static void visit(void *ctx, int64_t row, const float *z)
{
    seg *p = ctx;
    int64_t cells = (int64_t)p->side * p->side;
    const uint16_t *label = p->test_label + row * cells;
    for (int64_t i = 0; i < cells; i++, z += p->classes) {
        int best = 0;
        for (int c = 1; c < p->classes; c++)
            if (z[c] > z[best]) best = c;
        if (label[i] != IVL_NO_LABEL) p->counts[label[i] * p->classes + best]++;
    }
}

void ivl_seg_score(const int64_t *counts, int classes, ivl_seg_scores *s)
{
    int64_t all = 0, right = 0;
    int with_iou = 0, with_label = 0;
    s->miou = s->mean_accuracy = 0;
    for (int c = 0; c < classes; c++) {
        int64_t label = 0, predicted = 0, both = counts[(int64_t)c * classes + c];
        for (int k = 0; k < classes; k++) {
            label += counts[(int64_t)c * classes + k];
            predicted += counts[(int64_t)k * classes + c];
        }
        int64_t either = label + predicted - both;
        s->iou[c] = either ? (double)both / (double)either : NAN;
        s->accuracy[c] = label ? (double)both / (double)label : NAN;
        if (either) s->miou += s->iou[c], with_iou++;
        if (label) s->mean_accuracy += s->accuracy[c], with_label++;
        all += label, right += both;
    }
    s->miou = with_iou ? s->miou / with_iou : NAN;
    s->mean_accuracy = with_label ? s->mean_accuracy / with_label : NAN;
    s->pixel_accuracy = all ? (double)right / (double)all : NAN;
}

static ivl_status settle_rule(seg *p)
{
    ivl_head_rule *r = &p->rule;
    *r = p->o->rule;
    r->adamw = true;
    if (!r->batch) r->batch = 16;
    if (r->rate <= 0) r->rate = 1e-3;
    r->decay = p->kind->decay;
    IVL_CHECK(r->batch >= p->kind->batch, IVL_EINVAL, "a head of kind %s needs %d pictures a step or more, not %d",
              p->kind->name, p->kind->batch, r->batch);
    IVL_CHECK(!p->o->channels || p->kind->channels, IVL_EINVAL, "a head of kind %s has no inner channels",
              p->kind->name);
    return IVL_OK;
}

static ivl_status make_heads(ivl_device *dev, ivl_stream *s, seg *p)
{
    int need = p->kind->grid, has = p->frozen.grid;
    IVL_CHECK(has >= need, IVL_EINVAL, "a head of kind %s needs %d x %d patches or more, not %d x %d", p->kind->name,
              need, need, has, has);
    p->shape = (ivl_seg_shape){ p->frozen.width, p->o->channels, p->classes, p->frozen.grid, p->side };
    if (p->kind->channels && !p->o->channels) p->shape.channels = p->kind->channels(p->frozen.width);
    IVL_TRY(ivl_heads_create(dev, IVL_F32, &p->heads));
    IVL_TRY(p->kind->add(p->heads, &p->shape));
    IVL_TRY(ivl_heads_alloc(p->heads, true));
    return ivl_heads_init(p->heads, s, p->rule.seed);
}

static bool has_mask(const ivl_dataset *ds, int64_t i) { return ivl_dataset_has_mask(ds, i); }

static ivl_status need_masks(const char *data, const ivl_dataset *ds)
{
    for (int64_t i = 0; i < ivl_dataset_count(ds); i++)
        if (ivl_dataset_has_mask(ds, i)) return IVL_OK;
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: no record has a label map, KEY.mask.png beside its picture",
                    data);
}

static ivl_status train_and_test(ivl_device *dev, ivl_stream *s, seg *p)
{
    IVL_TRY(settle_rule(p));
    IVL_TRY(ivl_split_open(p->o, &p->split));
    IVL_TRY(need_masks(p->o->data, p->split.train));
    IVL_TRY(ivl_split_deal(p->o, has_mask, NULL, &p->split));
    IVL_TRY(ivl_split_features(dev, s, p->o, &p->split, &p->train, &p->test, &p->frozen));
    IVL_TRY(read_labels(p));
    p->train.label = p->label, p->test.label = p->test_label;
    p->history = calloc((size_t)p->rule.epochs, sizeof *p->history);
    IVL_CHECK(p->history, IVL_ENOMEM, "out of memory");
    IVL_TRY(make_heads(dev, s, p));
    ivl_head_task t = { p->heads, p->kind->logits, auxiliary_weight, &p->shape, (int64_t)p->side * p->side,
                        p->classes };
    IVL_TRY(ivl_head_train(dev, s, &t, &p->train, &p->rule, p->history));
    return ivl_head_apply(dev, s, &t, &p->test, p->rule.batch, visit, p);
}

/* --- results -------------------------------------------------------------------------------------- */

static json_t *real_or_null(double v) { return isnan(v) ? json_null() : json_real(v); }

static json_t *per_class(const seg *p, const ivl_seg_scores *k)
{
    json_t *list = json_array();
    for (int c = 0; c < p->classes; c++) {
        int64_t cells = 0;
        for (int j = 0; j < p->classes; j++) cells += p->counts[(int64_t)c * p->classes + j];
        const char *name = json_string_value(json_array_get(p->names, (size_t)c));
        json_array_append_new(list, json_pack("{s:i, s:s?, s:I, s:o, s:o}", "class", c, "name", name, "cells",
                                              (json_int_t)cells, "iou", real_or_null(k->iou[c]), "accuracy",
                                              real_or_null(k->accuracy[c])));
    }
    return list;
}

/* Scores of saying the commonest class everywhere. */
static ivl_status baseline(const seg *p, ivl_seg_scores *k)
{
    int64_t *counts = calloc((size_t)p->classes * (size_t)p->classes, sizeof *counts), best = -1;
    int common = 0;
    IVL_CHECK(counts, IVL_ENOMEM, "out of memory");
    for (int pass = 0; pass < 2; pass++)
        for (int c = 0; c < p->classes; c++) {
            int64_t cells = 0;
            for (int j = 0; j < p->classes; j++) cells += p->counts[(int64_t)c * p->classes + j];
            if (pass) counts[(int64_t)c * p->classes + common] = cells;
            else if (cells > best) best = cells, common = c;
        }
    ivl_seg_score(counts, p->classes, k);
    free(counts);
    return IVL_OK;
}

static json_t *history(const seg *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->rule.epochs; i++)
        json_array_append_new(list, json_pack("{s:i, s:f, s:f}", "epoch", i + 1, "loss", p->history[i].loss,
                                              "train_pixel_accuracy", p->history[i].hits));
    return list;
}

static json_t *layers(const seg *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->kind->maps; i++) json_array_append_new(list, json_integer(p->frozen.layer[i]));
    return list;
}

static json_t *as_json(const seg *p, const ivl_seg_scores *k, const ivl_seg_scores *base)
{
    json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:f, s:{s:f, s:f, s:f}, "
                          "s:{s:f, s:f}, s:o, s:o}", "task", p->kind->task, "head", p->kind->name, "dataset",
                          p->o->data, "model", p->o->frozen.model, "images", (json_int_t)p->split.n, "test_images",
                          (json_int_t)p->split.n_held, "classes", p->classes, "layer",
                          p->frozen.layer[p->kind->maps - 1], "label_size", p->side, "epochs", p->rule.epochs, "batch",
                          p->rule.batch, "lr", p->rule.rate, "metrics", "mIoU", k->miou, "pixel_accuracy",
                          k->pixel_accuracy, "mean_accuracy", k->mean_accuracy, "commonest_class", "mIoU", base->miou,
                          "pixel_accuracy", base->pixel_accuracy, "per_class", per_class(p, k), "history", history(p));
    if (p->kind->maps > 1) json_object_set_new(j, "layers", layers(p));
    if (p->shape.channels) json_object_set_new(j, "channels", json_integer(p->shape.channels));
    return j;
}

static ivl_status save(ivl_stream *s, const seg *p, ivl_seg_result *r)
{
    double *v = malloc(4 * (size_t)p->classes * sizeof *v);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    ivl_seg_scores k = { .iou = v, .accuracy = v + p->classes },
                   base = { .iou = v + 2 * p->classes, .accuracy = v + 3 * p->classes };
    ivl_seg_score(p->counts, p->classes, &k);
    *r = (ivl_seg_result){ p->split.n, p->split.n_held, p->classes, k.miou, k.pixel_accuracy };
    char *heads = ivl_probe_path(p->o, "heads.safetensors"), *json = ivl_probe_path(p->o, "seg.json");
    ivl_status st = heads && json ? ivl_make_dirs(p->o->out)
                                  : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (st == IVL_OK && isnan(k.miou))
        st = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: every cell of the test masks is ignored", p->o->data);
    if (st == IVL_OK) st = baseline(p, &base);
    if (st == IVL_OK) st = ivl_heads_save(p->heads, s, heads);
    if (st == IVL_OK) st = ivl_json_save(as_json(p, &k, &base), json);
    free(heads), free(json), free(v);
    return st;
}

ivl_status ivl_seg(ivl_device *dev, const ivl_probe_options *o, ivl_seg_result *r_p)
{
    ivl_probe_options own = *o;
    seg p = { .o = &own };
    ivl_stream *s = NULL;
    ivl_seg_result r;
    IVL_TRY(ivl_seg_head_find(o->head, &p.kind));
    own.frozen.maps = p.kind->maps;
    ivl_status st = ivl_stream_open(dev, &s);
    if (st == IVL_OK) st = train_and_test(dev, s, &p);
    if (st == IVL_OK) st = save(s, &p, &r);
    if (st == IVL_OK) *r_p = r;
    seg_close(&p);
    ivl_stream_close(s);
    return st;
}
