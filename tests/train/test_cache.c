/* Decoding from the cache of keys and values against decoding without one, which takes in everything said so far at
 * every token; and a batch of seven prompts of different lengths against seven runs of one. For captions (queries that
 * look at a picture), a chat model about pictures, and a language model alone whose heads share keys; greedy and beams
 * of 3; on the host and on the OpenCL device, if there is one. Token for token. */
#include "model/checkpoint.h"
#include "model/decoder.h"
#include "model/internvl.h"
#include "tests/devices.h"
#include "tests/train/llm_folder.h"
#include "train/decode.h"
#include "train/language.h"

enum { ROWS = 7, PROMPT = 9, NEW = 8, MOST = PROMPT + NEW, KINDS = 3 };
typedef enum kind { CAPTION, CHAT, ALONE } kind;
static const char *const kind_name[] = { "captions", "chat", "language model" };
static const int prompt_n[ROWS] = { 5, 2, 9, 3, 7, 4, 6 };

static char dir[] = "/tmp/ivl-cache-XXXXXX";

/* What decodes. */
typedef struct subject {
    kind              kind;
    ivl_device       *dev;
    ivl_stream       *s;
    ivl_chat_config   chat;   /* of captions only its tower */
    ivl_params       *params;
    ivl_decoder_model m;
    int               before; /* positions of the picture before the text */
} subject;

static void setup(void)
{
    ivl_text_config c = llm_config(64, false, false);
    double scale = 0.2;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    llm_make(dir, &c, NULL, false, &scale);
}
static void teardown(void) { remove_tree(dir); }

static void open_subject(subject *u, kind k, const char *device)
{
    static const char *const folder[] = { "tests/golden/odd", "tests/golden/odd/chat_d", NULL };
    char path[512];
    ivl_params_options o = { .parts = IVL_PARTS_ALL };
    ivl_load_options load = { 0 };
    *u = (subject){ .kind = k };
    snprintf(path, sizeof path, "%s", folder[k] ? source(folder[k]) : dir);
    ok(ivl_device_open(device, &u->dev)), ok(ivl_stream_open(u->dev, &u->s));
    if (k == CAPTION) ok(ivl_config_load(path, &u->chat.tower));
    if (k == CHAT) ok(ivl_chat_config_load(path, &u->chat));
    if (k == ALONE) {
        u->chat = (ivl_chat_config){ .tower = ivl_config_default(), .no_tower = true };
        ok(ivl_llm_config_load(path, NULL, &u->chat.llm));
    }
    if (k != CAPTION) o.chat = &u->chat;
    ok(ivl_params_create(&u->chat.tower, &o, &u->params));
    ok(ivl_params_alloc(u->params, u->dev, IVL_F32, false));
    ok(ivl_checkpoint_load(path, u->params, u->s, &load, NULL));
    u->m = (ivl_decoder_model){ u->params, &u->chat.tower, k == CAPTION ? &u->chat.tower.text : &u->chat.llm,
                                k == CAPTION ? "qllama." : "llm.", IVL_F32 };
    if (k == CAPTION) u->before = u->chat.tower.text.queries;
    if (k == CHAT) u->before = (int)ivl_chat_picture_tokens(&u->chat, ivl_config_image_size(&u->chat.tower));
}

static void close_subject(subject *u)
{
    ivl_params_destroy(u->params);
    ivl_stream_close(u->s);
    ivl_device_close(u->dev);
}

/* --- prompts -------------------------------------------------------------------------------------- */

/* A decoder of so many prompts, and how its inputs are called. */
typedef struct prompts { const subject *u; int n, text; ivl_val ids, pixels, index, inverse; } prompts;

