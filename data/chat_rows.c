#include "data/chat_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/image.h"
#include "data/sample.h"
#include "data/transform.h"

enum { WINDOW = 16 /* batches that are sorted by length together */, STEP = 8 /* lengths are multiples of it */ };

typedef struct talk { int64_t record; int tokens, answers, pictures; } talk;

struct ivl_chat_rows {
    ivl_chat_rows_config cfg;
    talk   *talk;
    int64_t n, left_out;
    ivl_chat_shape shape[IVL_CHAT_LENGTHS];
    int     n_shapes;
};

/* --- encoding --------------------------------------------------------------------------------------------------- */

static ivl_status encode(const ivl_chat_rows *r, const ivl_conversation *c, ivl_sft *sft_p)
{
    const ivl_chat_rows_config *cfg = &r->cfg;
    ivl_codec codec = ivl_codec_of(cfg->tok);
    const char *system = c->system ? c->system : cfg->system;
    int turns = c->n_turns;
    if (turns && !c->turn[turns - 1].answer) turns--; /* a last question without its answer teaches nothing */
    if (!turns) {
        *sft_p = (ivl_sft){ 0 };
        return IVL_OK;
    }
    IVL_TRY(ivl_sft_make(&codec, cfg->form, system, c->turn, turns, sft_p));
    ivl_sft_truncate(sft_p, (size_t)cfg->text_len, (size_t)cfg->picture_tokens);
    return IVL_OK;
}

/* The first token is predicted by nothing. */
static int answers_of(const ivl_sft *s)
{
    int n = 0;
    for (size_t i = 1; i < s->n; i++) n += s->labels[i] >= 0;
    return n;
}

static ivl_status measure(ivl_chat_rows *r, int64_t record)
{
    ivl_conversation c = { 0 };
    ivl_sft sft = { 0 };
    IVL_TRY(ivl_conversations_read_text(r->cfg.talks, record, &c));
    ivl_status s = encode(r, &c, &sft);
    ivl_conversation_free(&c);
    if (s != IVL_OK) return s;
    talk t = { record, (int)ivl_sft_tokens(&sft, (size_t)r->cfg.picture_tokens), answers_of(&sft),
               (int)ivl_prompt_pictures(sft.ids, sft.n) };
    if (sft.learns && t.answers) r->talk[r->n++] = t;
    else r->left_out++;
    ivl_sft_free(&sft);
    return IVL_OK;
}

/* --- shapes ----------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static void add_shape(ivl_chat_rows *r, int length)
{
    ivl_chat_shape s = { (length + STEP - 1) / STEP * STEP, 1, 1 };
    if (r->n_shapes && s.text_len <= r->shape[r->n_shapes - 1].text_len) return;
    for (int64_t i = 0; i < r->n; i++) {
        const talk *t = &r->talk[i];
        if (t->pictures > s.pictures) s.pictures = t->pictures;
        if (t->tokens <= s.text_len && t->answers > s.answers) s.answers = t->answers;
    }
    r->shape[r->n_shapes++] = s;
}

/* By length: at the quarters of all lengths. */
static ivl_status choose_shapes(ivl_chat_rows *r)
{
    int *length = malloc((size_t)(r->n + 1) * sizeof *length);
    IVL_CHECK(length, IVL_ENOMEM, "out of memory for %lld conversations", (long long)r->n);
    for (int64_t i = 0; i < r->n; i++) length[i] = r->talk[i].tokens;
    qsort(length, (size_t)r->n, sizeof *length, by_number);
    for (int q = r->cfg.by_length ? 1 : IVL_CHAT_LENGTHS; q <= IVL_CHAT_LENGTHS; q++)
        add_shape(r, length[(r->n - 1) * q / IVL_CHAT_LENGTHS]);
    free(length);
    return IVL_OK;
}

ivl_status ivl_chat_rows_open(const ivl_chat_rows_config *cfg, ivl_chat_rows **r_p)
{
    int64_t n = ivl_conversations_count(cfg->talks);
    ivl_chat_rows *r = calloc(1, sizeof *r);
    IVL_CHECK(r, IVL_ENOMEM, "out of memory");
    r->cfg = *cfg;
    r->talk = malloc((size_t)(n + 1) * sizeof *r->talk);
    ivl_status s = r->talk ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int64_t i = 0; s == IVL_OK && i < n; i++) s = measure(r, i);
    if (s == IVL_OK && !r->n)
        s = ivl_fail(IVL_EINVAL, __FILE__, __LINE__,
                     "none of %lld conversations has an answer within %d tokens (a picture takes %d): raise text_len",
                     (long long)n, cfg->text_len, cfg->picture_tokens);
    if (s == IVL_OK) s = choose_shapes(r);
    if (s != IVL_OK) {
        ivl_chat_rows_close(r);
        return s;
    }
    *r_p = r;
    return IVL_OK;
}

