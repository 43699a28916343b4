#include "data/rows.h"
#include "data/sample.h"

#include <stdlib.h>
#include <string.h>

static bool tag_in(const char *list, const char *tag)
{
    size_t n = strlen(tag);
    for (const char *p = list; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (!strncmp(p, tag, n) && (!p[n] || p[n] == ',')) return true;
    }
    return false;
}

static bool wanted(const ivl_loader_config *cfg, const ivl_caption *c)
{
    if (cfg->langs && !(c->lang && tag_in(cfg->langs, c->lang))) return false;
    return !(cfg->without && c->lang && tag_in(cfg->without, c->lang));
}

static bool is_in(const ivl_caption *c, const char *lang) { return !lang || (c->lang && !strcmp(c->lang, lang)); }

/* One of the wanted captions, by the row's own random number; -1: there is none. lang: only in this language if there
 * are some; NULL: in any. */
static int choose(const ivl_loader_config *cfg, const ivl_sample *rec, const char *lang, int64_t step, uint32_t row)
{
    int n = 0;
    for (int i = 0; i < rec->n_captions; i++) n += wanted(cfg, &rec->caption[i]) && is_in(&rec->caption[i], lang);
    if (!n) return lang ? choose(cfg, rec, NULL, step, row) : -1;
    int pick = (int)ivl_rng_below(ivl_rng_make(cfg->seed, "caption"), row, 0, (uint64_t)step, (uint64_t)n);
    for (int i = 0;; i++)
        if (wanted(cfg, &rec->caption[i]) && is_in(&rec->caption[i], lang) && pick-- == 0) return i;
}

static ivl_status tokens(const ivl_loader_config *cfg, const char *prefix, const char *text, int32_t *ids,
                         int32_t *len_p)
{
    if (!cfg->clean_words) return ivl_text_encode(cfg->tok, prefix, text, cfg->text_len, ids, len_p);
    char *clean = NULL;
    IVL_TRY(ivl_text_clean(text, cfg->clean_words, &clean));
    ivl_status s = ivl_text_encode(cfg->tok, prefix, clean, cfg->text_len, ids, len_p);
    free(clean);
    return s;
}

typedef struct place { uint8_t *pixels; int32_t *ids, *len, *caption; int64_t *record, *group; } place;

static size_t texts_of(const ivl_loader_config *cfg) { return cfg->stage2 || cfg->retrieval ? 3 : 1; }

static place place_of(const ivl_row_job *j, void *slot, int size, int row)
{
    char *p = slot;
    const ivl_slot_layout *l = j->layout;
    size_t texts = texts_of(j->cfg);
    return (place){ (uint8_t *)p + l->pixels + (size_t)row * (size_t)size * (size_t)size * 3,
                    (int32_t *)(void *)(p + l->ids) + (size_t)row * texts * (size_t)j->cfg->text_len,
                    (int32_t *)(void *)(p + l->len) + (size_t)row * texts, (int32_t *)(void *)(p + l->caption) + row,
                    (int64_t *)(void *)(p + l->record) + row, (int64_t *)(void *)(p + l->group) + row };
}

static void make_empty(const ivl_row_job *j, const place *to, int size)
{
    memset(to->pixels, 0, (size_t)size * (size_t)size * 3);
    size_t texts = texts_of(j->cfg);
    if (j->cfg->text_len) memset(to->ids, 0, texts * (size_t)j->cfg->text_len * sizeof *to->ids);
    memset(to->len, 0, texts * sizeof *to->len);
    *to->caption = -1, *to->record = -1, *to->group = -1;
}

static bool same_group(const ivl_sample *a, const ivl_sample *b)
{
    return a->group && b->group && !strcmp(a->group, b->group);
}

/* What rows of one group share, and no others: below -1 by the group's name (64-bit FNV-1a), else the record. */
static int64_t group_number(const ivl_sample *rec, int64_t record)
{
    uint64_t h = 0xcbf29ce484222325u;
    if (!rec->group) return record;
    for (const char *p = rec->group; *p; p++) h = (h ^ (uint8_t)*p) * 0x100000001b3u;
    return -2 - (int64_t)(h >> 2);
}

/* Another record, drawn by (seed, step, row): one of its neighbours, if it has some and they were not refused often. */
static int64_t draw_other(const ivl_row_job *j, int64_t record, int64_t step, uint32_t row, uint32_t tries)
{
    const ivl_loader_config *cfg = j->cfg;
    ivl_rng r = ivl_rng_make(cfg->seed, "negative");
    const int32_t *near = cfg->neighbours ? cfg->neighbours + record * cfg->n_neighbours : NULL;
    int n = 0;
    while (near && tries < IVL_MAX_REPLACE && n < cfg->n_neighbours && near[n] >= 0) n++;
    if (n) return near[ivl_rng_below(r, row, tries, (uint64_t)step, (uint64_t)n)];
    int64_t i = (int64_t)ivl_rng_below(r, row, tries, (uint64_t)step, (uint64_t)j->n);
    return cfg->subset ? cfg->subset[i] : i;
}

