#include "data/emoji.h"

#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>
#include <jansson.h>

#include "data/cldr.h"
#include "data/emoji_font.h"
#include "runtime/file.h"
#include "runtime/rng.h"

enum { MIN_NAMES = 3000, HELD_CONCEPTS = 10 /* percent */, WITHHELD = 10 /* percent of names */, PER_SHARD = 1000, MAX_LANGS = 160 };

/* --- concepts --------------------------------------------------------------------------------------------------------- */

static bool drop_word(const char *w, size_t n)
{
    static const char *const words[] = { "man", "woman", "men", "women", "person", "people", "boy", "girl", "boys", "girls",
                                         "facing", "right", "left", "old", "older", "child", "baby", "adult" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == n && !strncmp(words[i], w, n)) return true;
    return false;
}

void ivl_emoji_concept(const char *english, char *concept, size_t n)
{
    bool flag = !strncmp(english, "flag:", 5);
    size_t end = flag ? strlen(english) : strcspn(english, ":"), k = 0;
    for (size_t i = 0; i < end;) {
        size_t w = strcspn(english + i, " ,");
        if (i + w > end) w = end - i;
        if (w && (flag || !drop_word(english + i, w)) && k + w + 2 < n) {
            if (k) concept[k++] = ' ';
            memcpy(concept + k, english + i, w);
            k += w;
        }
        i += w + 1;
    }
    concept[k] = 0;
    if (!k) snprintf(concept, n, "person");
}

/* --- what is drawn and named ------------------------------------------------------------------------------------------- */

typedef struct picture { const char *sequence, *english; char key[96], concept[96]; uint8_t *png; size_t n; bool held; } picture;

typedef struct builder {
    const ivl_emoji_options *o;
    ivl_rng       rng;
    ivl_emoji_font *font;
    ivl_cldr      english, lang[MAX_LANGS];
    bool          trained[MAX_LANGS];
    int           n_lang, n_pic;
    picture      *pic;
    ivl_out_file  corpus;
    ivl_emoji_counts counts;
} builder;

static bool in_list(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && !strncmp(p, word, n)) return true;
    return false;
}

static ivl_status load_languages(builder *b)
{
    char **lang = NULL;
    int n = 0;
    const char *dir = b->o->cldr ? b->o->cldr : IVL_EMOJI_CLDR, *held = b->o->held_out ? b->o->held_out : "nl,bg,mr,ur,yue";
    IVL_TRY(ivl_cldr_languages(dir, &lang, &n));
    ivl_status s = ivl_cldr_load(dir, "en", &b->english);
    for (int i = 0; i < n && s == IVL_OK && b->n_lang < MAX_LANGS; i++) {
        bool out = in_list(held, lang[i]), in = !out && (!b->o->languages || in_list(b->o->languages, lang[i]));
        ivl_cldr *c = &b->lang[b->n_lang];
        if (!in && !out) continue;
        s = ivl_cldr_load(dir, lang[i], c);
        if (s != IVL_OK) break;
        if (c->n < MIN_NAMES && !b->o->languages) {
            ivl_cldr_free(c);
            continue;
        }
        b->counts.languages += in;
        b->trained[b->n_lang++] = in;
    }
    for (int i = 0; i < n; i++) free(lang[i]);
    free(lang);
    if (s == IVL_OK && !b->counts.languages)
        s = ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "none of the languages '%s' has annotations in %s", b->o->languages, dir);
    return s;
}

/* "1f468-200d-1f373" of a UTF-8 sequence. */
static void key_of(const char *sequence, char *key, size_t n)
{
    size_t k = 0;
    key[0] = 0;
    for (const unsigned char *p = (const unsigned char *)sequence; *p && k + 8 < n;) {
        int more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : 0;
        uint32_t cp = more == 3 ? *p & 7u : more == 2 ? *p & 15u : more == 1 ? *p & 31u : *p;
        for (p++; more && (*p & 0xc0) == 0x80; more--, p++) cp = cp << 6 | (*p & 63u);
        k += (size_t)snprintf(key + k, n - k, "%s%x", k ? "-" : "", cp);
    }
}

/* True for `percent` of all (what, which). */
static bool chosen(const builder *b, const char *what, const char *which, int percent)
{
    char name[256];
    snprintf(name, sizeof name, "%s|%s", what, which);
    return ivl_rng_below(ivl_rng_make(b->o->seed, name), 0, 0, 0, 100) < (uint64_t)percent;
}

