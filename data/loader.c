#include "data/rows.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef enum slot_state { FREE, FILLING, READY, TAKEN } slot_state;

typedef struct slot {
    void *memory;
    slot_state state;
    int64_t step;
    int rows, size, begun, done, valid, skipped;
    ivl_status status;
    char trouble[512]; /* of the first bad record in row order, or the error */
    int trouble_row;
} slot;

struct ivl_loader {
    ivl_loader_config cfg;
    ivl_slot_layout layout;
    ivl_row_job job;
    slot *slot;
    int n_slots, n_workers;
    pthread_t *worker;
    pthread_mutex_t lock;
    pthread_cond_t work, ready; /* a slot became free; a step was finished */
    int64_t next, fill, end;    /* step to hand out, step to fill, step after the last (-1: none) */
    bool stop;
};

const ivl_segment *ivl_loader_segment(const ivl_loader_config *cfg, int64_t step)
{
    int i = 0;
    while (i + 1 < cfg->n_segments && cfg->segment[i + 1].from_step <= step) i++;
    return &cfg->segment[i];
}

int64_t ivl_loader_position(const ivl_loader_config *cfg, int64_t step)
{
    int64_t n = 0;
    for (int i = 0; i < cfg->n_segments; i++) {
        int64_t from = cfg->segment[i].from_step,
                to = i + 1 < cfg->n_segments ? cfg->segment[i + 1].from_step : step;
        if (to > step) to = step;
        if (to > from) n += (to - from) * cfg->segment[i].batch;
    }
    return n;
}

static int world_of(const ivl_loader_config *cfg) { return cfg->world ? cfg->world : 1; }

static ivl_status check_segments(const ivl_loader_config *c)
{
    IVL_CHECK(c->n_segments >= 1 && c->n_segments <= IVL_MAX_SEGMENTS && c->segment[0].from_step == 0,
              IVL_EINVAL, "loader: 1 to %d segments, the first from step 0", IVL_MAX_SEGMENTS);
    IVL_CHECK(!c->in_order || c->n_segments == 1, IVL_EINVAL,
              "loader: one pass in order has one size and batch");
    for (int i = 0; i < c->n_segments; i++) {
        const ivl_segment *g = &c->segment[i];
        IVL_CHECK(g->size > 0 && g->size <= 4096, IVL_EINVAL, "loader: pictures of %d pixels a side",
                  g->size);
        IVL_CHECK(g->batch > 0 && g->batch % world_of(c) == 0, IVL_EINVAL,
                  "loader: a batch of %d rows cannot be shared by %d processes", g->batch, world_of(c));
        IVL_CHECK(!i || g->from_step > g[-1].from_step, IVL_EINVAL,
                  "loader: segment %d begins before the one before", i + 1);
    }
    return IVL_OK;
}

static ivl_status check_config(const ivl_loader_config *c)
{
    IVL_TRY(check_segments(c));
    IVL_CHECK(c->rank >= 0 && c->rank < world_of(c), IVL_EINVAL, "loader: rank %d of %d", c->rank,
              world_of(c));
    IVL_CHECK(c->first_step >= 0 && c->workers >= 0 && c->workers <= 1024, IVL_EINVAL,
              "loader: first step %lld, %d workers", (long long)c->first_step, c->workers);
    IVL_CHECK(c->text_len >= 0 && (!c->tok || c->text_len >= 2), IVL_EINVAL, "loader: texts of %d tokens",
              c->text_len);
    return IVL_OK;
}

static size_t place(size_t *at, size_t bytes)
{
    size_t off = *at;
    *at = (off + bytes + 255) / 256 * 256;
    return off;
}

ivl_status ivl_slot_layout_make(const ivl_loader_config *cfg, ivl_slot_layout *layout_p)
{
    IVL_TRY(check_config(cfg));
    size_t pixels = 0, rows = 0;
    for (int i = 0; i < cfg->n_segments; i++) {
        size_t b = (size_t)(cfg->segment[i].batch / world_of(cfg)), side = (size_t)cfg->segment[i].size;
        if (b > rows) rows = b;
        if (b * side * side * 3 > pixels) pixels = b * side * side * 3;
    }
    ivl_slot_layout l = { 0 };
    l.pixels = place(&l.bytes, pixels);
    size_t texts = cfg->stage2 || cfg->retrieval ? 3 : 1;
    l.ids = place(&l.bytes, rows * texts * (size_t)cfg->text_len * sizeof(int32_t));
    l.len = place(&l.bytes, rows * texts * sizeof(int32_t));
    l.record = place(&l.bytes, rows * sizeof(int64_t));
    l.group = place(&l.bytes, rows * sizeof(int64_t));
    l.caption = place(&l.bytes, rows * sizeof(int32_t));
    *layout_p = l;
    return IVL_OK;
}

