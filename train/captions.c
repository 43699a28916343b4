#include "train/captions.h"

#include <stdlib.h>
#include <string.h>

#include "data/sample.h"
#include "data/script.h"
#include "train/recall.h"

void ivl_captions_free(ivl_captions *c)
{
    for (int i = 0; i < c->n; i++) free(c->text[i]), free(c->lang[i]);
    free(c->text), free(c->lang), free(c->script), free(c->image_of);
    free(c->first), free(c->group), free(c->same);
    *c = (ivl_captions){ 0 };
}

static bool add_caption(ivl_captions *c, const ivl_caption *from, int32_t image)
{
    if (c->n == c->cap) {
        int cap = c->cap ? 2 * c->cap : 256;
        char **text = realloc(c->text, (size_t)cap * sizeof *text);
        if (text) c->text = text;
        char **lang = realloc(c->lang, (size_t)cap * sizeof *lang);
        if (lang) c->lang = lang;
        int32_t *image_of = realloc(c->image_of, (size_t)cap * sizeof *image_of);
        if (image_of) c->image_of = image_of;
        if (!text || !lang || !image_of) return false;
        c->cap = cap;
    }
    c->text[c->n] = strdup(from->text), c->lang[c->n] = strdup(from->lang ? from->lang : "");
    c->image_of[c->n] = image;
    return c->text[c->n] && c->lang[c->n++];
}

bool ivl_language_in(const char *list, const char *lang)
{
    size_t n = strlen(lang);
    for (const char *p = list; p && *p;) {
        size_t k = strcspn(p, ",");
        if (k == n && !strncmp(p, lang, n)) return true;
        p += k + (p[k] == ',');
    }
    return !list || !*list;
}

/* Captions of one language share its script; one without a language has its own. */
static ivl_status find_scripts(ivl_captions *c)
{
    c->script = calloc((size_t)c->n + 1, sizeof *c->script);
    IVL_CHECK(c->script, IVL_ENOMEM, "out of memory");
    for (int j = 0; j < c->n; j++) {
        if (c->script[j][0]) continue;
        ivl_script_tally letters = { 0 };
        bool alone = !c->lang[j][0];
        for (int i = j; i < c->n && (!alone || i == j); i++)
            if (!strcmp(c->lang[i], c->lang[j])) ivl_script_count(&letters, c->text[i]);
        for (int i = j; i < c->n && (!alone || i == j); i++)
            if (!strcmp(c->lang[i], c->lang[j])) ivl_script_name(&letters, c->script[i]);
    }
    return IVL_OK;
}

/* Numbers the groups; name[i] NULL: none told. */
static ivl_status number_groups(ivl_captions *c, char *const *name)
{
    const char **known = malloc((size_t)(c->n_records + 1) * sizeof *known);
    IVL_CHECK(known, IVL_ENOMEM, "out of memory");
    for (int i = 0; i < c->n_records; i++) known[i] = name[i] ? name[i] : "";
    ivl_status s = ivl_same_texts(known, c->n_records, c->group);
    for (int i = 0; i < c->n_records; i++)
        if (!name[i]) c->group[i] = -1;
    free(known);
    return s;
}

static ivl_status read_records(const ivl_dataset *ds, const char *languages, ivl_captions *c, char **group)
{
    for (int i = 0; i < c->n_records; i++) {
        ivl_sample rec = { 0 };
        IVL_TRY(ivl_dataset_read_text(ds, i, &rec));
        bool ok = !rec.group || (group[i] = strdup(rec.group));
        c->first[i] = c->n;
        for (int j = 0; j < rec.n_captions && ok; j++)
            if (ivl_language_in(languages, rec.caption[j].lang ? rec.caption[j].lang : ""))
                ok = add_caption(c, &rec.caption[j], i);
        ivl_sample_free(&rec);
        IVL_CHECK(ok, IVL_ENOMEM, "out of memory");
    }
    c->first[c->n_records] = c->n;
    return number_groups(c, group);
}

ivl_status ivl_captions_read(const ivl_dataset *ds, const char *name, const char *languages, ivl_captions *c)
{
    int64_t n = ivl_dataset_count(ds);
    IVL_CHECK(n < INT32_MAX, IVL_EINVAL, "%s: more than %d records", name, INT32_MAX);
    char **group = calloc((size_t)n + 1, sizeof *group);
    c->n_records = (int)n;
    c->first = calloc((size_t)n + 1, sizeof *c->first), c->group = calloc((size_t)n + 1, sizeof *c->group);
    ivl_status s = group && c->first && c->group ? read_records(ds, languages, c, group)
                                                 : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int64_t i = 0; group && i < n; i++) free(group[i]);
    free(group);
    IVL_TRY(s);
    IVL_CHECK(c->n > 0, IVL_EFORMAT, "%s: no captions%s%s to evaluate with", name, languages ? " in " : "",
              languages ? languages : "");
    c->same = calloc((size_t)c->n, sizeof *c->same);
    IVL_CHECK(c->same, IVL_ENOMEM, "out of memory");
    IVL_TRY(ivl_same_texts((const char *const *)c->text, c->n, c->same));
    return find_scripts(c);
}

bool ivl_captions_alike(const ivl_captions *c, int32_t i, int32_t k)
{
    if (c->group[i] >= 0 && c->group[i] == c->group[k]) return true;
    for (int32_t a = c->first[i]; a < c->first[i + 1]; a++)
        for (int32_t b = c->first[k]; b < c->first[k + 1]; b++)
            if (c->same[a] == c->same[b]) return true;
    return false;
}

static int by_number(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

ivl_status ivl_captions_draw(const ivl_captions *c, int most, uint64_t seed, int32_t **record_p, int *n_p)
{
    ivl_rng r = ivl_rng_make(seed, "captions:records");
    int32_t *record = malloc((size_t)c->n_records * sizeof *record);
    int n = 0;
    IVL_CHECK(record, IVL_ENOMEM, "out of memory");
    for (int64_t i = 0; i < c->n_records && (!most || n < most); i++) {
        int32_t k = (int32_t)ivl_permute(r, 0, c->n_records, i);
        if (c->first[k] < c->first[k + 1]) record[n++] = k;
    }
    qsort(record, (size_t)n, sizeof *record, by_number);
    *record_p = record, *n_p = n;
    return IVL_OK;
}
