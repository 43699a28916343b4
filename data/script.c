#include "data/script.h"

#include <stdio.h>
#include <string.h>

#include <hb.h>

#include "data/tokenizer.h"

static void add(ivl_script_tally *t, hb_script_t script)
{
    int i = 0;
    while (i < t->n && t->script[i] != (uint32_t)script) i++;
    if (i == IVL_SCRIPTS) return;
    if (i == t->n) t->script[t->n++] = (uint32_t)script;
    t->letters[i]++;
}

void ivl_script_count(ivl_script_tally *t, const char *text)
{
    hb_unicode_funcs_t *unicode = hb_unicode_funcs_get_default();
    size_t n = strlen(text), len;
    for (size_t i = 0; i < n; i += len ? len : 1) {
        uint32_t c = 0;
        len = ivl_utf8_next(text + i, n - i, &c);
        hb_script_t script = len ? hb_unicode_script(unicode, c) : HB_SCRIPT_UNKNOWN;
        if (script == HB_SCRIPT_KATAKANA) script = HB_SCRIPT_HIRAGANA;
        if (script != HB_SCRIPT_COMMON && script != HB_SCRIPT_INHERITED && script != HB_SCRIPT_UNKNOWN) add(t, script);
    }
}

void ivl_script_name(const ivl_script_tally *t, char name[5])
{
    int best = 0;
    for (int i = 1; i < t->n; i++)
        if (t->letters[i] > t->letters[best]) best = i;
    char tag[5] = "Zyyy";
    if (t->n) hb_tag_to_string(hb_script_to_iso15924_tag((hb_script_t)t->script[best]), tag);
    const char *whole = !strcmp(tag, "Hira") ? "Jpan" : !strcmp(tag, "Hang") ? "Kore" : tag;
    snprintf(name, 5, "%s", whole);
}