/* Under the lock: a row to fill, or NULL when stopping. */
static slot *take_row(ivl_loader *l, int *row_p)
{
    for (;;) {
        if (l->stop) return NULL;
        slot *s = &l->slot[(l->fill - l->cfg.first_step) % l->n_slots];
        if (l->fill != l->end && (s->state == FREE || (s->state == FILLING && s->step == l->fill))) {
            if (s->state == FREE) {
                const ivl_segment *g = ivl_loader_segment(&l->cfg, l->fill);
                *s = (slot){ .memory = s->memory, .state = FILLING, .step = l->fill, .size = g->size,
                             .rows = g->batch / world_of(&l->cfg), .trouble_row = INT32_MAX };
            }
            *row_p = s->begun++;
            if (s->begun == s->rows) l->fill++;
            return s;
        }
        pthread_cond_wait(&l->work, &l->lock);
    }
}

/* Under the lock. The message kept is that of the first row, whichever worker was faster; an error wins. */
static void end_row(ivl_loader *l, slot *s, int row, ivl_status status, const ivl_row_result *r)
{
    bool worse = status != IVL_OK && s->status == IVL_OK, same = (status != IVL_OK) == (s->status != IVL_OK);
    s->valid += r->valid, s->skipped += r->skipped;
    if ((status != IVL_OK || r->skipped) && (worse || (same && row < s->trouble_row))) {
        s->status = status, s->trouble_row = row;
        memcpy(s->trouble, r->trouble, sizeof s->trouble);
    }
    if (++s->done == s->rows) {
        s->state = READY;
        pthread_cond_broadcast(&l->ready);
    }
}