void ivl_chat_rows_close(ivl_chat_rows *r)
{
    if (r) free(r->talk), free(r);
}

int64_t ivl_chat_rows_count(const ivl_chat_rows *r) { return r->n; }
int64_t ivl_chat_rows_left_out(const ivl_chat_rows *r) { return r->left_out; }

int ivl_chat_rows_shapes(const ivl_chat_rows *r, ivl_chat_shape shape[IVL_CHAT_LENGTHS])
{
    memcpy(shape, r->shape, sizeof r->shape);
    return r->n_shapes;
}

/* --- which conversation ----------------------------------------------------------------------------------------- */

static const talk *drawn(const ivl_chat_rows *r, int64_t position)
{
    ivl_sampler sampler = { r->cfg.seed, r->n, 0 };
    return &r->talk[ivl_sampler_at(&sampler, position)];
}

/* A window's conversations, sorted by length; those that are equal in the order that they were drawn in. */
typedef struct place { const talk *t; int64_t position; } place;

static int by_length(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->t->tokens != y->t->tokens) return x->t->tokens - y->t->tokens;
    return x->position < y->position ? -1 : 1;
}

static ivl_status window_of(const ivl_chat_rows *r, int64_t window, place **v_p)
{
    int64_t n = (int64_t)WINDOW * r->cfg.batch;
    place *v = malloc((size_t)n * sizeof *v);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    for (int64_t i = 0; i < n; i++) v[i] = (place){ drawn(r, window * n + i), i };
    qsort(v, (size_t)n, sizeof *v, by_length);
    *v_p = v;
    return IVL_OK;
}

/* Which batch of its window a step takes. */
static int64_t batch_of(const ivl_chat_rows *r, int64_t step)
{
    ivl_rng order = ivl_rng_make(r->cfg.seed, "chat windows");
    return ivl_permute(order, (uint64_t)(step / WINDOW), WINDOW, step % WINDOW);
}

static const talk *chosen(const ivl_chat_rows *r, int64_t step, int row)
{
    place *v = NULL;
    if (!r->cfg.by_length) return drawn(r, step * r->cfg.batch + row);
    if (window_of(r, step / WINDOW, &v) != IVL_OK) return NULL;
    const talk *t = v[batch_of(r, step) * r->cfg.batch + row].t;
    free(v);
    return t;
}

int ivl_chat_rows_shape_of(const ivl_chat_rows *r, int64_t step)
{
    int i = 0;
    const talk *longest = r->n_shapes > 1 ? chosen(r, step, r->cfg.batch - 1) : NULL; /* batches are sorted */
    if (!longest) return r->n_shapes - 1;
    while (i + 1 < r->n_shapes && r->shape[i].text_len < longest->tokens) i++;
    return i;
}

/* --- a row ------------------------------------------------------------------------------------------------------ */

static size_t place_part(size_t *at, size_t bytes)
{
    size_t off = *at;
    *at = (off + bytes + 255) / 256 * 256;
    return off;
}

ivl_chat_layout ivl_chat_rows_layout(const ivl_chat_rows *r)
{
    const ivl_chat_shape *s = &r->shape[r->n_shapes - 1]; /* the largest in everything */
    size_t b = (size_t)r->cfg.batch, side = (size_t)r->cfg.image_size, word = sizeof(int32_t);
    size_t pictures = b * (size_t)s->pictures, places = b * (size_t)s->text_len * word;
    size_t answers = b * (size_t)s->answers * word;
    ivl_chat_layout l = { 0 };
    l.pixels = place_part(&l.bytes, pictures * side * side * 3);
    l.ids = place_part(&l.bytes, places);
    l.len = place_part(&l.bytes, b * word);
    l.index = place_part(&l.bytes, places);
    l.inverse = place_part(&l.bytes, pictures * (size_t)r->cfg.picture_tokens * word);
    l.answer = place_part(&l.bytes, answers);
    l.predicts = place_part(&l.bytes, places);
    l.labels = place_part(&l.bytes, answers);
    return l;
}

/* The arrays of one row; ids, index, predicts of the record's row 0, the others of this row. */
typedef struct row {
    uint8_t *pixels;
    int32_t *ids, *len, *index, *inverse, *answer, *predicts, *labels;
    int64_t  n, a, p, k, within; /* sizes; which row of its record it is */
} row;

