/* ivl_clipart_build: every titled picture into its shard. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "data/clipart/clipart.h"
#include "data/emoji/shard.h"
#include "data/image.h"
#include "data/transform.h"
#include "runtime/json_save.h"
#include "runtime/rng.h"

enum { SHARD_RECORDS = 1000, QUALITY = 90, LABELS_MOST = 256, VAL = 1 };
static const double VAL_SHARE = 0.1;

typedef struct builder {
    const ivl_clipart_options *o;
    ivl_clipart set;
    ivl_clipart_report report;
    char *label[LABELS_MOST]; /* top folders, in order */
    int count[LABELS_MOST][2];
    int8_t *side; /* [set.n]: 0 train, 1 val */
    ivl_shard shard;
} builder;

static ivl_status no_memory(void) { return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory"); }

/* --- splits --------------------------------------------------------------------------------------------- */

/* Titles that differ in case, digits or marks alone lie on one side. */
static uint64_t hash_title(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *s; s++)
        if (isalpha((unsigned char)*s) || *s & 0x80)
            h = (h ^ (uint64_t)tolower((unsigned char)*s)) * 0x100000001b3u;
    return h ^ h >> 31;
}

static void split(builder *b)
{
    ivl_rng r = ivl_rng_make(b->o->seed, "clipart:val");
    for (int i = 0; i < b->set.n; i++)
        b->side[i] = ivl_rng_uniform(r, 0, 0, hash_title(b->set.item[i].title)) < VAL_SHARE;
}

/* "animals/birds/crow_01" -> "animals"; its number. */
static ivl_status label_of(builder *b, const char *path, int *label_p)
{
    const char *slash = strchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    int i = 0;
    while (i < b->report.labels && (strncmp(b->label[i], path, n) || b->label[i][n])) i++;
    if (i == b->report.labels) {
        IVL_CHECK(i < LABELS_MOST, IVL_EINVAL, "%s: more than %d folders at the top", path, LABELS_MOST);
        b->label[i] = n ? strndup(path, n) : strdup("other");
        if (!b->label[i]) return no_memory();
        b->report.labels++;
    }
    *label_p = i;
    return IVL_OK;
}

/* --- a record ------------------------------------------------------------------------------------------- */

/* The part that is not transparent: x0 y0 x1 y1; all of it if nothing is. */
static void visible_part(const uint8_t *rgba, int w, int h, int box[4])
{
    box[0] = w, box[1] = h, box[2] = box[3] = 0;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            if (rgba[4 * ((size_t)y * (size_t)w + (size_t)x) + 3] < 16) continue;
            if (x < box[0]) box[0] = x;
            if (x >= box[2]) box[2] = x + 1;
            if (y < box[1]) box[1] = y;
            box[3] = y + 1;
        }
    if (!box[2]) box[0] = box[1] = 0, box[2] = w, box[3] = h;
}

/* Its visible part, the longer side `size` or what it was. */
static ivl_status shrink(const uint8_t *rgb, int stride, const int box[4], int size, const char *name,
                         ivl_image *out_p)
{
    int w = box[2] - box[0], h = box[3] - box[1], longer = w > h ? w : h, dw = w, dh = h;
    if (longer > size) dw = (w * size + longer / 2) / longer, dh = (h * size + longer / 2) / longer;
    if (dw < 1) dw = 1;
    if (dh < 1) dh = 1;
    IVL_TRY(ivl_image_alloc(name, (uint64_t)dw, (uint64_t)dh, out_p));
    const uint8_t *from = rgb + 3 * ((size_t)box[1] * (size_t)stride + (size_t)box[0]);
    ivl_status s = ivl_resize(from, w, h, (size_t)stride * 3, (const double[4]){ 0, 0, w, h }, out_p->rgb, dw,
                              dh, false);
    if (s != IVL_OK) ivl_image_free(out_p);
    return s;
}

/* On white. */
static ivl_status make_picture(const builder *b, int i, ivl_image *out_p)
{
    uint8_t *rgba = NULL;
    int w = 0, h = 0, box[4];
    IVL_TRY(ivl_clipart_picture(&b->set, i, b->o->size, &rgba, &w, &h));
    visible_part(rgba, w, h, box);
    uint8_t *rgb = malloc((size_t)w * (size_t)h * 3);
    if (rgb) ivl_over_white(rgba, rgb, (size_t)w * (size_t)h);
    free(rgba);
    ivl_status s = rgb ? shrink(rgb, w, box, b->o->size, b->set.item[i].path, out_p) : no_memory();
    free(rgb);
    return s;
}

static json_t *describe(const ivl_clipart_item *it, const char *key, int label, const char *top)
{
    char lower[96];
    size_t n = 0;
    for (; it->title[n]; n++) lower[n] = (char)tolower((unsigned char)it->title[n]);
    lower[n] = 0;
    json_t *captions = json_pack("[{ss ss ss}]", "lang", "en", "text", it->title, "kind", "title");
    if (*it->keywords)
        json_array_append_new(
            captions, json_pack("{ss ss ss}", "lang", "en", "text", it->keywords, "kind", "keywords"));
    return json_pack("{ss ss ss si ss so}", "key", key, "concept", lower, "label", top, "label_id", label,
                     "file", it->path, "captions", captions);
}

