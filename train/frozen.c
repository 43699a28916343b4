#include "train/frozen.h"

#include <stdlib.h>
#include <string.h>

#include "model/checkpoint.h"
#include "model/heads.h"
#include "model/positions.h"
#include "model/vit.h"
#include "runtime/dtype.h"

enum { MAX_LAYERS = 256 };

struct ivl_frozen {
    ivl_frozen_options o;
    ivl_device        *dev;
    ivl_stream        *s;
    ivl_model_config   config;
    ivl_params        *params;
    ivl_tensor         resize;
    ivl_graph         *g;
    ivl_plan          *plan;
    ivl_val            pixels, out;
    ivl_buffer         slot; /* pinned batch record */
    char              *rows; /* features of a batch */
    int64_t            row;  /* elements of one */
};

static ivl_status load(ivl_frozen *f)
{
    ivl_params_options parts = { .parts = IVL_PART_C };
    ivl_load_options o = { .check_nan = true };
    IVL_TRY(ivl_config_load(f->o.model, &f->config));
    IVL_TRY(ivl_params_create(&f->config, &parts, &f->params));
    IVL_TRY(ivl_checkpoint_match(f->o.model, f->params, &o));
    IVL_TRY(ivl_params_alloc(f->params, f->dev, f->o.compute, false));
    return ivl_checkpoint_load(f->o.model, f->params, f->s, &o, NULL);
}

/* Input size and layer: the model's where the options leave them open. */
static ivl_status settle(ivl_frozen *f)
{
    int from = ivl_config_grid(&f->config), layers = f->config.vit.layers, patch = f->config.vit.patch;
    if (!f->o.image_size) f->o.image_size = ivl_config_image_size(&f->config);
    IVL_CHECK(f->o.maps <= IVL_FROZEN_MAPS, IVL_EINVAL, "%d maps, %d at most", f->o.maps, IVL_FROZEN_MAPS);
    if (!f->o.layer) f->o.layer = f->o.maps == 1 ? (45 * layers + 24) / 48 : layers;
    if (f->o.layer < 1) f->o.layer = 1;
    IVL_CHECK(f->o.layer <= layers, IVL_EINVAL, "%s: layer %d of %d", f->o.model, f->o.layer, layers);
    IVL_CHECK(f->o.layer <= MAX_LAYERS, IVL_EINVAL, "%s: more than %d layers", f->o.model, MAX_LAYERS);
    IVL_CHECK(f->o.image_size % patch == 0, IVL_EINVAL, "image size %d is no multiple of the patch size %d",
              f->o.image_size, patch);
    f->config.vit.layers = f->o.layer; /* what comes after it is not computed */
    int to = f->o.image_size / patch;
    return from == to ? IVL_OK : ivl_pos_tensor(f->s, f->o.compute, from, to, &f->resize);
}

/* Of map i, how many blocks it is the output of. */
static int layer_of(const ivl_frozen *f, int i)
{
    int layer = f->o.maps ? (i + 1) * f->o.layer / f->o.maps : f->o.layer;
    return layer < 1 ? 1 : layer;
}

static ivl_val features(const ivl_frozen *f, const ivl_scope *s, const ivl_vit_input *in)
{
    ivl_val states[MAX_LAYERS + 1], x = ivl_vit(s, in, states), all = IVL_NONE;
    if (!f->o.maps) return ivl_probe_features(f->g, x);
    for (int i = 0; i < f->o.maps; i++) {
        ivl_val map = ivl_seg_map(f->g, states[layer_of(f, i)]);
        all = i ? ivl_join(f->g, all, map) : map;
    }
    return all;
}

static ivl_status record(ivl_frozen *f)
{
    int64_t size = f->o.image_size;
    IVL_TRY(ivl_graph_create(&f->g));
    ivl_scope scope = { f->g, f->params, &f->config, f->o.compute, false };
    ivl_vit_input in = { .keep = IVL_NONE, .resize = IVL_NONE };
    if (f->resize.buf.handle) in.resize = ivl_extern(f->g, &f->resize, NULL);
    in.pixels = f->pixels = ivl_input(f->g, "pixels", IVL_U8, 4, (int64_t[]){ f->o.batch, size, size, 3 });
    f->out = ivl_keep(f->g, features(f, &scope, &in));
    IVL_TRY(ivl_plan_create(f->dev, f->g, NULL, &f->plan));
    IVL_TRY(ivl_plan_bind(&f->plan, 1));
    f->row = ivl_numel(ivl_tensor_of(f->g, f->out)) / f->o.batch;
    f->rows = malloc(ivl_dtype_bytes(f->o.compute, f->row * f->o.batch));
    IVL_CHECK(f->rows, IVL_ENOMEM, "out of memory");
    return ivl_alloc(f->dev, IVL_MEM_PINNED, ivl_plan_io_bytes(f->plan), &f->slot);
}

ivl_status ivl_frozen_open(const ivl_frozen_options *o, ivl_device *dev, ivl_stream *s, ivl_frozen **f_p)
{
    ivl_frozen *f = calloc(1, sizeof *f);
    IVL_CHECK(f, IVL_ENOMEM, "out of memory");
    f->o = *o, f->dev = dev, f->s = s;
    ivl_status st = load(f);
    if (st == IVL_OK) st = settle(f);
    if (st == IVL_OK) st = record(f);
    if (st == IVL_OK) *f_p = f;
    else ivl_frozen_close(f);
    return st;
}