static ivl_status draw_all(builder *b)
{
    b->pic = calloc((size_t)b->english.n, sizeof *b->pic);
    IVL_CHECK(b->pic, IVL_ENOMEM, "out of memory");
    for (int i = 0; i < b->english.n; i++) {
        picture *p = &b->pic[b->n_pic];
        uint32_t glyph;
        if (b->o->progress) b->o->progress(b->o->ctx, i, b->english.n);
        if (i && !strcmp(b->english.name[i].sequence, b->english.name[i - 1].sequence)) continue;
        *p = (picture){ .sequence = b->english.name[i].sequence, .english = b->english.name[i].name };
        IVL_TRY(ivl_emoji_font_png(b->font, p->sequence, &glyph, &p->png, &p->n));
        if (!p->png) continue;
        key_of(p->sequence, p->key, sizeof p->key);
        ivl_emoji_concept(p->english, p->concept, sizeof p->concept);
        p->held = chosen(b, "concept", p->concept, HELD_CONCEPTS);
        b->n_pic++;
    }
    if (b->o->progress) b->o->progress(b->o->ctx, b->english.n, b->english.n);
    IVL_CHECK(b->n_pic, IVL_EFORMAT, "the font draws none of the emoji that CLDR names");
    return IVL_OK;
}

/* --- shards --------------------------------------------------------------------------------------------------------------- */

typedef enum split { TRAIN, CAPTIONS, CONCEPTS, LANGUAGES } split;

static bool caption_in(const builder *b, const picture *p, int lang, split s)
{
    if (!b->trained[lang]) return s == LANGUAGES && !p->held;
    if (p->held) return s == CONCEPTS;
    bool withheld = chosen(b, p->concept, b->lang[lang].lang, WITHHELD);
    return s == (withheld ? CAPTIONS : TRAIN);
}

static json_t *captions(builder *b, const picture *p, split s)
{
    json_t *list = json_array();
    for (int i = 0; i < b->n_lang; i++) {
        const char *name = caption_in(b, p, i, s) ? ivl_cldr_find(&b->lang[i], p->sequence) : NULL;
        if (!name) continue;
        json_array_append_new(list, json_pack("{s:s, s:s}", "lang", b->lang[i].lang, "text", name));
        if (s == TRAIN) fprintf(b->corpus.f, "summarize:%s\n", name);
        b->counts.names += s == TRAIN;
        b->counts.withheld += s == CAPTIONS;
    }
    return list;
}

static ivl_status add_file(struct archive *a, const char *key, const char *ext, const void *data, size_t n)
{
    char name[128];
    struct archive_entry *e = archive_entry_new();
    IVL_CHECK(e, IVL_ENOMEM, "out of memory");
    snprintf(name, sizeof name, "%s.%s", key, ext);
    archive_entry_set_pathname(e, name);
    archive_entry_set_size(e, (la_int64_t)n);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_mtime(e, 0, 0);
    bool ok = archive_write_header(a, e) == ARCHIVE_OK && archive_write_data(a, data, n) == (la_ssize_t)n;
    archive_entry_free(e);
    IVL_CHECK(ok, IVL_EIO, "cannot write a shard: %s", archive_error_string(a));
    return IVL_OK;
}

static ivl_status add_picture(struct archive *a, const picture *p, json_t *list)
{
    json_t *j = json_pack("{s:s, s:s, s:O}", "key", p->key, "concept", p->concept, "captions", list);
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    ivl_status s = text ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) s = add_file(a, p->key, "json", text, strlen(text));
    if (s == IVL_OK) s = add_file(a, p->key, "png", p->png, p->n);
    free(text);
    json_decref(j);
    return s;
}

static la_ssize_t to_file(struct archive *a, void *f, const void *data, size_t n)
{
    (void)a;
    return fwrite(data, 1, n, f) == n ? (la_ssize_t)n : -1;
}

/* Pictures from *next_p on, at most `most` that have captions in the split. */
static ivl_status write_pictures(builder *b, struct archive *a, split s, int most, int *next_p, int *count_p)
{
    *count_p = 0;
    for (; *next_p < b->n_pic && *count_p < most; ++*next_p) {
        json_t *list = captions(b, &b->pic[*next_p], s);
        ivl_status e = json_array_size(list) ? add_picture(a, &b->pic[*next_p], list) : IVL_OK;
        *count_p += json_array_size(list) > 0;
        json_decref(list);
        IVL_TRY(e);
    }
    return IVL_OK;
}

