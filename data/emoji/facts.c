/* splits.json: everything one needs to read results on this data. It is written last, so a folder with it is
 * whole. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "data/emoji/set.h"
#include "runtime/json_save.h"
#include "runtime/sha256.h"

static const char *const part_name[IVL_EMOJI_PARTS] = { "train", "val_captions", "val_concepts",
                                                        "val_languages" };

/* json_object_set_new fails on a NULL value, so a missing piece anywhere is noticed. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return !json_object_set_new(object, key, value);
}

static json_t *parts(const ivl_emoji_report *r)
{
    json_t *all = json_object();
    for (int i = 0; i < IVL_EMOJI_PARTS; i++)
        put(all, part_name[i],
            json_pack("{sI sI sI}", "records", (json_int_t)r->part[i].records, "captions",
                      (json_int_t)r->part[i].captions, "bytes", (json_int_t)r->part[i].bytes));
    return all;
}

/* Every language: its script, whether that is trained, its names of pictures, and its captions in every
 * part. */
static json_t *languages(const ivl_emoji_set *set, const ivl_emoji_counts *captions)
{
    json_t *all = json_array();
    for (int i = 0; i < set->n_languages; i++) {
        const ivl_emoji_language *l = &set->language[i];
        json_t *counts = json_object();
        for (int p = 0; p < IVL_EMOJI_PARTS; p++)
            if (captions[i][p]) put(counts, part_name[p], json_integer(captions[i][p]));
        json_array_append_new(all, json_pack("{ss ss sb sb si so}", "lang", l->lang, "script", l->script,
                                             "held_out", (int)l->held_out, "script_trained",
                                             (int)l->script_trained, "names", l->names, "captions", counts));
    }
    return all;
}

static json_t *held_out_concepts(const ivl_emoji_set *set)
{
    json_t *all = json_array();
    for (int c = 0; c < set->n_concepts; c++)
        if (set->concept[c].held_out) json_array_append_new(all, json_string(ivl_emoji_concept_name(set, c)));
    return all;
}

/* The drawings themselves, so that one can tell whether two folders hold the same pictures. */
static json_t *drawings_hash(const ivl_emoji_set *set)
{
    ivl_sha256 h;
    uint8_t digest[32];
    char text[65];
    ivl_sha256_init(&h);
    for (int i = 0; i < set->n; i++) {
        ivl_sha256_add(&h, set->picture[i].key, strlen(set->picture[i].key) + 1);
        ivl_sha256_add(&h, set->picture[i].png, set->picture[i].png_bytes);
    }
    ivl_sha256_end(&h, digest);
    ivl_sha256_text(digest, text);
    return json_string(text);
}

static json_t *facts(const ivl_emoji_set *set, const ivl_emoji_options *o, const ivl_emoji_report *r,
                     const ivl_emoji_counts *captions)
{
    json_t *root = json_object();
    bool ok = put(root, "seed", json_integer((json_int_t)o->seed));
    ok &= put(root, "drawings_sha256", drawings_hash(set));
    ok &= put(root, "pictures", json_integer(r->pictures));
    ok &= put(root, "pictures_drawn_like_another", json_integer(set->same_drawing));
    ok &= put(root, "concepts", json_integer(r->concepts));
    ok &= put(root, "concepts_held_out", json_integer(r->held_out_concepts));
    ok &= put(root, "train_shards", json_integer(r->shards));
    ok &= put(root, "parts", parts(r));
    ok &= put(root, "languages", languages(set, captions));
    ok &= put(root, "held_out_concepts", held_out_concepts(set));
    if (ok) return root;
    json_decref(root);
    return NULL;
}

ivl_status ivl_emoji_write_facts(const ivl_emoji_set *set, const ivl_emoji_options *o,
                                 const ivl_emoji_report *r, const ivl_emoji_counts *captions)
{
    return ivl_json_save_in(facts(set, o, r, captions), o->out, "splits.json", JSON_INDENT(1));
}