static row row_at(const ivl_chat_rows *r, int64_t step, int at, void *slot)
{
    const ivl_chat_shape *s = &r->shape[ivl_chat_rows_shape_of(r, step)];
    ivl_chat_layout l = ivl_chat_rows_layout(r);
    char *p = slot;
    int64_t side = r->cfg.image_size, within = at % r->cfg.micro, first = at - within;
    row w = { .n = s->text_len, .a = s->answers, .p = s->pictures, .k = r->cfg.picture_tokens, .within = within };
    w.pixels = (uint8_t *)p + l.pixels + at * w.p * side * side * 3;
    w.ids = (int32_t *)(void *)(p + l.ids) + first * w.n;
    w.len = (int32_t *)(void *)(p + l.len) + at;
    w.index = (int32_t *)(void *)(p + l.index) + first * w.n;
    w.inverse = (int32_t *)(void *)(p + l.inverse) + first * w.p * w.k;
    w.answer = (int32_t *)(void *)(p + l.answer) + at * w.a;
    w.predicts = (int32_t *)(void *)(p + l.predicts) + first * w.n;
    w.labels = (int32_t *)(void *)(p + l.labels) + at * w.a;
    return w;
}

static void fill_with(int32_t *to, int64_t n, int32_t v)
{
    for (int64_t i = 0; i < n; i++) to[i] = v;
}

/* A row that teaches nothing. */
static void make_empty(const ivl_chat_rows *r, const row *w)
{
    int64_t at = w->within * w->n, side = r->cfg.image_size;
    memset(w->pixels, 0, (size_t)(w->p * side * side * 3));
    fill_with(w->ids + at, w->n, 0), fill_with(w->index + at, w->n, -1), fill_with(w->predicts + at, w->n, -1);
    fill_with(w->inverse + w->within * w->p * w->k, w->p * w->k, -1);
    fill_with(w->answer, w->a, -1), fill_with(w->labels, w->a, IVL_IGNORE);
    *w->len = 1;
}

static ivl_status put_text(const ivl_sft *sft, const row *w)
{
    int64_t at = w->within * w->n, k = 0;
    int32_t *labels = malloc((size_t)w->n * sizeof *labels);
    IVL_CHECK(labels, IVL_ENOMEM, "out of memory");
    ivl_splice to = { w->ids, w->index, w->inverse, labels, at, w->within * w->p, w->k };
    int64_t n = ivl_prompt_splice(&to, sft->ids, sft->labels, sft->n);
    for (int64_t i = 1; i < n; i++) {
        if (labels[i] < 0) continue;
        w->answer[k] = (int32_t)(at + i - 1), w->labels[k] = labels[i];
        w->predicts[at + i - 1] = (int32_t)(w->within * w->a + k++);
    }
    *w->len = (int32_t)n;
    free(labels);
    return IVL_OK;
}

static ivl_status put_pictures(const ivl_chat_rows *r, const ivl_conversation *c, int n, const row *w)
{
    ivl_transform t = { .fit = IVL_FIT_PAD, .size = r->cfg.image_size };
    size_t bytes = (size_t)t.size * (size_t)t.size * 3;
    for (int i = 0; i < n && i < c->n_images; i++) {
        ivl_picture p = { c->image[i].bytes, c->image[i].n, c->image[i].name };
        IVL_TRY(ivl_transform_picture(&t, &p, w->pixels + (size_t)i * bytes));
    }
    return IVL_OK;
}

static ivl_status fill(const ivl_chat_rows *r, const talk *t, const row *w, char *where, size_t room)
{
    ivl_conversation c = { 0 };
    ivl_sft sft = { 0 };
    IVL_TRY(ivl_conversations_read(r->cfg.talks, t->record, &c));
    strncpy(where, c.where, room - 1);
    ivl_status s = encode(r, &c, &sft);
    if (s == IVL_OK) s = put_pictures(r, &c, t->pictures, w);
    if (s == IVL_OK) s = put_text(&sft, w);
    ivl_sft_free(&sft);
    ivl_conversation_free(&c);
    return s;
}

ivl_status ivl_chat_row_fill(const void *rows, int64_t step, int at, void *slot, ivl_row_result *result)
{
    const ivl_chat_rows *r = rows;
    const talk *t = chosen(r, step, at);
    IVL_CHECK(t, IVL_ENOMEM, "out of memory");
    row w = row_at(r, step, at, slot);
    char where[600] = "";
    make_empty(r, &w);
    ivl_status s = fill(r, t, &w, where, sizeof where);
    result->valid = s == IVL_OK;
    if (s == IVL_OK || s == IVL_ENOMEM) return s;
    result->skipped = 1;
    snprintf(result->trouble, sizeof result->trouble, "%.240s: left out: %.240s", where, ivl_last_error());
    make_empty(r, &w);
    return IVL_OK;
}
