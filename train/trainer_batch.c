/* The batch record of a step: pixels and texts from the loader, masks and rates from (seed, step, row). */
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/rng.h"
#include "train/schedule.h"

/* What is drawn at random in a step follows the batch that is used. */
static uint32_t draw_of(const ivl_trainer *t, int64_t step) { return t->o->overfit ? 0 : (uint32_t)step; }

int ivl_trainer_segment(const ivl_trainer *t, int64_t step)
{
    if (t->chat) return ivl_chat_rows_shape_of(t->chat->rows, draw_of(t, step));
    return t->n_segments > 1 && step >= t->r->low_steps ? 1 : 0;
}

double ivl_trainer_rate(const ivl_trainer *t, ivl_group group, int64_t step)
{
    double peak = group == IVL_GROUP_IMAGE ? t->r->lr_image : group == IVL_GROUP_TEXT ? t->r->lr_text : t->r->lr_other;
    return ivl_learning_rate(peak, t->r->lr_floor, t->r->warmup, t->r->steps, step);
}

static void fill_keep(const ivl_trainer *t, int64_t step, const ivl_step_shape *s, int first_row, int32_t *keep)
{
    int grid = s->image_size / t->config.vit.patch, n = grid * grid;
    int32_t *perm = malloc((size_t)n * sizeof *perm);
    ivl_rng r = ivl_rng_make((uint64_t)t->r->seed, "keep");
    for (int b = 0; b < s->micro; b++) {
        if (perm) ivl_rng_permute(r, draw_of(t, step), (uint32_t)(first_row + b), perm, n);
        for (int k = 0; k < s->patches; k++) keep[b * s->patches + k] = perm ? perm[k] : k;
    }
    free(perm);
}

static void fill_drop(const ivl_trainer *t, int64_t step, const ivl_step_shape *s, int first_row, float *drop)
{
    ivl_rng r = ivl_rng_make((uint64_t)t->r->seed, "drop_path");
    bool uniform = !strcmp(t->r->drop_path_rule, "uniform");
    for (int i = 0; i < 2 * t->config.vit.layers; i++) {
        double rate = ivl_drop_path_rate(t->r->drop_path, uniform, i / 2, t->config.vit.layers);
        for (int b = 0; b < s->micro; b++) {
            bool kept = ivl_rng_uniform(r, draw_of(t, step), (uint32_t)(first_row + b), (uint64_t)i) >= rate;
            drop[i * s->micro + b] = kept ? (float)(1 / (1 - rate)) : 0.0f;
        }
    }
}

static void fill_hyper(const ivl_trainer *t, int64_t step, float *hyper)
{
    for (int i = 0; i < t->params->n_ranges; i++) {
        const ivl_range *g = &t->params->range[i];
        double decay = g->group == IVL_GROUP_IMAGE ? t->r->layer_decay_image : t->r->layer_decay_text;
        hyper[4 * i] = (float)(ivl_trainer_rate(t, g->group, step) * ivl_param_rate(g->layer, g->depth, decay));
        hyper[4 * i + 1] = g->decay ? (float)t->r->weight_decay : 0.0f;
        hyper[4 * i + 2] = (float)(1 - pow(t->r->beta1, (double)step + 1));
        hyper[4 * i + 3] = (float)(1 - pow(t->r->beta2, (double)step + 1));
    }
}

/* n texts from row on, of `bytes` bytes each. */
static void fill_text(const ivl_trainer *t, const ivl_step_layout *l, const char *from, char *to, size_t row, size_t n,
                      size_t bytes)
{
    memcpy(to + l->ids, from + t->layout.ids + row * bytes, n * bytes);
    memcpy(to + l->len, from + t->layout.len + row * sizeof(int32_t), n * sizeof(int32_t));
    const int32_t *len = (const int32_t *)(const void *)(to + l->len);
    int32_t *last = (int32_t *)(void *)(to + l->last);
    for (size_t b = 0; b < n; b++) last[b] = len[b] > 0 ? len[b] - 1 : 0;
}

/* Three texts a row become three thirds of the batch; labels of what is generated begin at the prefix's end. */
static void fill_texts(const ivl_trainer *t, const ivl_step_shape *s, const ivl_step_layout *l, const char *from,
                       char *to)
{
    int b = s->batch, n = s->text_len, q = t->config.text.queries, negatives = b - b / 2;
    const int32_t *ids = (const int32_t *)(const void *)(from + t->layout.ids);
    const int32_t *len = (const int32_t *)(const void *)(from + t->layout.len);
    int32_t *to_ids = (int32_t *)(void *)(to + l->ids), *to_len = (int32_t *)(void *)(to + l->len);
    int32_t *last = (int32_t *)(void *)(to + l->last), *itm = (int32_t *)(void *)(to + l->itm);
    int32_t *ignore = (int32_t *)(void *)(to + l->ignore), *labels = (int32_t *)(void *)(to + l->labels);
    for (int r = 0; r < b; r++) {
        for (int k = 0; k < 3; k++) {
            memcpy(to_ids + ((size_t)k * (size_t)b + (size_t)r) * (size_t)n, ids + (3 * r + k) * n,
                   (size_t)n * sizeof *ids);
            to_len[k * b + r] = q + len[3 * r + k];
        }
        last[r] = q + (len[3 * r + 1] > 0 ? len[3 * r + 1] - 1 : 0);
        itm[r] = len[3 * r] <= 2 ? -100 : r >= negatives;
        ignore[r] = len[3 * r + 1] == 0;
        const int32_t *text = ids + (3 * r + 2) * n;
        for (int i = 0; i < n; i++) { /* position i predicts token i + 1 */
            bool counts = i + 1 >= t->prefix_tokens && i + 1 < len[3 * r + 2];
            labels[r * n + i] = counts ? text[i + 1] : -100;
        }
    }
}

/* Pictures and texts of stages 1 and 2. */
static void fill_records(const ivl_trainer *t, const void *slot, int64_t step, ivl_flight *f)
{
    int seg = ivl_trainer_segment(t, step);
    const ivl_step_shape *s = &t->shape[seg];
    const ivl_step_layout *l = ivl_step_layout_of(t->plan[seg]);
    const char *from = slot;
    size_t pixels = (size_t)s->image_size * (size_t)s->image_size * 3, ids = (size_t)s->text_len * sizeof(int32_t);
    for (int i = 0; i < t->n_micro; i++) {
        char *to = f->record[i].host;
        size_t row = (size_t)i * (size_t)s->micro, n = (size_t)s->micro;
        memcpy(to + l->pixels, from + t->layout.pixels + row * pixels, n * pixels);
        if (t->retrieval) ivl_trainer_fill_retrieval(t, s, l, from, to);
        else if (t->stage2) fill_texts(t, s, l, from, to);
        else fill_text(t, l, from, to, row, n, ids);
        if (s->patches) fill_keep(t, step, s, (int)row, (int32_t *)(void *)(to + l->keep));
    }
}

void ivl_trainer_fill(const ivl_trainer *t, const void *slot, int64_t step, ivl_flight *f)
{
    int seg = ivl_trainer_segment(t, step);
    const ivl_step_shape *s = &t->shape[seg];
    const ivl_step_layout *l = ivl_step_layout_of(t->plan[seg]);
    if (t->chat) ivl_trainer_chat_fill(t, slot, step, f);
    else fill_records(t, slot, step, f);
    for (int i = 0; i < t->n_micro; i++) {
        char *to = f->record[i].host;
        if (s->drop_path) fill_drop(t, step, s, i * s->micro, (float *)(void *)(to + l->drop));
        fill_hyper(t, step, (float *)(void *)(to + l->hyper));
    }
}
