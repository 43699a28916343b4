/* ivl_scenes_build: what can be drawn, then every part, scene by scene. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/scenes/write.h"

typedef struct builder {
    kit kit;
    pope *pope;
    uint8_t *rgb, *mask;
    ivl_out_file talk[TELL_FORMS], corpus;
    ivl_scenes_report report;
} builder;

const char *ivl_scenes_part_name(ivl_scenes_part part)
{
    static const char *const name[] = { "train", "val_scenes", "val_objects", "val_combos",
                                        "val_backgrounds" };
    return name[part];
}

static ivl_status no_memory(void) { return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory"); }

/* The conversations about a scene; the first goes on with its dice. */
static ivl_status tell(builder *b, ivl_scenes_part part, const scene *s, int64_t i, const char *key, const char *image,
                       dice *d)
{
    static const char *const stream[TELL_FORMS] = { "", "words", "caption", "reasons" };
    for (int form = 0; form < TELL_FORMS; form++) {
        char name[48];
        snprintf(name, sizeof name, "%s:%s", stream[form], ivl_scenes_part_name(part));
        dice own = { ivl_rng_make(b->kit.o->seed, name), (uint32_t)i, 0 };
        IVL_TRY(record_tell(&b->kit, b->talk[form].f, key, image, s, form ? &own : d, (tell_form)form, i == 0));
    }
    return IVL_OK;
}

static ivl_status write_scene(builder *b, ivl_scenes_part part, ivl_shard *shard, int64_t i)
{
    const kit *k = &b->kit;
    char key[32], image[40], stream[48];
    scene s;
    snprintf(key, sizeof key, "%s-%06lld", ivl_scenes_part_name(part), (long long)i);
    snprintf(image, sizeof image, "%s.%s", key, k->o->png ? "png" : "jpg");
    snprintf(stream, sizeof stream, "scenes:%s", ivl_scenes_part_name(part));
    dice d = { ivl_rng_make(k->o->seed, stream), (uint32_t)i, 0 };
    scene_draw(k, part, &d, &s);
    IVL_TRY(scene_paint(k, &s, &d, b->rgb, b->mask));
    IVL_TRY(record_add_scene(k, shard, key, &s, &d, b->rgb, b->mask, part == IVL_SCENES_TRAIN ? b->corpus.f : NULL));
    IVL_TRY(tell(b, part, &s, i, key, image, &d));
    if (part == IVL_SCENES_TRAIN) pope_learn(b->pope, &s);
    if (part == IVL_SCENES_VAL) IVL_TRY(pope_ask(b->pope, &s, image));
    b->report.records[part]++;
    return IVL_OK;
}

static ivl_status write_shard(builder *b, ivl_scenes_part part, const char *name, int64_t from, int64_t to)
{
    ivl_shard shard = { 0 };
    IVL_TRY(ivl_shard_open(b->kit.o->out, name, &shard));
    ivl_status s = IVL_OK;
    for (int64_t i = from; s == IVL_OK && i < to; i++) s = write_scene(b, part, &shard, i);
    if (s == IVL_OK) s = ivl_shard_commit(&shard);
    ivl_shard_abandon(&shard);
    b->report.bytes[part] += shard.bytes;
    return s;
}

static void shard_name(int i, char name[40]) { snprintf(name, 40, "train-%03d.tar", i); }

static ivl_status write_shards(builder *b, ivl_scenes_part part)
{
    const ivl_scenes_options *o = b->kit.o;
    char name[40];
    if (part != IVL_SCENES_TRAIN) {
        snprintf(name, sizeof name, "%s.tar", ivl_scenes_part_name(part));
        return write_shard(b, part, name, 0, o->val);
    }
    for (int64_t i = 0; i < o->pictures; i += SHARD_RECORDS) {
        shard_name(b->report.shards++, name);
        IVL_TRY(
            write_shard(b, part, name, i, i + SHARD_RECORDS < o->pictures ? i + SHARD_RECORDS : o->pictures));
    }
    return IVL_OK;
}

static ivl_status open_talk(builder *b, ivl_scenes_part part, int i)
{
    static const char *const kind[TELL_FORMS] = { "conversations", "words", "captions", "reasons" };
    char name[64];
    snprintf(name, sizeof name, "%s_%s.json", kind[i], ivl_scenes_part_name(part));
    char *path = ivl_path_join(b->kit.o->out, name);
    ivl_status s = path ? ivl_out_open(path, &b->talk[i]) : no_memory();
    free(path);
    return s;
}