/* A caption of another picture. own: the row's. */
static ivl_status negative_text(const ivl_row_job *j, const ivl_sample *rec, int64_t record, int64_t step, uint32_t row,
                                const ivl_caption *own, int32_t *ids, int32_t *len)
{
    const ivl_loader_config *cfg = j->cfg;
    const char *lang = cfg->neighbours ? own->lang : NULL;
    char where[1024];
    for (uint32_t tries = 0; tries < 8 * IVL_MAX_REPLACE; tries++) {
        int64_t i = draw_other(j, record, step, row, tries);
        ivl_sample other = { 0 };
        if (i == record || ivl_dataset_read_text(j->ds, i, &other) != IVL_OK) continue;
        int caption = same_group(rec, &other) ? -1 : choose(cfg, &other, lang, step, row);
        ivl_status s = caption < 0 ? IVL_OK : tokens(cfg, "", other.caption[caption].text, ids, len);
        ivl_sample_free(&other);
        if (caption >= 0) return s;
    }
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: no other picture with another caption",
                    ivl_dataset_where(j->ds, record, where, sizeof where));
}

/* The texts of a row whose caption is chosen. */
static ivl_status texts(const ivl_row_job *j, const ivl_sample *rec, int64_t record, int64_t step, uint32_t row,
                        const ivl_caption *own, const place *to)
{
    const ivl_loader_config *cfg = j->cfg;
    int batch = ivl_loader_segment(cfg, step)->batch;
    const char *prefix = cfg->prefix ? cfg->prefix : "summarize:", *caption = own->text;
    int32_t *ids = to->ids, n = cfg->text_len;
    if (cfg->retrieval) {
        IVL_TRY(negative_text(j, rec, record, step, row, own, ids, to->len));
        IVL_TRY(tokens(cfg, "", caption, ids + n, to->len + 1));
        return tokens(cfg, prefix, caption, ids + 2 * n, to->len + 2);
    }
    if (!cfg->stage2) return tokens(cfg, prefix, caption, ids, to->len);
    if ((int)row < batch - batch / 2) IVL_TRY(negative_text(j, rec, record, step, row, own, ids, to->len));
    else IVL_TRY(tokens(cfg, "", caption, ids, to->len));
    IVL_TRY(tokens(cfg, prefix, caption, ids + n, to->len + 1));
    return tokens(cfg, IVL_GENERATE_PREFIX, caption, ids + 2 * n, to->len + 2);
}

static ivl_status fill_from(const ivl_row_job *j, int64_t record, int64_t step, uint32_t row, int size,
                            const place *to)
{
    const ivl_loader_config *cfg = j->cfg;
    ivl_cached *e = NULL;
    bool kept = false;
    char where[1024];
    ivl_transform t = cfg->transform;
    t.size = size;
    IVL_TRY(ivl_cache_get(j->cache, j->ds, record, j->min_side, &e, &kept));
    int caption = choose(cfg, &e->rec, NULL, step, row);
    ivl_status s = IVL_OK;
    if (cfg->tok && caption < 0)
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: it has no caption%s",
                     ivl_dataset_where(j->ds, record, where, sizeof where),
                     e->rec.n_captions ? " in a wanted language" : "");
    if (s == IVL_OK && cfg->tok) s = texts(j, &e->rec, record, step, row, &e->rec.caption[caption], to);
    if (s == IVL_OK) s = ivl_transform_apply(&t, &e->image, cfg->seed, (uint64_t)step, row, to->pixels);
    *to->record = record, *to->caption = caption, *to->group = group_number(&e->rec, record);
    if (!kept) ivl_cached_destroy(e);
    return s;
}

static void remember(ivl_row_result *r)
{
    if (!r->skipped++) {
        strncpy(r->trouble, ivl_last_error(), sizeof r->trouble - 1);
        r->trouble[sizeof r->trouble - 1] = 0;
    }
}

ivl_status ivl_row_fill(const void *job, int64_t step, int row, void *slot, ivl_row_result *r)
{
    const ivl_row_job *j = job;
    const ivl_loader_config *cfg = j->cfg;
    const ivl_segment *seg = ivl_loader_segment(cfg, step);
    int world = cfg->world ? cfg->world : 1, rows = seg->batch / world;
    uint32_t global = (uint32_t)(cfg->rank * rows + row);
    int64_t position = ivl_loader_position(cfg, step) + global;
    ivl_sampler sampler = { cfg->seed, j->n, cfg->shuffle_block };
    place to = place_of(j, slot, seg->size, row);
    make_empty(j, &to, seg->size);
    if (cfg->in_order && position >= j->n) return IVL_OK;
    int64_t i = cfg->in_order ? position : ivl_sampler_at(&sampler, position);
    ivl_rng again = ivl_rng_make(cfg->seed, "replace");
    for (uint32_t tries = 0;; tries++) {
        ivl_status s = fill_from(j, cfg->subset ? cfg->subset[i] : i, step, global, seg->size, &to);
        r->valid = s == IVL_OK;
        if (s == IVL_OK || s == IVL_ENOMEM || cfg->bad == IVL_BAD_FAIL) return s;
        remember(r);
        make_empty(j, &to, seg->size);
        if (cfg->in_order) return IVL_OK;
        IVL_CHECK(tries + 1 < IVL_MAX_REPLACE, s,
                  "%d bad records in a row, so the data may not be what was meant; "
                  "the first: %s",
                  IVL_MAX_REPLACE, r->trouble);
        i = (int64_t)ivl_rng_below(again, global, tries, (uint64_t)step, (uint64_t)j->n);
    }
}
