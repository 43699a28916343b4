/* --record: the run as data, for replay by another implementation. DIR/initial is the model folder before step 0;
 * DIR/step-N.safetensors holds pixels u8[B,S,S,3], ids i32[B,L], keep i32[B,K] (if patches are masked), drop_scale
 * f32[2 * layers,B] (if branches are dropped) and hyper f32[ranges,4]; DIR/ranges.json says which rates are whose. */
#include "runtime/json_save.h"
#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>

#include "model/checkpoint.h"
#include "model/safetensors.h"
#include "runtime/file.h"

static ivl_status save_ranges(const ivl_trainer *t)
{
    static const char *const group[] = { "image", "text", "other" };
    char *path = ivl_path_join(t->o->record, "ranges.json");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    json_t *list = json_array();
    for (int i = 0; i < t->params->n_ranges; i++) {
        const ivl_range *r = &t->params->range[i];
        json_t *names = json_array();
        for (int j = 0; j < t->params->n; j++) {
            const ivl_param *q = &t->params->param[j];
            if (q->first >= r->first && q->first < r->first + r->elements)
                json_array_append_new(names, json_string(q->name));
        }
        json_array_append_new(
            list, json_pack("{s:s, s:b, s:o}", "group", group[r->group], "decay", r->decay, "names", names));
    }
    json_t *all = json_pack("{s:o, s:f, s:f, s:f, s:f, s:f}", "ranges", list, "beta1", t->r->beta1, "beta2",
                            t->r->beta2, "eps", t->r->eps, "clip", t->r->clip, "max_logit_scale",
                            t->r->max_logit_scale);
    ivl_status s = ivl_json_save(all, path);
    free(path);
    return s;
}

ivl_status ivl_trainer_record_start(const ivl_trainer *t)
{
    IVL_TRY(ivl_make_dirs(t->o->record));
    char *dir = ivl_path_join(t->o->record, "initial");
    IVL_CHECK(dir, IVL_ENOMEM, "out of memory");
    ivl_save_options o = { .dtype = IVL_F32, .tokenizer = t->r->tokenizer };
    ivl_status s = ivl_checkpoint_save(dir, &t->config, t->params, t->stream, &o);
    free(dir);
    return s == IVL_OK ? save_ranges(t) : s;
}

/* One part of the records, micro-batches joined along the batch: rows of `row` bytes, `count` blocks of micro rows. */
static char *join(const ivl_trainer *t, const ivl_flight *f, size_t off, size_t row, int count)
{
    size_t micro = (size_t)(t->r->batch / t->n_micro) * row, n = (size_t)t->n_micro;
    char *all = malloc(micro * n * (size_t)count);
    for (int c = 0; all && c < count; c++)
        for (size_t i = 0; i < n; i++)
            memcpy(all + ((size_t)c * n + i) * micro, (char *)f->record[i].host + off + (size_t)c * micro, micro);
    return all;
}

ivl_status ivl_trainer_record_step(const ivl_trainer *t, int64_t step, const ivl_flight *f)
{
    int seg = ivl_trainer_segment(t, step);
    const ivl_step_shape *s = &t->shape[seg];
    const ivl_step_layout *l = ivl_step_layout_of(t->plan[seg]);
    size_t size = (size_t)s->image_size, len = (size_t)s->text_len, keep = (size_t)s->patches;
    int branches = 2 * t->config.vit.layers, n = 0;
    char *data[4] = { join(t, f, l->pixels, size * size * 3, 1), join(t, f, l->ids, len * 4, 1),
                      keep ? join(t, f, l->keep, keep * 4, 1) : NULL,
                      s->drop_path ? join(t, f, l->drop, 4, branches) : NULL };
    ivl_st_item item[5];
    item[n++] = (ivl_st_item){ "pixels", IVL_ST_U8, 4,   { s->batch, s->image_size, s->image_size, 3 },
                               data[0],  NULL,      NULL };
    item[n++] = (ivl_st_item){ "ids", IVL_ST_I32, 2, { s->batch, s->text_len }, data[1], NULL, NULL };
    if (keep) item[n++] = (ivl_st_item){ "keep", IVL_ST_I32, 2, { s->batch, s->patches }, data[2], NULL, NULL };
    if (s->drop_path)
        item[n++] = (ivl_st_item){ "drop_scale", IVL_ST_F32, 2, { branches, s->batch }, data[3], NULL, NULL };
    item[n++] =
        (ivl_st_item){ "hyper", IVL_ST_F32, 2, { t->params->n_ranges, 4 }, (char *)f->record[0].host + l->hyper,
                       NULL,    NULL };
    char name[64];
    snprintf(name, sizeof name, "step-%08lld.safetensors", (long long)step);
    char *path = ivl_path_join(t->o->record, name);
    bool ok = path && data[0] && data[1] && (!keep || data[2]) && (!s->drop_path || data[3]);
    ivl_status e = ok ? ivl_st_save(path, item, n, NULL, 0) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int i = 0; i < 4; i++) free(data[i]);
    free(path);
    return e;
}