static ivl_status record(void *ctx, const ivl_scope *s, ivl_prompt *p)
{
    prompts *q = ctx;
    const subject *u = q->u;
    int64_t side = u->kind == ALONE ? 0 : ivl_config_image_size(&u->chat.tower), b = q->n;
    int64_t n = q->text + (u->kind == CHAT ? u->before : 0);
    ivl_vit_input in = { .keep = IVL_NONE, .resize = IVL_NONE };
    q->ids = ivl_input(s->g, "ids", IVL_I32, 2, (int64_t[]){ b, n });
    *p = (ivl_prompt){ IVL_NONE, IVL_NONE, 0, IVL_MASK_CAUSAL };
    if (u->kind == ALONE) {
        ivl_llama m = ivl_chat_llm(s, &u->chat);
        p->x = ivl_llama_embed(&m, q->ids);
        return IVL_OK;
    }
    in.pixels = q->pixels = ivl_input(s->g, "pixels", IVL_U8, 4, (int64_t[]){ b, side, side, 3 });
    if (u->kind == CAPTION) {
        *p = ivl_caption_prompt(s, ivl_vit(s, &in, NULL), q->ids);
        return IVL_OK;
    }
    q->index = ivl_input(s->g, "index", IVL_I32, 2, (int64_t[]){ b, n });
    q->inverse = ivl_input(s->g, "inverse", IVL_I32, 2, (int64_t[]){ b, u->before });
    ivl_chat_input c = { q->ids, IVL_NONE, q->index, q->inverse };
    p->x = ivl_chat_embed(s, &u->chat, ivl_chat_pictures(s, &u->chat, &in), &c);
    return IVL_OK;
}

static void write_input(const prompts *q, ivl_decoder *d, ivl_val v, const void *x, size_t bytes)
{
    ok(ivl_plan_write(ivl_decoder_prompts(d), q->u->s, v, x, bytes));
}

/* Row i shows picture and text of row[i], its picture behind the text's first token in a chat. */
static void write_pictures(const prompts *q, ivl_decoder *d, const int *row)
{
    const subject *u = q->u;
    if (u->kind == ALONE) return;
    size_t side = (size_t)ivl_config_image_size(&u->chat.tower), bytes = side * side * 3;
    uint8_t *px = malloc((size_t)q->n * bytes);
    for (size_t i = 0; i < (size_t)q->n * bytes; i++)
        px[i] = (uint8_t)(i / 3 % side * (7 + 5 * (size_t)row[i / bytes]) + i % bytes * 31);
    write_input(q, d, q->pixels, px, (size_t)q->n * bytes);
    free(px);
    if (u->kind != CHAT) return;
    int n = q->text + u->before;
    int32_t *index = malloc((size_t)(q->n * (n + u->before)) * sizeof *index), *inverse = index + q->n * n;
    for (int i = 0; i < q->n; i++) {
        for (int k = 0; k < n; k++) index[i * n + k] = k >= 1 && k <= u->before ? i * u->before + k - 1 : -1;
        for (int k = 0; k < u->before; k++) inverse[i * u->before + k] = i * n + 1 + k;
    }
    write_input(q, d, q->index, index, (size_t)(q->n * n) * sizeof *index);
    write_input(q, d, q->inverse, inverse, (size_t)(q->n * u->before) * sizeof *index);
    free(index);
}

/* text[n,MOST] of which len[n] count; *all gets the lengths with pictures. */
static void write_texts(const prompts *q, ivl_decoder *d, const int32_t *text, const int *len, int32_t *all)
{
    int skip = q->u->kind == CHAT ? q->u->before : 0, n = q->text + skip;
    int32_t *ids = calloc((size_t)(q->n * n), sizeof *ids);
    for (int i = 0; i < q->n; i++) {
        for (int k = 0; k < len[i]; k++) ids[i * n + (k ? k + skip : 0)] = text[i * MOST + k];
        all[i] = len[i] + q->u->before;
    }
    write_input(q, d, q->ids, ids, (size_t)(q->n * n) * sizeof *ids);
    free(ids);
}

static int32_t prompt_token(const subject *u, int row, int k)
{
    return k ? (row * 31 + k * 17) % (u->m.text->vocab - 3) + 3 : 1;
}

/* --- both ways ------------------------------------------------------------------------------------ */

typedef struct lanes { prompts q; ivl_decoder *d; int n; int32_t *text; int *len; } lanes;

static ivl_status cached_step(void *ctx, const int32_t *token, float *logits)
{
    return ivl_decoder_step(((lanes *)ctx)->d, token, logits);
}
static ivl_status cached_reorder(void *ctx, const int32_t *parent)
{
    return ivl_decoder_reorder(((lanes *)ctx)->d, parent);
}

/* Everything again, one token longer. */
static ivl_status whole_step(void *ctx, const int32_t *token, float *logits)
{
    lanes *l = ctx;
    int32_t all[3 * ROWS];
    for (int i = 0; token && i < l->n; i++) l->text[i * MOST + l->len[i]++] = token[i];
    write_texts(&l->q, l->d, l->text, l->len, all);
    return ivl_decoder_prefill(l->d, all, logits);
}

