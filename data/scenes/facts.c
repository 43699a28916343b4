/* classes.txt, and splits.json: everything one needs to read results on these scenes; it is written last, so
 * a folder with it is whole. */
#include <stdlib.h>

#include "data/scenes/write.h"
#include "runtime/json_save.h"

/* json_object_set_new fails on a NULL value, so a missing piece anywhere is noticed. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return !json_object_set_new(object, key, value);
}

static json_t *bits(unsigned set, bool places)
{
    json_t *all = json_array();
    for (int b = 0; b < 9; b++)
        if (set >> b & 1) json_array_append_new(all, places ? json_string(tell_place(b)) : json_integer(b));
    return all;
}

static json_t *concepts(const kit *k)
{
    json_t *all = json_array();
    for (int i = 0; i < k->n_concepts; i++) {
        const concept_row *c = &k->concept[i];
        json_array_append_new(all, json_pack("{si ss ss ss si si sb so so}", "class", i + 1, "name", c->one,
                                             "plural", c->many, "category", kit_category_name(c->category),
                                             "drawings", c->n, "rank", c->rank, "held_out", (int)c->held_out,
                                             "held_out_places", bits(c->place_held, true), "held_out_counts",
                                             bits(c->count_held, false)));
    }
    return all;
}

static json_t *backgrounds(const kit *k, bool held_out)
{
    json_t *all = json_array();
    for (int i = 0; i < k->n_backs; i++)
        if (k->back[i].held_out == held_out) json_array_append_new(all, json_string(k->back[i].name));
    return all;
}

static json_t *parts(const ivl_scenes_report *r)
{
    json_t *all = json_object();
    for (int p = 0; p < IVL_SCENES_PARTS; p++)
        put(all, ivl_scenes_part_name((ivl_scenes_part)p),
            json_pack("{sI sI}", "records", (json_int_t)r->records[p], "bytes", (json_int_t)r->bytes[p]));
    return all;
}

static json_t *facts(const kit *k, const ivl_scenes_report *r)
{
    json_t *root = json_object();
    bool ok = put(root, "seed", json_integer((json_int_t)k->o->seed));
    ok &= put(root, "size", json_integer(k->o->size));
    ok &= put(root, "classes", json_integer(k->n_concepts + 1));
    ok &= put(root, "classes_held_out", json_integer(r->held_out_concepts));
    ok &= put(root, "drawings", json_integer(k->n_drawings));
    ok &= put(root, "train_shards", json_integer(r->shards));
    ok &= put(root, "parts", parts(r));
    ok &= put(root, "videos",
              json_pack("{sI sI}", "train", (json_int_t)r->videos[0], "val", (json_int_t)r->videos[1]));
    ok &= put(root, "pope",
              json_pack("{sI sI sI}", "random", (json_int_t)r->questions[0], "popular",
                        (json_int_t)r->questions[1], "adversarial", (json_int_t)r->questions[2]));
    ok &= put(root, "backgrounds", backgrounds(k, false));
    ok &= put(root, "held_out_backgrounds", backgrounds(k, true));
    ok &= put(root, "concepts", concepts(k));
    if (ok) return root;
    json_decref(root);
    return NULL;
}

static ivl_status begin(const kit *k, const char *name, ivl_out_file *out_p)
{
    char *path = ivl_path_join(k->o->out, name);
    ivl_status s =
        path ? ivl_out_open(path, out_p) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    free(path);
    return s;
}

ivl_status facts_write(const kit *k, const ivl_scenes_report *r)
{
    return ivl_json_save_in(facts(k, r), k->o->out, "splits.json", JSON_INDENT(1));
}

ivl_status facts_write_classes(const kit *k)
{
    ivl_out_file out = { 0 };
    IVL_TRY(begin(k, "classes.txt", &out));
    fputs("background\n", out.f);
    for (int i = 0; i < k->n_concepts; i++) fprintf(out.f, "%s\n", k->concept[i].one);
    ivl_status s = ivl_out_commit(&out);
    ivl_out_abandon(&out);
    return s;
}