static ivl_status write_shard(builder *b, split s, const char *name, int most, int *next_p, int *count_p)
{
    ivl_out_file out = { 0 };
    char *path = ivl_path_join(b->o->out, name);
    struct archive *a = archive_write_new();
    ivl_status e = path && a ? ivl_out_open(path, &out) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (e == IVL_OK && (archive_write_set_format_ustar(a) || archive_write_open(a, out.f, NULL, to_file, NULL)))
        e = ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: %s", path, archive_error_string(a));
    if (e == IVL_OK) e = write_pictures(b, a, s, most, next_p, count_p);
    if (e == IVL_OK && archive_write_close(a)) e = ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: %s", path, archive_error_string(a));
    if (a) archive_write_free(a);
    if (e == IVL_OK) e = ivl_out_commit(&out);
    ivl_out_abandon(&out);
    free(path);
    return e;
}

static ivl_status write_splits(builder *b)
{
    static const char *const val[] = { "val_captions.tar", "val_concepts.tar", "val_languages.tar" };
    int next = 0, count;
    for (int shard = 0; next < b->n_pic; shard++) {
        char name[32];
        snprintf(name, sizeof name, "train-%03d.tar", shard);
        IVL_TRY(write_shard(b, TRAIN, name, PER_SHARD, &next, &count));
        b->counts.train += count;
    }
    for (int i = 0; i < 3; i++) {
        next = 0;
        IVL_TRY(write_shard(b, (split)(CAPTIONS + i), val[i], b->n_pic, &next, &count));
    }
    return IVL_OK;
}

static int by_concept(const void *a, const void *b) { return strcmp(((const picture *)a)->concept, ((const picture *)b)->concept); }

static void count_concepts(builder *b)
{
    qsort(b->pic, (size_t)b->n_pic, sizeof *b->pic, by_concept); /* the last use of their order */
    for (int i = 0; i < b->n_pic; i++) {
        if (i && !strcmp(b->pic[i].concept, b->pic[i - 1].concept)) continue;
        b->counts.concepts++;
        b->counts.held_concepts += b->pic[i].held;
    }
    b->counts.pictures = b->n_pic;
}

static ivl_status write_facts(builder *b)
{
    ivl_out_file out = { 0 };
    char *path = ivl_path_join(b->o->out, "splits.json");
    json_t *trained = json_array(), *held = json_array();
    for (int i = 0; i < b->n_lang; i++) json_array_append_new(b->trained[i] ? trained : held, json_string(b->lang[i].lang));
    const ivl_emoji_counts *c = &b->counts;
    json_t *j = json_pack("{s:I, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:o}", "seed", (json_int_t)b->o->seed, "pictures", c->pictures,
                          "training pictures", c->train, "concepts", c->concepts, "held-out concepts", c->held_concepts,
                          "training names", c->names, "withheld names", c->withheld, "trained languages", trained,
                          "held-out languages", held);
    ivl_status s = path && j ? ivl_out_open(path, &out) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) {
        json_dumpf(j, out.f, JSON_INDENT(1));
        s = ivl_out_commit(&out);
    }
    json_decref(j);
    free(path);
    return s;
}

static ivl_status build_all(builder *b)
{
    char *path = ivl_path_join(b->o->out, "corpus.txt");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_out_open(path, &b->corpus);
    free(path);
    if (s == IVL_OK) s = write_splits(b);
    if (s == IVL_OK) s = ivl_out_commit(&b->corpus);
    ivl_out_abandon(&b->corpus);
    if (s != IVL_OK) return s;
    count_concepts(b);
    return write_facts(b);
}

ivl_status ivl_emoji_build(const ivl_emoji_options *o, ivl_emoji_counts *counts_p)
{
    builder b = { .o = o };
    IVL_TRY(ivl_make_dirs(o->out));
    ivl_status s = ivl_emoji_font_open(o->font ? o->font : IVL_EMOJI_FONT, &b.font);
    if (s == IVL_OK) s = load_languages(&b);
    if (s == IVL_OK) s = draw_all(&b);
    if (s == IVL_OK) s = build_all(&b);
    if (s == IVL_OK) *counts_p = b.counts;
    for (int i = 0; b.pic && i < b.n_pic; i++) free(b.pic[i].png);
    for (int i = 0; i < b.n_lang; i++) ivl_cldr_free(&b.lang[i]);
    ivl_cldr_free(&b.english);
    ivl_emoji_font_close(b.font);
    free(b.pic);
    return s;
}
