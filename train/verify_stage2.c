#include "train/parity.h"

#include <stdlib.h>
#include <string.h>

#define DEVICE static inline
#include "ops/kernels/mask.h"

enum { ROWS = 5 }; /* of in.stage2's that the single-rank results are of */

static const ivl_vit_input no_input = { .keep = { -1 }, .resize = { -1 } };

/* --- InternVL-G ---------------------------------------------------------------------------------- */

static ivl_status image_g(ivl_parity *c)
{
    ivl_parity_run r;
    ivl_vit_input in = no_input;
    IVL_TRY(ivl_parity_begin(c, c->params, false, &r));
    ivl_graph *g = r.s.g;
    in.pixels = ivl_parity_input(&r, "in.pixels", IVL_F32);
    ivl_val ids = ivl_parity_input(&r, "in.text_ids", IVL_I32), len, last;
    ivl_status s = ivl_parity_lengths(&r, "in.text_ids", &len, &last);
    ivl_val vision = ivl_vit(&r.s, &in, NULL);
    ivl_val states = ivl_keep(g, ivl_query_states(&r.s, vision)), image = ivl_keep(g, ivl_encode_image_g(&r.s, vision));
    ivl_val text = ivl_encode_text(&r.s, ids, len, last);
    ivl_val cosine = ivl_keep(g, ivl_matmul(g, ivl_l2_norm(g, image), ivl_l2_norm(g, text), 0, 1));
    if (s == IVL_OK) s = ivl_parity_execute(&r);
    if (s == IVL_OK) s = ivl_parity_check(&r, states, "query.states");
    if (s == IVL_OK) s = ivl_parity_check(&r, image, "image.g");
    if (s == IVL_OK) s = ivl_parity_check_logits(&r, cosine, "logits.g");
    ivl_parity_end(&r);
    return s;
}

/* --- the batch ----------------------------------------------------------------------------------- */

/* Rows [from, from + n) of a matrix of the case, as whole numbers appended at dst. */
static ivl_status rows_of(const ivl_parity *c, const char *name, int64_t from, int64_t n, int32_t **dst)
{
    int rank;
    int64_t dim[IVL_MAX_RANK], all;
    double *v = NULL;
    IVL_TRY(ivl_parity_shape(c, name, &rank, dim));
    IVL_TRY(ivl_parity_data(c, name, &v, &all));
    bool fits = rank == 2 && from + n <= dim[0];
    for (int64_t i = 0; fits && i < n * dim[1]; i++) *(*dst)++ = (int32_t)v[from * dim[1] + i];
    free(v);
    IVL_CHECK(fits, IVL_EFORMAT, "%s: %s has too few rows", c->dir, name);
    return IVL_OK;
}

/* in.stage2's arrays as the model takes them. */
typedef struct batch {
    int64_t b, l;    /* samples, text length */
    int32_t *ids, *labels, *len, *last, *itm, *ignore;
    float   *same;
} batch;

static void batch_free(batch *k) { free(k->ids), free(k->same); }

static ivl_status batch_make(const ivl_parity *c, bool retrieval, batch *k)
{
    int rank;
    int64_t dim[IVL_MAX_RANK], neg = retrieval ? ROWS : ROWS - ROWS / 2, q = c->config.text.queries;
    IVL_TRY(ivl_parity_shape(c, "in.stage2.input_ids", &rank, dim));
    IVL_CHECK(rank == 2 && dim[0] >= ROWS, IVL_EFORMAT, "%s: in.stage2.input_ids has another shape", c->dir);
    *k = (batch){ .b = ROWS, .l = dim[1] };
    k->ids = calloc((size_t)(ROWS * (4 * k->l + 7)), sizeof *k->ids);
    k->same = calloc(ROWS * ROWS, sizeof *k->same);
    IVL_CHECK(k->ids && k->same, IVL_ENOMEM, "out of memory");
    k->labels = k->ids + 3 * ROWS * k->l, k->len = k->labels + ROWS * k->l, k->last = k->len + 3 * ROWS;
    k->itm = k->last + ROWS, k->ignore = k->itm + 2 * ROWS;
    int32_t *at = k->ids, *label = k->labels;
    IVL_TRY(rows_of(c, "in.stage2.negative_input_ids", 0, neg, &at));
    IVL_TRY(rows_of(c, "in.stage2.positive_input_ids", retrieval ? 0 : neg, retrieval ? ROWS : ROWS - neg, &at));
    IVL_TRY(rows_of(c, "in.stage2.summarize_input_ids", 0, ROWS, &at));
    if (!retrieval) IVL_TRY(rows_of(c, "in.stage2.input_ids", 0, ROWS, &at));
    IVL_TRY(rows_of(c, "in.stage2.labels", 0, ROWS, &label));
    int64_t itc = retrieval ? 2 * ROWS : ROWS;
    for (int64_t r = 0; r < 3 * ROWS; r++) {
        for (int64_t i = 0; i < k->l; i++) k->len[r] += k->ids[r * k->l + i] > 0;
        if (r >= itc && r < itc + ROWS) {
            k->ignore[r - itc] = k->len[r] == 5;
            k->last[r - itc] = (int32_t)q + k->len[r] - 1;
        }
        if (r < (retrieval ? 2 * ROWS : ROWS)) k->itm[r] = !retrieval && k->len[r] == 2 ? -100 : r >= neg;
        k->len[r] += (int32_t)q;
    }
    for (int64_t r = 0; r < ROWS; r++) { /* position t predicts label t + 1 */
        memmove(k->labels + r * k->l, k->labels + r * k->l + 1, (size_t)(k->l - 1) * sizeof *k->labels);
        k->labels[(r + 1) * k->l - 1] = -100;
    }
    return IVL_OK;
}