void ivl_frozen_close(ivl_frozen *f)
{
    if (!f) return;
    ivl_plan_destroy(f->plan);
    ivl_graph_destroy(f->g);
    ivl_release(f->slot), ivl_release(f->resize.buf);
    ivl_params_destroy(f->params);
    free(f->rows), free(f);
}

ivl_frozen_shape ivl_frozen_shape_of(const ivl_frozen *f)
{
    int size = f->o.image_size;
    ivl_frozen_shape shape = { f->config.vit.width, size / f->config.vit.patch, size, { 0 } };
    for (int i = 0; i < IVL_FROZEN_MAPS && (i == 0 || i < f->o.maps); i++) shape.layer[i] = layer_of(f, i);
    return shape;
}

static ivl_status make_table(const ivl_frozen *f, int64_t rows, ivl_tensor *t_p)
{
    const ivl_caps *c = ivl_device_caps(f->dev);
    int64_t dim[] = { rows, f->row };
    ivl_tensor t = ivl_tensor_make(f->o.compute, 2, dim);
    size_t bytes = ivl_dtype_bytes(f->o.compute, rows * f->row);
    IVL_CHECK(!c->max_alloc || bytes <= c->max_alloc, IVL_ENOMEM,
              "features of %lld pictures take %.1f GiB, and %s gives at most %.1f GiB in one piece: use fewer pictures "
              "or views, a smaller --image-size, or --compute bf16",
              (long long)rows, (double)bytes / (1 << 30), c->name, (double)c->max_alloc / (1 << 30));
    t.name = "features";
    IVL_TRY(ivl_alloc(f->dev, IVL_MEM_DEVICE, bytes, &t.buf));
    *t_p = t;
    return IVL_OK;
}

/* Where the next picture goes; full batches run. */
typedef struct sink { const ivl_tensor *table; int64_t done; int held; } sink;

static uint8_t *next_place(const ivl_frozen *f, const sink *k)
{
    size_t bytes = (size_t)f->o.image_size * (size_t)f->o.image_size * 3;
    return (uint8_t *)f->slot.host + ivl_plan_io_offset(f->plan, f->pixels) + bytes * (size_t)k->held;
}

static ivl_status flush(ivl_frozen *f, sink *k)
{
    if (!k->held) return IVL_OK;
    size_t row = ivl_dtype_bytes(f->o.compute, f->row);
    IVL_TRY(ivl_plan_feed(f->plan, f->s, f->slot, 0));
    IVL_TRY(ivl_plan_run(f->plan, f->s));
    IVL_TRY(ivl_plan_read(f->plan, f->s, f->out, f->rows, row * (size_t)f->o.batch));
    IVL_TRY(ivl_write(f->s, k->table->buf, row * (size_t)k->done, row * (size_t)k->held, f->rows));
    IVL_TRY(ivl_sync(f->s));
    k->done += k->held, k->held = 0;
    return IVL_OK;
}

static ivl_status add_picture(ivl_frozen *f, const ivl_dataset *ds, int64_t i, int views, uint64_t seed, sink *k)
{
    ivl_transform t = { .fit = views ? IVL_FIT_RANDOM : f->o.fit, .size = f->o.image_size, .flip = views ? 0.5 : 0 };
    ivl_sample rec = { 0 };
    ivl_image im = { 0 };
    char where[512];
    IVL_TRY(ivl_dataset_read(ds, i, &rec));
    ivl_dataset_where(ds, i, where, sizeof where);
    ivl_status s = ivl_image_decode(rec.image, rec.image_bytes, where, ivl_transform_min_side(&t), &im);
    for (int v = 0; s == IVL_OK && v < (views ? views : 1); v++) {
        s = ivl_transform_apply(&t, &im, seed, (uint64_t)i, (uint32_t)v, next_place(f, k));
        if (s == IVL_OK && ++k->held == f->o.batch) s = flush(f, k);
    }
    ivl_image_free(&im);
    ivl_sample_free(&rec);
    return s;
}

ivl_status ivl_frozen_table(ivl_frozen *f, const ivl_dataset *ds, const int64_t *record, int64_t n, int views,
                            uint64_t seed, ivl_tensor *table_p)
{
    ivl_tensor table = { 0 };
    IVL_TRY(make_table(f, n * (views ? views : 1), &table));
    sink k = { &table, 0, 0 };
    ivl_status s = IVL_OK;
    for (int64_t i = 0; i < n && s == IVL_OK; i++) {
        if (f->o.progress) f->o.progress(f->o.ctx, "features", i, n);
        s = add_picture(f, ds, record[i], views, seed, &k);
    }
    if (s == IVL_OK) s = flush(f, &k);
    if (s == IVL_OK && f->o.progress) f->o.progress(f->o.ctx, "features", n, n);
    if (s == IVL_OK) *table_p = table;
    else ivl_release(table.buf);
    return s;
}
