/* Pictures and texts into unit vectors: model, tokenizer and transforms behind include/ivl/ivl.h. One plan
 * for pictures and one per text length; they share memory, and the last short batch is padded with rows that
 * do not count. */
#include <stdlib.h>
#include <string.h>

#include "data/tokenizer.h"
#include "data/transform.h"
#include "model/checkpoint.h"
#include "model/internvl.h"
#include "model/positions.h"
#include "runtime/dtype.h"
#include "runtime/file.h"

enum { TEXT_PLANS = 3, MAX_TEXT = 80 }; /* 80 tokens: the reference's limit */
static const int text_len[TEXT_PLANS] = { 16, 32, MAX_TEXT };

typedef struct encoder { ivl_graph *g; ivl_plan *plan; ivl_val pixels, ids, len, last, out; } encoder;

struct ivl_embedder {
    ivl_device      *dev;
    ivl_stream      *stream;
    ivl_model_config config;
    ivl_params      *params;
    ivl_tokenizer   *tok;
    ivl_transform    transform;
    ivl_dtype        dtype;
    int              batch;
    bool             queries; /* InternVL-G */
    ivl_buffer       slot; /* pinned batch record */
    ivl_tensor       resize; /* position matrix to another size, without buffer: none */
    encoder          image, text[TEXT_PLANS];
    void            *raw;          /* features as the device has them */
};

static ivl_status record_image(ivl_embedder *e)
{
    encoder *c = &e->image;
    int64_t s = e->transform.size;
    IVL_TRY(ivl_graph_create(&c->g));
    ivl_scope scope = { c->g, e->params, &e->config, e->dtype, false };
    ivl_vit_input in = { .keep = IVL_NONE, .resize = IVL_NONE };
    if (e->resize.buf.handle) in.resize = ivl_extern(c->g, &e->resize, NULL);
    in.pixels = c->pixels = ivl_input(c->g, "pixels", IVL_U8, 4, (int64_t[]){ e->batch, s, s, 3 });
    ivl_val x = e->queries ? ivl_encode_image_g(&scope, ivl_vit(&scope, &in, NULL)) : ivl_encode_image(&scope, &in);
    c->out = ivl_keep(c->g, ivl_l2_norm(c->g, x));
    return ivl_plan_create(e->dev, c->g, NULL, &c->plan);
}

static ivl_status record_text(ivl_embedder *e, encoder *c, int64_t len)
{
    int64_t b = e->batch;
    IVL_TRY(ivl_graph_create(&c->g));
    ivl_scope scope = { c->g, e->params, &e->config, e->dtype, false };
    c->ids = ivl_input(c->g, "ids", IVL_I32, 2, (int64_t[]){ b, len });
    c->len = ivl_input(c->g, "len", IVL_I32, 1, &b);
    c->last = ivl_input(c->g, "last", IVL_I32, 1, &b);
    c->out = ivl_keep(c->g, ivl_l2_norm(c->g, ivl_encode_text(&scope, c->ids, c->len, c->last)));
    return ivl_plan_create(e->dev, c->g, NULL, &c->plan);
}

/* The matrix that resizes position embeddings, when the input size is not the model's. */
static ivl_status make_matrix(ivl_embedder *e)
{
    int from = ivl_config_grid(&e->config), to = e->transform.size / e->config.vit.patch;
    IVL_CHECK(e->transform.size % e->config.vit.patch == 0, IVL_EINVAL,
              "image size %d is no multiple of the patch size %d", e->transform.size, e->config.vit.patch);
    if (from == to) return IVL_OK;
    return ivl_pos_tensor(e->stream, e->dtype, from, to, &e->resize);
}