static ivl_status add_record(builder *b, int i, const ivl_image *im)
{
    const ivl_clipart_item *it = &b->set.item[i];
    int label = 0;
    char key[96];
    uint8_t *jpg = NULL;
    size_t n = 0;
    IVL_TRY(label_of(b, it->path, &label));
    snprintf(key, sizeof key, "%.60s/%06d", b->label[label], i);
    IVL_TRY(ivl_jpeg_encode(im->rgb, im->width, im->height, QUALITY, &jpg, &n));
    json_t *root = describe(it, key, label, b->label[label]);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    ivl_status s = text ? ivl_shard_add(&b->shard, key, "jpg", jpg, n) : no_memory();
    if (s == IVL_OK) s = ivl_shard_add(&b->shard, key, "json", text, strlen(text));
    if (s == IVL_OK) s = ivl_shard_add(&b->shard, key, "txt", it->title, strlen(it->title));
    json_decref(root);
    free(text), free(jpg);
    b->count[label][b->side[i]]++;
    b->report.records[b->side[i]]++;
    return s;
}

/* --- files ---------------------------------------------------------------------------------------------- */

/* Records of one side from *next_p on, `most` at most; pictures that cannot be read are counted. */
static ivl_status write_shard(builder *b, const char *name, int side, int most, int *next_p)
{
    IVL_TRY(ivl_shard_open(b->o->out, name, &b->shard));
    ivl_status s = IVL_OK;
    for (int n = 0; s == IVL_OK && n < most && *next_p < b->set.n; (*next_p)++) {
        ivl_image im = { 0 };
        if (b->side[*next_p] != side) continue;
        s = make_picture(b, *next_p, &im);
        if (s == IVL_EFORMAT) {
            b->report.unreadable++;
            s = IVL_OK;
            continue;
        }
        if (s == IVL_OK) s = add_record(b, *next_p, &im), n++;
        ivl_image_free(&im);
    }
    if (s == IVL_OK) s = ivl_shard_commit(&b->shard);
    ivl_shard_abandon(&b->shard);
    b->report.bytes[side] += b->shard.bytes;
    return s;
}

static ivl_status remove_earlier(const char *dir)
{
    bool there = true;
    for (int i = -1; i < 0 || there; i++) {
        char name[40];
        if (i < 0)
            snprintf(name, sizeof name, "splits.json");
        else
            snprintf(name, sizeof name, "train-%03d.tar", i);
        char *path = ivl_path_join(dir, name);
        if (!path) return no_memory();
        there = !unlink(path);
        free(path);
    }
    return IVL_OK;
}

static ivl_status write_shards(builder *b)
{
    int next = 0;
    IVL_TRY(write_shard(b, "val.tar", VAL, b->set.n, &next));
    for (next = 0; next < b->set.n; b->report.shards++) {
        char name[32];
        snprintf(name, sizeof name, "train-%03d.tar", b->report.shards);
        IVL_TRY(write_shard(b, name, 0, SHARD_RECORDS, &next));
    }
    return IVL_OK;
}

static json_t *facts(const builder *b)
{
    const ivl_clipart_report *r = &b->report;
    json_t *labels = json_array();
    for (int i = 0; i < r->labels; i++)
        json_array_append_new(labels, json_pack("{ss si si}", "label", b->label[i], "train", b->count[i][0],
                                                "val", b->count[i][1]));
    return json_pack("{sI si si si si si sI sI so}", "seed", (json_int_t)b->o->seed, "size", b->o->size,
                     "found", r->found, "with_usable_title", r->usable, "unreadable", r->unreadable,
                     "train_shards", r->shards, "train", (json_int_t)r->records[0], "val",
                     (json_int_t)r->records[1], "labels", labels);
}

static ivl_status write_facts(const builder *b)
{
    return ivl_json_save_in(facts(b), b->o->out, "splits.json", JSON_INDENT(1));
}

static ivl_status build(builder *b)
{
    IVL_CHECK(b->o->size >= 16 && b->o->size <= 2048, IVL_EINVAL,
              "clip art of %d pixels; 16 to 2048 are made", b->o->size);
    IVL_TRY(ivl_clipart_open(b->o->png, b->o->svg, &b->set));
    b->report.found = b->set.found, b->report.usable = b->set.n;
    b->side = calloc((size_t)b->set.n + 1, 1);
    if (!b->side) return no_memory();
    split(b);
    IVL_TRY(ivl_make_dirs(b->o->out));
    IVL_TRY(remove_earlier(b->o->out));
    IVL_TRY(write_shards(b));
    return write_facts(b);
}

ivl_status ivl_clipart_build(const ivl_clipart_options *o, ivl_clipart_report *report_p)
{
    builder *b = calloc(1, sizeof *b);
    if (!b) return no_memory();
    b->o = o;
    ivl_status s = build(b);
    if (s == IVL_OK) *report_p = b->report;
    for (int i = 0; i < b->report.labels; i++) free(b->label[i]);
    ivl_clipart_close(&b->set);
    free(b->side), free(b);
    return s;
}
