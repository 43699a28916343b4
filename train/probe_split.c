#include "train/probe.h"

#include <stdlib.h>

#include "runtime/file.h"
#include "train/classes.h"

ivl_status ivl_split_open(const ivl_probe_options *o, ivl_split *s)
{
    *s = (ivl_split){ 0 };
    IVL_TRY(ivl_dataset_open(o->data, &s->train));
    if (o->val) return ivl_dataset_open(o->val, &s->test);
    s->test = s->train;
    return IVL_OK;
}

void ivl_split_close(ivl_split *s)
{
    if (s->test != s->train) ivl_dataset_close(s->test);
    ivl_dataset_close(s->train);
    free(s->record), free(s->held);
    *s = (ivl_split){ 0 };
}

static int64_t choose(const ivl_dataset *ds, bool (*keep)(const ivl_dataset *, int64_t), int64_t *record)
{
    int64_t n = 0;
    for (int64_t i = 0; i < ivl_dataset_count(ds); i++)
        if (!keep || keep(ds, i)) record[n++] = i;
    return n;
}

/* Moves what is held out of record[] to held[]. */
static ivl_status hold_out(const ivl_probe_options *o, const int32_t *label, ivl_split *s)
{
    bool *held = calloc((size_t)s->n + 1, sizeof *held);
    int32_t *own = calloc((size_t)s->n + 1, sizeof *own);
    ivl_status st = held && own ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int64_t i = 0; label && own && i < s->n; i++) own[i] = label[s->record[i]];
    if (st == IVL_OK) st = ivl_hold_out(own, s->n, o->holdout, o->rule.seed, held);
    int64_t n = 0;
    for (int64_t i = 0; st == IVL_OK && i < s->n; i++) {
        if (held[i]) s->held[s->n_held++] = s->record[i];
        else s->record[n++] = s->record[i];
    }
    if (st == IVL_OK) s->n = n;
    free(held), free(own);
    return st;
}

ivl_status ivl_split_deal(const ivl_probe_options *o, bool (*keep)(const ivl_dataset *, int64_t), const int32_t *label,
                          ivl_split *s)
{
    s->record = malloc((size_t)(ivl_dataset_count(s->train) + 1) * sizeof *s->record);
    s->held = malloc((size_t)(ivl_dataset_count(s->test) + 1) * sizeof *s->held);
    IVL_CHECK(s->record && s->held, IVL_ENOMEM, "out of memory");
    s->n = choose(s->train, keep, s->record);
    if (s->test != s->train) s->n_held = choose(s->test, keep, s->held);
    else IVL_TRY(hold_out(o, label, s));
    IVL_CHECK(s->n > 1 && s->n_held > 0, IVL_EFORMAT,
              "%s: %lld usable records to train on and %lld to test with: too few", o->data, (long long)s->n,
              (long long)s->n_held);
    return IVL_OK;
}

ivl_status ivl_split_features(ivl_device *dev, ivl_stream *s, const ivl_probe_options *o, const ivl_split *split,
                              ivl_head_rows *train, ivl_head_rows *test, ivl_frozen_shape *shape_p)
{
    ivl_frozen *f = NULL;
    IVL_TRY(ivl_frozen_open(&o->frozen, dev, s, &f));
    *shape_p = ivl_frozen_shape_of(f);
    train->n = split->n, train->views = o->views, test->n = split->n_held;
    ivl_status st = ivl_frozen_table(f, split->train, split->record, split->n, o->views, o->rule.seed, &train->table);
    if (st == IVL_OK) st = ivl_frozen_table(f, split->test, split->held, split->n_held, 0, 0, &test->table);
    ivl_frozen_close(f);
    return st;
}

char *ivl_probe_path(const ivl_probe_options *o, const char *name) { return ivl_path_join(o->out, name); }