static ivl_status whole_reorder(void *ctx, const int32_t *parent)
{
    lanes *l = ctx;
    int32_t old[3 * ROWS * MOST];
    int len[3 * ROWS];
    memcpy(old, l->text, (size_t)(l->n * MOST) * sizeof *old), memcpy(len, l->len, (size_t)l->n * sizeof *len);
    for (int i = 0; i < l->n; i++) {
        memcpy(l->text + i * MOST, old + parent[i] * MOST, MOST * sizeof *old);
        l->len[i] = len[parent[i]];
    }
    return IVL_OK;
}

/* Rows first .. first + n - 1 of the seven. */
static void decode(const subject *u, bool cache, int first, int n, ivl_decode_options o, int32_t *out, int32_t *len)
{
    int wide = cache ? n : n * o.beams, row[3 * ROWS], text_n[3 * ROWS];
    int32_t text[3 * ROWS * MOST], all[3 * ROWS];
    lanes l = { .q = { .u = u, .n = wide, .text = cache ? PROMPT : MOST }, .n = wide, .text = text, .len = text_n };
    ivl_decoder_options size = { wide, cache ? o.beams : 1, u->before + MOST };
    float *logits = malloc((size_t)(n * o.beams) * (size_t)u->m.text->vocab * sizeof *logits);
    for (int i = 0; i < wide; i++) {
        row[i] = first + (cache ? i : i / o.beams), text_n[i] = prompt_n[row[i]];
        for (int k = 0; k < text_n[i]; k++) text[i * MOST + k] = prompt_token(u, row[i], k);
    }
    ok(ivl_decoder_create(u->dev, u->s, &u->m, &size, record, &l.q, &l.d));
    write_pictures(&l.q, l.d, row);
    write_texts(&l.q, l.d, text, text_n, all);
    ok(ivl_decoder_prefill(l.d, all, logits));
    ivl_decode_model m = { &l, u->m.text->vocab, cache ? cached_step : whole_step,
                           cache ? cached_reorder : whole_reorder, NULL };
    ok(ivl_decode(&o, &m, &(ivl_decode_rows){ .n = n }, logits, out, len));
    ivl_decoder_destroy(l.d);
    free(logits);
}

/* An end that some rows reach early: what the greedy answer of row 0 says third. */
static ivl_decode_options options_of(const subject *u, int beams)
{
    int32_t out[ROWS * NEW], len[ROWS];
    ivl_decode_options o = ivl_decode_defaults();
    o.max_new = NEW;
    decode(u, true, 0, ROWS, o, out, len);
    int kinds = 0;
    for (int r = 1; r < ROWS; r++) kinds += memcmp(out, out + r * NEW, NEW * sizeof *out) != 0;
    ck_assert_msg(kinds >= 3, "%s: answers are alike and tell nothing", kind_name[u->kind]);
    o.eos[0] = out[2], o.n_eos = 1, o.beams = beams;
    return o;
}

static void compare(kind k, const char *device, int beams)
{
    subject u;
    int32_t batch[ROWS * NEW], other[ROWS * NEW], len[ROWS], n[ROWS];
    open_subject(&u, k, device);
    ivl_decode_options o = options_of(&u, beams);
    decode(&u, true, 0, ROWS, o, batch, len);
    decode(&u, false, 0, ROWS, o, other, n);
    for (int r = 0; r < ROWS; r++)
        ck_assert_msg(len[r] == n[r] && !memcmp(batch + r * NEW, other + r * NEW, NEW * sizeof *batch),
                      "%s on %s, %d beams: row %d differs without a cache", kind_name[k], device, beams, r);
    for (int r = 0; r < ROWS; r++) {
        decode(&u, true, r, 1, o, other, n);
        ck_assert_msg(len[r] == n[0] && !memcmp(batch + r * NEW, other, NEW * sizeof *batch),
                      "%s on %s, %d beams: row %d differs by itself", kind_name[k], device, beams, r);
    }
    close_subject(&u);
}

START_TEST(on_host) { compare((kind)(_i % KINDS), "host", _i < KINDS ? 1 : 3); }
END_TEST

START_TEST(on_device)
{
    if (second_device()) compare((kind)(_i % KINDS), second_device(), _i < KINDS ? 1 : 3);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("cache");
    tcase_set_timeout(t, 300);
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, on_host, 0, 2 * KINDS);
    tcase_add_loop_test(t, on_device, 0, 2 * KINDS);
    return run_suite("cache", t);
}
