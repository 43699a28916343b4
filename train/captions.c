#include "train/captions.h"

#include <stdlib.h>
#include <string.h>

#include "data/script.h"

void ivl_captions_free(ivl_captions *c)
{
    for (int i = 0; i < c->n; i++) free(c->text[i]), free(c->lang[i]);
    free(c->text), free(c->lang), free(c->script), free(c->image_of);
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

ivl_status ivl_captions_read(const ivl_dataset *ds, const char *name, const char *languages, ivl_captions *c)
{
    for (int64_t i = 0; i < ivl_dataset_count(ds); i++) {
        ivl_sample rec = { 0 };
        IVL_TRY(ivl_dataset_read_text(ds, i, &rec));
        bool ok = true;
        for (int j = 0; j < rec.n_captions && ok; j++)
            if (ivl_language_in(languages, rec.caption[j].lang ? rec.caption[j].lang : ""))
                ok = add_caption(c, &rec.caption[j], (int32_t)i);
        ivl_sample_free(&rec);
        IVL_CHECK(ok, IVL_ENOMEM, "out of memory");
    }
    IVL_CHECK(c->n > 0, IVL_EFORMAT, "%s: no captions%s%s to evaluate with", name, languages ? " in " : "",
              languages ? languages : "");
    return find_scripts(c);
}