/* Texts of the same image share half of a row. */
static ivl_status same_images(const ivl_parity *c, batch *k)
{
    double *id = NULL;
    int64_t n;
    IVL_TRY(ivl_parity_data(c, "in.image_ids", &id, &n));
    for (int i = 0; i < ROWS && n >= ROWS; i++) {
        int same = 0;
        for (int j = 0; j < ROWS; j++) same += id[i] == id[j];
        for (int j = 0; j < ROWS; j++) k->same[i * ROWS + j] = id[i] == id[j] ? 0.5f / (float)same : 0;
    }
    free(id);
    IVL_CHECK(n >= ROWS, IVL_EFORMAT, "%s: in.image_ids has too few rows", c->dir);
    return IVL_OK;
}

static ivl_val ids_input(ivl_parity_run *r, const char *name, int64_t rows, int64_t cols, const int32_t *v)
{
    return ivl_parity_feed(r, name, IVL_I32, cols ? 2 : 1, (int64_t[]){ rows, cols }, v);
}

static ivl_stage2_input declare(ivl_parity_run *r, const batch *k, bool retrieval)
{
    ivl_vit_input in = no_input;
    in.pixels = ivl_parity_rows(r, "in.stage2.pixel_values", IVL_F32, ROWS);
    ivl_stage2_input x = { .itc_ignore = IVL_NONE, .itg_labels = IVL_NONE, .same_image = IVL_NONE };
    x.vision = ivl_vit(&r->s, &in, NULL);
    x.ids = ids_input(r, "ids", 3 * k->b, k->l, k->ids);
    x.len = ids_input(r, "len", 3 * k->b, 0, k->len);
    x.last = ids_input(r, "last", k->b, 0, k->last);
    x.itm_labels = ids_input(r, "itm labels", retrieval ? 2 * k->b : k->b, 0, k->itm);
    if (retrieval) {
        x.same_image = ivl_parity_feed(r, "same image", IVL_F32, 2, (int64_t[]){ k->b, k->b }, k->same);
        return x;
    }
    x.itc_ignore = ids_input(r, "empty", k->b, 0, k->ignore);
    x.itg_labels = ids_input(r, "itg labels", k->b, k->l, k->labels);
    return x;
}

/* The rule of masks as a matrix [3B,1,N,N]. */
static ivl_status mask(ivl_parity *c, const batch *k)
{
    int64_t n = c->config.text.queries + k->l, at = 0;
    double *see = malloc((size_t)(3 * k->b * n * n) * sizeof *see);
    IVL_CHECK(see, IVL_ENOMEM, "out of memory");
    for (int64_t b = 0; b < 3 * k->b; b++)
        for (int64_t i = 0; i < n; i++) {
            int rule = mask_rule(IVL_MASK_STAGE2, (int)b, (int)(3 * k->b));
            mask_keys keys = mask_row(rule, c->config.text.queries, (int)i, (int)n, k->len[b]);
            for (int64_t j = 0; j < n; j++) see[at++] = mask_sees(keys, (int)j);
        }
    ivl_status s = ivl_parity_compare(c, "stage2.mask", see, at);
    free(see);
    return s;
}

/* --- stage 2 and retrieval ----------------------------------------------------------------------- */

static ivl_status check_outputs(ivl_parity_run *r, const ivl_stage2_output *o, bool retrieval)
{
    if (retrieval) {
        IVL_TRY(ivl_parity_check(r, o->itm, "retrieval.loss_itm"));
        IVL_TRY(ivl_parity_check(r, o->itc, "retrieval.loss_itc"));
        return ivl_parity_sum(r, (ivl_val[]){ o->itm, o->itc }, 2, "retrieval.loss_total");
    }
    IVL_TRY(ivl_parity_check(r, o->itm_logits, "stage2.itm_logits"));
    IVL_TRY(ivl_parity_check(r, o->image, "stage2.image"));
    IVL_TRY(ivl_parity_check(r, o->text, "stage2.text"));
    IVL_TRY(ivl_parity_check(r, o->itg_logits, "stage2.itg_logits"));
    IVL_TRY(ivl_parity_check(r, o->itm, "stage2.loss_itm"));
    IVL_TRY(ivl_parity_check(r, o->itc, "stage2.loss_itc"));
    IVL_TRY(ivl_parity_check(r, o->itg, "stage2.loss_itg"));
    return ivl_parity_sum(r, (ivl_val[]){ o->itm, o->itc, o->itg }, 3, "stage2.loss");
}