static void *work(void *arg)
{
    ivl_loader *l = arg;
    int row = 0;
    pthread_mutex_lock(&l->lock);
    for (slot *s; (s = take_row(l, &row));) {
        pthread_mutex_unlock(&l->lock);
        ivl_row_result r = { 0 };
        ivl_status status = l->cfg.fill(l->cfg.fill_ctx, s->step, row, s->memory, &r);
        if (status != IVL_OK) {
            strncpy(r.trouble, ivl_last_error(), sizeof r.trouble - 1);
            r.trouble[sizeof r.trouble - 1] = 0;
        }
        pthread_mutex_lock(&l->lock);
        end_row(l, s, row, status, &r);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static int64_t end_of(const ivl_loader_config *c, int64_t n)
{
    if (c->in_order) return (n + c->segment[0].batch - 1) / c->segment[0].batch;
    return c->end_step ? c->end_step : -1;
}

/* Rows are records of a data set. */
static ivl_status set_up_records(ivl_loader *l, const ivl_dataset *ds)
{
    int64_t n = l->cfg.subset ? l->cfg.n_subset : ivl_dataset_count(ds);
    IVL_CHECK(n > 0, IVL_EINVAL, "loader: no record to draw from");
    for (int64_t i = 0; l->cfg.subset && i < n; i++)
        IVL_CHECK(l->cfg.subset[i] >= 0 && l->cfg.subset[i] < ivl_dataset_count(ds), IVL_EINVAL,
                  "loader: record %lld of %lld", (long long)l->cfg.subset[i],
                  (long long)ivl_dataset_count(ds));
    l->end = end_of(&l->cfg, n);
    l->cfg.fill = ivl_row_fill, l->cfg.fill_ctx = &l->job;
    l->job = (ivl_row_job){ .ds = ds, .cfg = &l->cfg, .layout = &l->layout, .n = n };
    for (int i = 0; i < l->cfg.n_segments; i++) {
        ivl_transform t = l->cfg.transform;
        t.size = l->cfg.segment[i].size;
        int side = ivl_transform_min_side(&t);
        if (side > l->job.min_side) l->job.min_side = side;
    }
    return ivl_cache_open(ivl_dataset_count(ds), l->cfg.cache_bytes, &l->job.cache);
}

static ivl_status set_up(ivl_loader *l, const ivl_dataset *ds, void *const *memory)
{
    if (l->cfg.fill) l->end = l->cfg.end_step ? l->cfg.end_step : -1;
    else IVL_TRY(set_up_records(l, ds));
    l->next = l->fill = l->cfg.first_step;
    IVL_CHECK(l->end < 0 || l->next <= l->end, IVL_EINVAL, "loader: step %lld is beyond the last, %lld",
              (long long)l->next, (long long)l->end);
    l->slot = calloc((size_t)l->n_slots, sizeof *l->slot);
    l->worker = calloc((size_t)(l->cfg.workers ? l->cfg.workers : 1), sizeof *l->worker);
    IVL_CHECK(l->slot && l->worker, IVL_ENOMEM, "out of memory");
    for (int i = 0; i < l->n_slots; i++) l->slot[i].memory = memory[i];
    return IVL_OK;
}

static ivl_status start(ivl_loader *l)
{
    int n = l->cfg.workers ? l->cfg.workers : 1;
    for (; l->n_workers < n; l->n_workers++) {
        int e = pthread_create(&l->worker[l->n_workers], NULL, work, l);
        IVL_CHECK(!e, IVL_ENOMEM, "cannot start a thread: %s", strerror(e));
    }
    return IVL_OK;
}

ivl_status ivl_loader_open(const ivl_dataset *ds, const ivl_loader_config *cfg, const ivl_slot_layout *layout,
                           void *const *memory, int n_slots, ivl_loader **l_p)
{
    IVL_TRY(check_config(cfg));
    IVL_CHECK(n_slots >= 1, IVL_EINVAL, "loader: %d slots", n_slots);
    ivl_loader *l = calloc(1, sizeof *l);
    IVL_CHECK(l, IVL_ENOMEM, "out of memory");
    l->cfg = *cfg, l->n_slots = n_slots;
    if (layout) l->layout = *layout;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
    ivl_status s = set_up(l, ds, memory);
    if (s == IVL_OK) s = start(l);
    if (s == IVL_OK) *l_p = l;
    else ivl_loader_close(l);
    return s;
}

void ivl_loader_close(ivl_loader *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_workers; i++) pthread_join(l->worker[i], NULL);
    pthread_cond_destroy(&l->work), pthread_cond_destroy(&l->ready), pthread_mutex_destroy(&l->lock);
    ivl_cache_close(l->job.cache);
    free(l->slot), free(l->worker), free(l);
}

/* Under the lock. */
static slot *next_slot(ivl_loader *l) { return &l->slot[(l->next - l->cfg.first_step) % l->n_slots]; }
static bool is_ready(ivl_loader *l) { return next_slot(l)->state == READY && next_slot(l)->step == l->next; }

static ivl_status take_next(ivl_loader *l, int *slot_p)
{
    *slot_p = -1;
    if (l->next == l->end) return IVL_OK;
    IVL_CHECK(next_slot(l)->state != TAKEN, IVL_EINVAL, "loader: slot %d of step %lld was not released",
              (int)(next_slot(l) - l->slot), (long long)next_slot(l)->step);
    while (!is_ready(l)) pthread_cond_wait(&l->ready, &l->lock);
    slot *s = next_slot(l);
    IVL_CHECK(s->status == IVL_OK, s->status, "step %lld: %s", (long long)s->step, s->trouble);
    s->state = TAKEN;
    l->next++;
    *slot_p = (int)(s - l->slot);
    return IVL_OK;
}

ivl_status ivl_loader_next(ivl_loader *l, int *slot_p)
{
    pthread_mutex_lock(&l->lock);
    ivl_status s = take_next(l, slot_p);
    pthread_mutex_unlock(&l->lock);
    return s;
}

bool ivl_loader_ready(ivl_loader *l)
{
    pthread_mutex_lock(&l->lock);
    bool ready = l->next == l->end || is_ready(l);
    pthread_mutex_unlock(&l->lock);
    return ready;
}

void ivl_loader_release(ivl_loader *l, int i)
{
    pthread_mutex_lock(&l->lock);
    if (i >= 0 && i < l->n_slots && l->slot[i].state == TAKEN) {
        l->slot[i].state = FREE;
        pthread_cond_broadcast(&l->work);
    }
    pthread_mutex_unlock(&l->lock);
}

ivl_slot_info ivl_loader_info(const ivl_loader *l, int i)
{
    const slot *s = &l->slot[i]; /* the caller has it: no worker touches it */
    return (ivl_slot_info){ s->step, s->size, s->rows, s->valid, s->skipped, s->trouble };
}
