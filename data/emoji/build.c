/* ivl_emoji_build: pictures, languages, splits; then every part into its shards. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "data/emoji/set.h"
#include "data/emoji/shard.h"

enum { SHARD_RECORDS = 1000 };

typedef struct builder {
    const ivl_emoji_options *o;
    ivl_emoji_set     set;
    ivl_emoji_report  report;
    ivl_emoji_counts *captions; /* [language][part] */
    ivl_out_file      corpus;
    ivl_emoji_part_id part;     /* what is being written */
    ivl_shard         shard;
    int               in_shard;
    json_t           *list;     /* captions of the picture at hand */
    const char       *txt;      /* the one for KEY.txt: the English, else the first */
} builder;

static ivl_status no_memory(void) { return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory"); }

/* --- a record ------------------------------------------------------------------------------------------ */

static ivl_status hear(void *ctx, int language, const char *text, bool keywords)
{
    builder *b = ctx;
    const char *lang = b->set.language[language].lang;
    json_t *c = json_pack("{ss ss ss}", "lang", lang, "text", text, "kind", keywords ? "keywords" : "name");
    if (!c || json_array_append_new(b->list, c)) return no_memory();
    if (!b->txt || (!strcmp(lang, "en") && !keywords)) b->txt = json_string_value(json_object_get(c, "text"));
    b->captions[language][b->part]++;
    b->report.part[b->part].captions++;
    /* with the prefix that the trainer puts before a text, so that it becomes few tokens */
    if (b->part == IVL_EMOJI_TRAIN) fprintf(b->corpus.f, "summarize:%s\n", text);
    return IVL_OK;
}

static ivl_status add_record(builder *b, const ivl_emoji_picture *p)
{
    json_t *root = json_pack("{ss ss sO}", "key", p->key, "concept",
                             ivl_emoji_concept_name(&b->set, p->concept), "captions", b->list);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    ivl_status s = text ? ivl_shard_add(&b->shard, p->key, "json", text, strlen(text)) : no_memory();
    if (s == IVL_OK) s = ivl_shard_add(&b->shard, p->key, "png", p->png, p->png_bytes);
    if (s == IVL_OK) s = ivl_shard_add(&b->shard, p->key, "txt", b->txt, strlen(b->txt));
    free(text);
    json_decref(root);
    b->in_shard++;
    b->report.part[b->part].records++;
    return s;
}

static ivl_status add_picture(builder *b, int i)
{
    b->list = json_array(), b->txt = NULL;
    ivl_status s = b->list ? ivl_emoji_captions(&b->set, i, b->part, hear, b) : no_memory();
    if (s == IVL_OK && b->txt) s = add_record(b, &b->set.picture[i]);
    json_decref(b->list);
    b->list = NULL;
    return s;
}

/* --- parts --------------------------------------------------------------------------------------------- */

/* Pictures from *next_p on into one shard. */
static ivl_status write_shard(builder *b, const char *name, int most, int *next_p)
{
    b->in_shard = 0;
    IVL_TRY(ivl_shard_open(b->o->out, name, &b->shard));
    ivl_status s = IVL_OK;
    while (s == IVL_OK && *next_p < b->set.n && b->in_shard < most) s = add_picture(b, (*next_p)++);
    if (s == IVL_OK) s = ivl_shard_commit(&b->shard);
    ivl_shard_abandon(&b->shard);
    b->report.part[b->part].bytes += b->shard.bytes;
    return s;
}

static void shard_name(int i, char name[32]) { snprintf(name, 32, "train-%03d.tar", i); }

static ivl_status remove_file(const char *dir, const char *name, bool *was_there_p)
{
    char *path = ivl_path_join(dir, name);
    if (!path) return no_memory();
    *was_there_p = !unlink(path);
    free(path);
    return IVL_OK;
}

/* Of an earlier build: its facts would describe our shards, and its further shards would be read with
 * ours. */
static ivl_status remove_earlier(const char *dir)
{
    bool more;
    IVL_TRY(remove_file(dir, "splits.json", &more));
    more = true;
    for (int i = 0; more; i++) {
        char name[32];
        shard_name(i, name);
        IVL_TRY(remove_file(dir, name, &more));
    }
    return IVL_OK;
}

static ivl_status write_parts(builder *b)
{
    static const char *const name[] = { NULL, "val_captions.tar", "val_concepts.tar", "val_languages.tar" };
    b->part = IVL_EMOJI_TRAIN;
    for (int next = 0; next < b->set.n; b->report.shards++) {
        char shard[32];
        shard_name(b->report.shards, shard);
        IVL_TRY(write_shard(b, shard, SHARD_RECORDS, &next));
    }
    for (int part = IVL_EMOJI_VAL_CAPTIONS; part < IVL_EMOJI_PARTS; part++) {
        int next = 0;
        b->part = (ivl_emoji_part_id)part;
        IVL_TRY(write_shard(b, name[part], b->set.n + 1, &next));
    }
    return IVL_OK;
}

static ivl_status write_all(builder *b)
{
    char *path = ivl_path_join(b->o->out, "corpus.txt");
    if (!path) return no_memory();
    ivl_status s = ivl_out_open(path, &b->corpus);
    free(path);
    IVL_TRY(s);
    s = write_parts(b);
    if (s == IVL_OK) s = ivl_out_commit(&b->corpus);
    ivl_out_abandon(&b->corpus);
    IVL_TRY(s);
    return ivl_emoji_write_facts(&b->set, b->o, &b->report, (const ivl_emoji_counts *)b->captions);
}

static ivl_status build(builder *b)
{
    const ivl_emoji_options *o = b->o;
    ivl_emoji_set *set = &b->set;
    IVL_TRY(ivl_emoji_set_open(o->font, o->cldr, set));
    IVL_TRY(ivl_emoji_languages_open(set, o->cldr, o->languages, o->held_out));
    IVL_TRY(ivl_emoji_split(set, o->seed));
    b->captions = calloc((size_t)set->n_languages, sizeof *b->captions);
    if (!b->captions) return no_memory();
    b->report.pictures = set->n, b->report.concepts = set->n_concepts;
    for (int c = 0; c < set->n_concepts; c++) b->report.held_out_concepts += set->concept[c].held_out;
    for (int l = 0; l < set->n_languages; l++) {
        if (set->language[l].held_out) b->report.held_out_languages++;
        else b->report.languages++;
    }
    IVL_TRY(ivl_make_dirs(o->out));
    IVL_TRY(remove_earlier(o->out));
    return write_all(b);
}

ivl_status ivl_emoji_build(const ivl_emoji_options *options, ivl_emoji_report *report_p)
{
    ivl_emoji_options o = *options;
    if (!o.font) o.font = IVL_EMOJI_FONT;
    if (!o.cldr) o.cldr = IVL_EMOJI_CLDR;
    if (!o.languages) o.languages = IVL_EMOJI_LANGUAGES;
    if (!o.held_out) o.held_out = IVL_EMOJI_HELD_OUT;
    builder b = { .o = &o };
    ivl_status s = build(&b);
    if (s == IVL_OK) *report_p = b.report;
    free(b.captions);
    ivl_emoji_set_close(&b.set);
    return s;
}