static ivl_status losses(ivl_parity *c, bool retrieval)
{
    ivl_parity_run r;
    batch k = { 0 };
    IVL_TRY(ivl_parity_begin(c, c->params, true, &r));
    ivl_status s = batch_make(c, retrieval, &k);
    if (s == IVL_OK) s = retrieval ? same_images(c, &k) : mask(c, &k);
    if (s == IVL_OK) {
        ivl_graph *g = r.s.g;
        ivl_stage2_input in = declare(&r, &k, retrieval);
        ivl_stage2_output o = retrieval ? ivl_retrieval(&r.s, &in) : ivl_stage2(&r.s, &in);
        ivl_val keep[] = { o.itm_logits, o.image, o.text, o.itg_logits, o.itm, o.itc, o.itg };
        for (int i = 0; i < 7; i++) ivl_keep(g, keep[i]);
        ivl_val total[] = { o.itm, o.itc, o.itg };
        ivl_backward b = { .out = total, .n = 3 };
        if (!retrieval) s = ivl_graph_backward(g, &b);
        if (s == IVL_OK) s = ivl_parity_execute(&r);
        if (s == IVL_OK) s = check_outputs(&r, &o, retrieval);
        if (s == IVL_OK && !retrieval) s = ivl_parity_check_params(c, c->params, "stage2.grad.", IVL_GRAD);
    }
    batch_free(&k);
    ivl_parity_end(&r);
    return s;
}

/* The matching head by itself says what it says among the three thirds. */
static ivl_status matching(ivl_parity *c)
{
    ivl_parity_run r;
    batch k = { 0 };
    IVL_TRY(ivl_parity_begin(c, c->params, false, &r));
    ivl_status s = batch_make(c, false, &k);
    if (s == IVL_OK) {
        ivl_vit_input in = no_input;
        in.pixels = ivl_parity_rows(&r, "in.stage2.pixel_values", IVL_F32, ROWS);
        ivl_val vision = ivl_vit(&r.s, &in, NULL), ids = ids_input(&r, "ids", k.b, k.l, k.ids);
        ivl_val len = ids_input(&r, "len", k.b, 0, k.len);
        ivl_val logits = ivl_keep(r.s.g, ivl_match_logits(&r.s, vision, ids, len));
        s = ivl_parity_execute(&r);
        if (s == IVL_OK) s = ivl_parity_check(&r, logits, "stage2.itm_logits");
    }
    batch_free(&k);
    ivl_parity_end(&r);
    return s;
}

static ivl_status fill(ivl_parity *c, void *ctx, ivl_step_shape *shape, const ivl_step_layout *l, char *slot)
{
    const batch *k = ctx;
    int rank;
    int64_t px[IVL_MAX_RANK];
    IVL_TRY(ivl_parity_shape(c, "in.stage2.pixel_values", &rank, px));
    if (shape) {
        *shape = (ivl_step_shape){ .stage = IVL_STEP_STAGE2, .batch = ROWS, .micro = ROWS, .image_size = (int)px[3],
                                   .text_len = (int)k->l, .float_pixels = true };
        return IVL_OK;
    }
    IVL_TRY(ivl_parity_copy(c, "in.stage2.pixel_values", ROWS, IVL_F32, slot + l->pixels));
    size_t row = (size_t)k->l * sizeof(int32_t);
    memcpy(slot + l->ids, k->ids, 3 * ROWS * row), memcpy(slot + l->labels, k->labels, ROWS * row);
    memcpy(slot + l->len, k->len, 3 * ROWS * sizeof(int32_t)), memcpy(slot + l->last, k->last, ROWS * sizeof(int32_t));
    memcpy(slot + l->itm, k->itm, ROWS * sizeof(int32_t)), memcpy(slot + l->ignore, k->ignore, ROWS * sizeof(int32_t));
    return IVL_OK;
}

static ivl_status adamw(ivl_parity *c)
{
    batch k = { 0 };
    ivl_status s = batch_make(c, false, &k);
    if (s == IVL_OK) s = ivl_verify_adamw(c, "stage2", fill, &k);
    batch_free(&k);
    return s;
}

ivl_status ivl_verify_stage2(ivl_parity *c)
{
    if (!c->config.text.queries || !ivl_parity_has(c, "in.stage2.pixel_values")) return IVL_OK;
    IVL_TRY(image_g(c));
    IVL_TRY(losses(c, false));
    IVL_TRY(losses(c, true));
    IVL_TRY(matching(c));
    return adamw(c);
}