static ivl_status load(ivl_embedder *e, const char *dir)
{
    ivl_params_options parts = { .parts = IVL_PART_C | (e->queries ? IVL_PART_G : 0u) };
    IVL_TRY(ivl_config_load(dir, &e->config));
    IVL_CHECK(!e->queries || e->config.text.queries, IVL_EINVAL,
              "%s: this model has no queries (num_query_token 0): InternVL-G needs stage 2", dir);
    IVL_TRY(ivl_tokenizer_open(dir, &e->tok));
    IVL_CHECK(ivl_tokenizer_size(e->tok) <= e->config.text.vocab, IVL_EFORMAT,
              "%s: the tokenizer has %d tokens and the model %d: this tokenizer.model is of another model", dir,
              ivl_tokenizer_size(e->tok), e->config.text.vocab);
    ivl_load_options o = { .check_nan = true };
    IVL_TRY(ivl_params_create(&e->config, &parts, &e->params));
    IVL_TRY(ivl_checkpoint_match(dir, e->params, &o)); /* a config.json of a larger model takes no memory */
    IVL_TRY(ivl_params_alloc(e->params, e->dev, e->dtype, false));
    return ivl_checkpoint_load(dir, e->params, e->stream, &o, NULL);
}

static ivl_status prepare(ivl_embedder *e)
{
    ivl_plan *plan[1 + TEXT_PLANS];
    size_t io = 0;
    IVL_TRY(make_matrix(e));
    IVL_TRY(record_image(e));
    for (int i = 0; i < TEXT_PLANS; i++) IVL_TRY(record_text(e, &e->text[i], text_len[i]));
    for (int i = 0; i <= TEXT_PLANS; i++) {
        plan[i] = i ? e->text[i - 1].plan : e->image.plan;
        if (ivl_plan_io_bytes(plan[i]) > io) io = ivl_plan_io_bytes(plan[i]);
    }
    IVL_TRY(ivl_plan_bind(plan, 1 + TEXT_PLANS));
    e->raw = malloc(ivl_dtype_bytes(e->dtype, (int64_t)e->batch * e->config.embed_dim));
    IVL_CHECK(e->raw, IVL_ENOMEM, "out of memory");
    return ivl_alloc(e->dev, IVL_MEM_PINNED, io, &e->slot);
}

ivl_status ivl_embedder_open(const char *model_dir, ivl_device *dev, const ivl_embedder_options *options,
                             ivl_embedder **e_p)
{
    static const ivl_embedder_options none;
    if (!options) options = &none;
    ivl_embedder *e = calloc(1, sizeof *e);
    IVL_CHECK(e, IVL_ENOMEM, "out of memory");
    e->dev = dev, e->queries = options->queries, e->dtype = options->compute,
    e->batch = options->batch > 0 ? options->batch : 8;
    ivl_status s = ivl_stream_open(dev, &e->stream);
    if (s == IVL_OK) s = load(e, model_dir);
    e->transform.fit = options->center_crop ? IVL_FIT_CENTER : IVL_FIT_SQUASH;
    if (s == IVL_OK) e->transform.size = options->image_size ? options->image_size : ivl_config_image_size(&e->config);
    if (s == IVL_OK) s = prepare(e);
    if (s != IVL_OK) {
        ivl_embedder_close(e);
        return s;
    }
    *e_p = e;
    return IVL_OK;
}

static void encoder_close(encoder *c)
{
    ivl_plan_destroy(c->plan);
    ivl_graph_destroy(c->g);
}

void ivl_embedder_close(ivl_embedder *e)
{
    if (!e) return;
    encoder_close(&e->image);
    for (int i = 0; i < TEXT_PLANS; i++) encoder_close(&e->text[i]);
    ivl_release(e->slot), ivl_release(e->resize.buf);
    ivl_params_destroy(e->params);
    ivl_tokenizer_close(e->tok);
    ivl_stream_close(e->stream);
    free(e->raw), free(e);
}

int ivl_embedder_dim(const ivl_embedder *e) { return e->config.embed_dim; }

