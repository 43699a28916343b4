/* One scene as bytes: the members of its record, its conversation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/scenes/write.h"

enum { QUALITY = 90 };

static ivl_status no_memory(void) { return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory"); }

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

/* "2 red heart + brown dog": scenes of one content show the same thing. */
static void content_of(const kit *k, const scene *s, char *to, size_t room)
{
    tell_text part[SCENE_GROUPS];
    for (int g = 0; g < s->n_groups; g++) tell_group(k, &s->group[g], part[g]);
    qsort(part, (size_t)s->n_groups, sizeof part[0], by_text);
    to[0] = 0;
    for (int g = 0; g < s->n_groups; g++) {
        size_t n = strlen(to);
        snprintf(to + n, room - n, "%s%.*s", g ? " + " : "", TELL_TEXT - 1, part[g]);
    }
}

json_t *record_captions(tell_text *caption, int n)
{
    json_t *all = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(all, json_pack("{ss ss}", "lang", "en", "text", caption[i]));
    return all;
}

static json_t *objects_of(const kit *k, const scene *s)
{
    json_t *all = json_array();
    for (int i = 0; i < s->n_things; i++) {
        const thing *t = &s->thing[i];
        const group *g = &s->group[t->group];
        json_t *o =
            json_pack("{si ss si s[iiii] ss si}", "class", g->concept + 1, "name", k->concept[g->concept].one,
                      "group", t->group, "box", t->box[0], t->box[1], t->box[2], t->box[3], "place",
                      tell_place(t->cell), "visible_percent", t->all ? t->seen * 100 / t->all : 0);
        if (g->color != TINT_NONE) json_object_set_new(o, "color", json_string(tint_name(g->color)));
        json_array_append_new(all, o);
    }
    return all;
}

ivl_status record_add_json(ivl_shard *shard, const char *key, json_t *root)
{
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    ivl_status s = text ? ivl_shard_add(shard, key, "json", text, strlen(text)) : no_memory();
    free(text);
    json_decref(root);
    return s;
}

ivl_status record_add_picture(const kit *k, ivl_shard *shard, const char *key, const char *frame,
                              const uint8_t *rgb)
{
    uint8_t *data = NULL;
    size_t n = 0;
    char extension[16];
    int size = k->o->size;
    snprintf(extension, sizeof extension, "%s%s%s", frame, *frame ? "." : "", k->o->png ? "png" : "jpg");
    IVL_TRY(k->o->png ? ivl_png_encode(rgb, size, size, 3, &data, &n)
                      : ivl_jpeg_encode(rgb, size, size, QUALITY, &data, &n));
    ivl_status s = ivl_shard_add(shard, key, extension, data, n);
    free(data);
    return s;
}

static ivl_status add_mask(const kit *k, ivl_shard *shard, const char *key, const uint8_t *mask)
{
    uint8_t *data = NULL;
    size_t n = 0;
    IVL_TRY(ivl_png_encode(mask, k->o->size, k->o->size, 1, &data, &n));
    ivl_status s = ivl_shard_add(shard, key, "mask.png", data, n);
    free(data);
    return s;
}

ivl_status record_add_scene(const kit *k, ivl_shard *shard, const char *key, const scene *s, dice *d,
                            const uint8_t *rgb, const uint8_t *mask, FILE *corpus)
{
    tell_text caption[TELL_CAPTIONS];
    char content[SCENE_GROUPS * (TELL_TEXT + 4)];
    int n = 0;
    tell_captions(k, s, d, caption, &n);
    content_of(k, s, content, sizeof content);
    for (int i = 0; corpus && i < n; i++) /* a write error is found by commit */
        fprintf(corpus, "%s%s\n", i ? "summarize:" : "English caption:", caption[i]);
    json_t *root =
        json_pack("{ss ss so ss si so}", "key", key, "concept", content, "captions",
                  record_captions(caption, n), "background", s->back >= 0 ? k->back[s->back].name : "plain",
                  "size", k->o->size, "objects", objects_of(k, s));
    IVL_TRY(record_add_picture(k, shard, key, "", rgb)); /* first: readers take a record's first picture */
    IVL_TRY(record_add_json(shard, key, root));
    IVL_TRY(ivl_shard_add(shard, key, "txt", caption[0], strlen(caption[0])));
    return add_mask(k, shard, key, mask);
}

static json_t *turn(const char *from, const char *lead, const char *value, const char *end)
{
    char text[TELL_TEXT + 96];
    snprintf(text, sizeof text, "%s%.*s%s", lead, TELL_TEXT - 1, value, end);
    return json_pack("{ss ss}", "from", from, "value", text);
}

/* A request in LLaVA's words, and one of the captions. */
static int tell_caption(const kit *k, const scene *s, dice *d, tell_text *question, tell_text *answer)
{
    static const char *const asks[] = { "Provide a one-sentence caption for the provided image.",
                                        "Describe the image concisely.",
                                        "Write a terse but informative summary of the picture.",
                                        "Give a brief description of the image." };
    tell_text caption[TELL_CAPTIONS];
    int n;
    tell_captions(k, s, d, caption, &n);
    strcpy(question[0], asks[dice_below(d, 4)]);
    strcpy(answer[0], caption[dice_below(d, n)]);
    return 1;
}

ivl_status record_tell(const kit *k, FILE *f, const char *key, const char *image, const scene *s, dice *d,
                       tell_form form, bool first)
{
    enum { MOST = (int)TELL_WORDS > (int)TELL_TURNS ? (int)TELL_WORDS : (int)TELL_TURNS };
    tell_text question[MOST], answer[MOST];
    int n = 0;
    if (form == TELL_SENTENCES) tell_turns(k, s, d, question, answer, &n);
    else if (form == TELL_IN_WORDS) tell_words(k, s, d, question, answer, &n);
    else if (form == TELL_REASONED) tell_reasons(k, s, d, question, answer, &n);
    else n = tell_caption(k, s, d, question, answer);
    json_t *turns = json_array();
    for (int i = 0; i < n; i++) {
        const char *how = form == TELL_IN_WORDS && !i ? "\nAnswer the question using a single word or phrase." : "";
        json_array_append_new(turns, turn("human", i ? "" : "<image>\n", question[i], how));
        json_array_append_new(turns, turn("gpt", "", answer[i], ""));
    }
    json_t *root = json_pack("{ss ss so}", "id", key, "image", image, "conversations", turns);
    if (!root) return no_memory();
    fputs(first ? "[\n" : ",\n", f);
    json_dumpf(root, f, JSON_COMPACT); /* a write error is found by commit */
    json_decref(root);
    return IVL_OK;
}
