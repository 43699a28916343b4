/* Names and keywords of every picture in the chosen languages, and the script each language is written in. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/emoji/cldr.h"
#include "data/emoji/set.h"
#include "data/script.h"

/* --- lists of languages -------------------------------------------------------------------------------- */

/* The next word of a comma-separated list; *n_p is 0 at its end. */
static const char *next_word(const char **rest, size_t *n_p)
{
    *rest += strspn(*rest, ", ");
    const char *word = *rest;
    *n_p = strcspn(word, ", ");
    *rest += *n_p;
    return word;
}

static bool listed(const char *list, const char *lang)
{
    size_t n;
    for (const char *w = next_word(&list, &n); n; w = next_word(&list, &n))
        if (strlen(lang) == n && !memcmp(lang, w, n)) return true;
    return false;
}

/* zh and zh_Hant are relatives. */
static bool relative_listed(const char *list, const char *lang)
{
    size_t n, stem = strcspn(lang, "_");
    for (const char *w = next_word(&list, &n); n; w = next_word(&list, &n))
        if ((n == stem || (n > stem && w[stem] == '_')) && !memcmp(lang, w, stem)) return true;
    return false;
}

static ivl_status check_list(const char *what, const char *list, char **known, int n_known, const char *cldr)
{
    size_t n;
    for (const char *w = next_word(&list, &n); n; w = next_word(&list, &n)) {
        bool found = false;
        for (int i = 0; i < n_known; i++) found = found || (strlen(known[i]) == n && !memcmp(known[i], w, n));
        IVL_CHECK(found, IVL_EINVAL, "%s: '%.*s' is none of the %d languages in %s/annotations", what, (int)n,
                  w, n_known, cldr);
    }
    return IVL_OK;
}

/* --- reading ------------------------------------------------------------------------------------------- */

typedef struct filler { const ivl_emoji_set *set; ivl_emoji_language *lang; } filler;

/* A copy with white space squeezed: a caption is one line. */
static char *tidy(const char *text)
{
    char *copy = malloc(strlen(text) + 1), *to = copy;
    if (!copy) return NULL;
    for (bool space = false; *text; text++) {
        bool white = isspace((unsigned char)*text) || (unsigned char)*text < 0x20;
        if (!white) {
            if (space && to > copy) *to++ = ' ';
            *to++ = *text;
        }
        space = white;
    }
    *to = 0;
    return copy;
}

static ivl_status add_text(void *ctx, const char *sequence, const char *text, bool is_name)
{
    filler *f = ctx;
    int i = ivl_emoji_set_find(f->set, sequence);
    if (i < 0) return IVL_OK;
    char *copy = tidy(text), **to = is_name ? &f->lang->name[i] : &f->lang->keywords[i];
    IVL_CHECK(copy, IVL_ENOMEM, "out of memory");
    free(*to);
    *to = copy;
    if (*copy) return IVL_OK;
    free(copy);
    *to = NULL;
    return IVL_OK;
}

static ivl_status read_language(ivl_emoji_set *set, const char *cldr, const char *name, bool held_out)
{
    ivl_emoji_language *lang = &set->language[set->n_languages++];
    *lang = (ivl_emoji_language){ .held_out = held_out };
    snprintf(lang->lang, sizeof lang->lang, "%s", name);
    lang->name = calloc((size_t)set->n + 1, sizeof *lang->name);
    lang->keywords = calloc((size_t)set->n + 1, sizeof *lang->keywords);
    IVL_CHECK(lang->name && lang->keywords, IVL_ENOMEM, "out of memory");
    IVL_TRY(ivl_cldr_read(cldr, name, add_text, &(filler){ set, lang }));
    for (int i = 0; i < set->n; i++) lang->names += lang->name[i] != NULL;
    ivl_script_tally letters = { 0 };
    for (int i = 0; i < set->n; i++)
        if (lang->name[i]) ivl_script_count(&letters, lang->name[i]);
    ivl_script_name(&letters, lang->script);
    return IVL_OK;
}

static void drop_last(ivl_emoji_set *set)
{
    ivl_emoji_language *lang = &set->language[--set->n_languages];
    for (int i = 0; i < set->n; i++) free(lang->name[i]), free(lang->keywords[i]);
    free(lang->name), free(lang->keywords);
}

static ivl_status read_chosen(ivl_emoji_set *set, const char *cldr, const char *trained, const char *held_out,
                              char **known, int n_known)
{
    bool all = !strcmp(trained, "all");
    if (!all) IVL_TRY(check_list("languages", trained, known, n_known, cldr));
    IVL_TRY(check_list("held-out languages", held_out, known, n_known, cldr));
    set->language = calloc((size_t)n_known + 1, sizeof *set->language);
    IVL_CHECK(set->language, IVL_ENOMEM, "out of memory");
    int n_trained = 0;
    for (int i = 0; i < n_known; i++) {
        bool held = listed(held_out, known[i]);
        bool train = all ? !relative_listed(held_out, known[i]) : listed(trained, known[i]);
        IVL_CHECK(!held || !train, IVL_EINVAL, "'%s' is both trained and held out", known[i]);
        if (!held && !train) continue;
        IVL_TRY(read_language(set, cldr, known[i], held));
        int names = set->language[set->n_languages - 1].names;
        if (!names || (all && !held && names < set->n * 4 / 5)) drop_last(set);
        else n_trained += train;
    }
    IVL_CHECK(n_trained, IVL_EINVAL, "none of the languages '%s' names a picture of the font", trained);
    return IVL_OK;
}

ivl_status ivl_emoji_languages_open(ivl_emoji_set *set, const char *cldr, const char *trained,
                                    const char *held_out)
{
    char **known = NULL;
    int n_known = 0;
    IVL_TRY(ivl_cldr_languages(cldr, &known, &n_known));
    ivl_status s = read_chosen(set, cldr, trained, held_out, known, n_known);
    ivl_cldr_languages_free(known, n_known);
    for (int i = 0; s == IVL_OK && i < set->n_languages; i++)
        for (int j = 0; j < set->n_languages; j++)
            if (!set->language[j].held_out && !strcmp(set->language[i].script, set->language[j].script))
                set->language[i].script_trained = true;
    return s;
}