static ivl_status write_part(builder *b, ivl_scenes_part part)
{
    ivl_status s = IVL_OK;
    for (int i = 0; i < TELL_FORMS && s == IVL_OK; i++) s = open_talk(b, part, i);
    if (s == IVL_OK) s = write_shards(b, part);
    for (int i = 0; i < TELL_FORMS && s == IVL_OK; i++) {
        fputs("\n]\n", b->talk[i].f);
        s = ivl_out_commit(&b->talk[i]);
    }
    for (int i = 0; i < TELL_FORMS; i++) ivl_out_abandon(&b->talk[i]);
    return s;
}

/* Of an earlier build: its facts would describe our shards, and its further shards would be read with ours.
 */
static ivl_status remove_earlier(const char *dir)
{
    static const char *const others[] = { "splits.json", "videos_train.tar", "videos_val.tar" };
    bool there = true;
    for (int i = -(int)(sizeof others / sizeof *others); i < 0 || there; i++) {
        char name[40];
        if (i < 0)
            snprintf(name, sizeof name, "%s", others[-1 - i]);
        else
            shard_name(i, name);
        char *path = ivl_path_join(dir, name);
        if (!path) return no_memory();
        there = !unlink(path);
        free(path);
    }
    return IVL_OK;
}

static ivl_status check_options(const ivl_scenes_options *o)
{
    IVL_CHECK(o->size >= 48 && o->size <= 1024, IVL_EINVAL, "scenes of %d pixels a side; 48 to 1024 are made",
              o->size);
    IVL_CHECK(o->pictures >= 1 && o->pictures <= 10000000 && o->val >= 1 && o->val <= 1000000, IVL_EINVAL,
              "%lld pictures and %lld in each validation part; 1 to ten and one million are made",
              (long long)o->pictures, (long long)o->val);
    IVL_CHECK(o->videos >= 0 && o->videos <= 1000000 && o->frames >= 2 && o->frames <= 999, IVL_EINVAL,
              "%lld videos of %lld frames; at most a million of 2 to 999 are made", (long long)o->videos,
              (long long)o->frames);
    return IVL_OK;
}

static void count_kit(builder *b)
{
    const kit *k = &b->kit;
    ivl_scenes_report *r = &b->report;
    r->concepts = k->n_concepts, r->drawings = k->n_drawings, r->backgrounds = k->n_backs;
    for (int i = 0; i < k->n_concepts; i++) r->held_out_concepts += k->concept[i].held_out;
    for (int i = 0; i < k->n_backs; i++) r->held_out_backgrounds += k->back[i].held_out;
}

static ivl_status write_parts(builder *b)
{
    char *path = ivl_path_join(b->kit.o->out, "corpus.txt");
    ivl_status s = path ? ivl_out_open(path, &b->corpus) : no_memory();
    free(path);
    for (int part = 0; s == IVL_OK && part < IVL_SCENES_PARTS; part++) s = write_part(b, (ivl_scenes_part)part);
    if (s == IVL_OK) s = ivl_out_commit(&b->corpus);
    ivl_out_abandon(&b->corpus);
    return s;
}

static ivl_status build(builder *b, const ivl_scenes_options *o)
{
    IVL_TRY(check_options(o));
    IVL_TRY(kit_open(o, &b->kit));
    IVL_TRY(pope_open(&b->kit, &b->pope));
    count_kit(b);
    size_t n = (size_t)o->size * (size_t)o->size;
    b->rgb = malloc(3 * n), b->mask = malloc(n);
    if (!b->rgb || !b->mask) return no_memory();
    IVL_TRY(ivl_make_dirs(o->out));
    IVL_TRY(remove_earlier(o->out));
    IVL_TRY(write_parts(b));
    IVL_TRY(videos_write(&b->kit, b->report.videos));
    IVL_TRY(pope_write(b->pope, o->out, b->report.questions));
    IVL_TRY(facts_write_classes(&b->kit));
    return facts_write(&b->kit, &b->report);
}

ivl_status ivl_scenes_build(const ivl_scenes_options *o, ivl_scenes_report *report_p)
{
    builder b = { .pope = NULL };
    ivl_status s = build(&b, o);
    if (s == IVL_OK) *report_p = b.report;
    free(b.rgb), free(b.mask);
    pope_close(b.pope);
    kit_close(&b.kit);
    return s;
}
