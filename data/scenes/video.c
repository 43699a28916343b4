/* Short videos: one or two things on a still background, each going its way or staying. Two things keep to
 * lanes, so that they never meet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/scenes/write.h"

enum { STAYS = 4, TENTH = 10 };

typedef struct clip {
    scene scene;
    int way[SCENE_GROUPS]; /* of tell_video */
    double from[SCENE_GROUPS], to[SCENE_GROUPS];
    uint8_t *back, *rgb, *mask, *owner;
} clip;

static void draw_clip(const kit *k, dice *d, clip *c)
{
    scene *s = &c->scene;
    double size = k->o->size;
    do scene_draw(k, IVL_SCENES_VAL, d, s); /* what may be seen, where training may show it */
    while (s->n_groups > 2);
    bool across = dice_chance(d, 0.5);
    s->n_things = s->n_groups;
    for (int g = 0; g < s->n_groups; g++) {
        s->group[g].count = 1, s->group[g].first = g;
        const drawing *w = &k->drawing[s->group[g].drawing];
        double scale = size * dice_between(d, 0.32, 0.42) / (w->w > w->h ? w->w : w->h);
        double lane = s->n_groups == 1 ? dice_between(d, 0.3, 0.7) : g ? 0.74 : 0.26;
        bool back = dice_chance(d, 0.5), stays = g && dice_chance(d, 0.4);
        c->way[g] = stays ? STAYS : (across ? 0 : 2) + back;
        double begin = dice_between(d, 0.22, 0.32), end = dice_between(d, 0.68, 0.78);
        if (stays) begin = end = dice_between(d, 0.3, 0.7);
        c->from[g] = size * (back ? end : begin), c->to[g] = size * (back ? begin : end);
        s->thing[g] =
            (thing){ .group = g, .w = w->w * scale, .h = w->h * scale, .x = lane * size, .y = lane * size };
    }
}

static void step(const clip *c, double at, scene *s)
{
    for (int g = 0; g < s->n_groups; g++) {
        bool across = c->way[g == 0 || c->way[g] == STAYS ? 0 : g] < 2;
        double v = c->from[g] + (c->to[g] - c->from[g]) * at;
        if (across)
            s->thing[g].x = v;
        else
            s->thing[g].y = v;
    }
}

static json_t *boxes_of(const scene *s, int g)
{
    const int *b = s->thing[g].box;
    return json_pack("[iiii]", b[0], b[1], b[2], b[3]);
}

static ivl_status write_frames(const kit *k, ivl_shard *shard, const char *key, clip *c, json_t **boxes)
{
    size_t bytes = (size_t)k->o->size * (size_t)k->o->size * 3;
    for (int64_t f = 0; f < k->o->frames; f++) {
        char frame[8] = "";
        if (f) snprintf(frame, sizeof frame, "%03d", (int)f);
        memcpy(c->rgb, c->back, bytes);
        step(c, k->o->frames > 1 ? (double)f / (double)(k->o->frames - 1) : 0, &c->scene);
        scene_paint_things(k, &c->scene, c->rgb, c->mask, c->owner);
        for (int g = 0; g < c->scene.n_groups; g++) json_array_append_new(boxes[g], boxes_of(&c->scene, g));
        IVL_TRY(record_add_picture(k, shard, key, frame, c->rgb));
    }
    return IVL_OK;
}

static json_t *describe(const kit *k, const char *key, const clip *c, tell_text *caption, int n,
                        json_t **boxes)
{
    json_t *all = json_array();
    for (int g = 0; g < c->scene.n_groups; g++)
        json_array_append_new(all, json_pack("{si ss sO}", "class", c->scene.group[g].concept + 1, "name",
                                             k->concept[c->scene.group[g].concept].one, "boxes", boxes[g]));
    return json_pack("{ss so sI so}", "key", key, "captions", record_captions(caption, n), "frames",
                     (json_int_t)k->o->frames, "objects", all);
}

static ivl_status write_clip(const kit *k, ivl_shard *shard, const char *key, clip *c, dice *d)
{
    tell_text caption[2];
    json_t *boxes[SCENE_GROUPS] = { json_array(), json_array(), json_array() };
    draw_clip(k, d, c);
    ivl_status s = scene_paint_back(k, &c->scene, d, c->back);
    if (s == IVL_OK) s = write_frames(k, shard, key, c, boxes);
    for (int i = 0; i < 2; i++) tell_video(k, &c->scene, c->way, d, caption[i]);
    if (s == IVL_OK)
        s = record_add_json(shard, key,
                            describe(k, key, c, caption, 1 + !!strcmp(caption[0], caption[1]), boxes));
    if (s == IVL_OK) s = ivl_shard_add(shard, key, "txt", caption[0], strlen(caption[0]));
    for (int g = 0; g < SCENE_GROUPS; g++) json_decref(boxes[g]);
    return s;
}

static ivl_status write_shard(const kit *k, const char *part, int64_t n, clip *c)
{
    ivl_shard shard = { 0 };
    char name[48], key[48];
    snprintf(name, sizeof name, "%s.tar", part);
    IVL_TRY(ivl_shard_open(k->o->out, name, &shard));
    ivl_rng r = ivl_rng_make(k->o->seed, part);
    ivl_status s = IVL_OK;
    for (int64_t i = 0; s == IVL_OK && i < n; i++) {
        dice d = { r, (uint32_t)i, 0 };
        snprintf(key, sizeof key, "%s-%06lld", part, (long long)i);
        s = write_clip(k, &shard, key, c, &d);
    }
    if (s == IVL_OK) s = ivl_shard_commit(&shard);
    ivl_shard_abandon(&shard);
    return s;
}

ivl_status videos_write(const kit *k, int64_t count[2])
{
    clip c = { .way = { 0 } };
    size_t n = (size_t)k->o->size * (size_t)k->o->size;
    if (!k->o->videos) return IVL_OK;
    c.back = malloc(3 * n), c.rgb = malloc(3 * n), c.mask = malloc(n), c.owner = malloc(n);
    bool ok = c.back && c.rgb && c.mask && c.owner;
    ivl_status s = ok ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    int64_t val = (k->o->videos + TENTH - 1) / TENTH;
    if (s == IVL_OK) s = write_shard(k, "videos_train", k->o->videos, &c);
    if (s == IVL_OK) s = write_shard(k, "videos_val", val, &c);
    if (s == IVL_OK) count[0] = k->o->videos, count[1] = val;
    free(c.back), free(c.rgb), free(c.mask), free(c.owner);
    return s;
}