/* Runs the record in the slot; the first n rows go to out. */
static ivl_status run(ivl_embedder *e, encoder *c, int n, float *out)
{
    int64_t dim = e->config.embed_dim;
    IVL_TRY(ivl_plan_feed(c->plan, e->stream, e->slot, 0));
    IVL_TRY(ivl_plan_run(c->plan, e->stream));
    IVL_TRY(ivl_plan_read(c->plan, e->stream, c->out, e->raw, ivl_dtype_bytes(e->dtype, e->batch * dim)));
    ivl_convert(out, IVL_F32, e->raw, e->dtype, n * dim);
    return IVL_OK;
}

static ivl_status text_batch(ivl_embedder *e, const char *const *text, int n, int32_t *ids, int32_t *len, float *out)
{
    int longest = 0, which = 0;
    for (int i = 0; i < e->batch; i++) { /* rows past n repeat the first */
        IVL_TRY(ivl_text_contrastive(e->tok, text[i < n ? i : 0], MAX_TEXT, ids + i * MAX_TEXT, &len[i]));
        if (len[i] > longest) longest = len[i];
    }
    while (text_len[which] < longest) which++;
    encoder *c = &e->text[which];
    char *slot = e->slot.host;
    for (int i = 0; i < e->batch; i++) {
        size_t row = (size_t)text_len[which] * sizeof *ids;
        int32_t last = len[i] - 1;
        memcpy(slot + ivl_plan_io_offset(c->plan, c->ids) + row * (size_t)i, ids + i * MAX_TEXT, row);
        memcpy(slot + ivl_plan_io_offset(c->plan, c->len) + sizeof last * (size_t)i, &len[i], sizeof last);
        memcpy(slot + ivl_plan_io_offset(c->plan, c->last) + sizeof last * (size_t)i, &last, sizeof last);
    }
    return run(e, c, n, out);
}

ivl_status ivl_embed_texts(ivl_embedder *e, const char *const *text, int n, float *out)
{
    int32_t *ids = malloc((size_t)e->batch * (MAX_TEXT + 1) * sizeof *ids);
    IVL_CHECK(ids, IVL_ENOMEM, "out of memory");
    ivl_status s = IVL_OK;
    for (int i = 0; i < n && s == IVL_OK; i += e->batch)
        s = text_batch(e, text + i, n - i < e->batch ? n - i : e->batch, ids, ids + e->batch * MAX_TEXT,
                       out + (int64_t)i * e->config.embed_dim);
    free(ids);
    return s;
}

static ivl_status picture_into(ivl_embedder *e, const ivl_picture *p, int row)
{
    size_t bytes = (size_t)e->transform.size * (size_t)e->transform.size * 3;
    uint8_t *dst = (uint8_t *)e->slot.host + ivl_plan_io_offset(e->image.plan, e->image.pixels) + bytes * (size_t)row;
    return ivl_transform_picture(&e->transform, p, dst);
}

ivl_status ivl_embed_pictures(ivl_embedder *e, const ivl_picture *picture, int n, float *out)
{
    for (int i = 0; i < n; i += e->batch) {
        int rows = n - i < e->batch ? n - i : e->batch;
        for (int j = 0; j < rows; j++) IVL_TRY(picture_into(e, &picture[i + j], j));
        IVL_TRY(run(e, &e->image, rows, out + (int64_t)i * e->config.embed_dim));
    }
    return IVL_OK;
}

ivl_status ivl_embed_files(ivl_embedder *e, const char *const *path, int n, float *out)
{
    for (int i = 0; i < n; i += e->batch) {
        int rows = n - i < e->batch ? n - i : e->batch;
        for (int j = 0; j < rows; j++) {
            char *bytes = NULL;
            ivl_picture p = { .name = path[i + j] };
            IVL_TRY(ivl_read_file(path[i + j], (size_t)1 << 30, &bytes, &p.n));
            p.bytes = bytes;
            ivl_status s = picture_into(e, &p, j);
            free(bytes);
            IVL_TRY(s);
        }
        IVL_TRY(run(e, &e->image, rows, out + (int64_t)i * e->config.embed_dim));
    }
    return IVL_OK;
}
