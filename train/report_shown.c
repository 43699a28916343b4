#include "train/report_parts.h"

#include <string.h>

#include "train/svg.h"

static void text(FILE *f, const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    ivl_html_text(f, s ? s : "");
}

static void picture(FILE *f, const json_t *object)
{
    const char *url = json_string_value(json_object_get(object, "image"));
    if (!url || strncmp(url, "data:image/", 11)) return;
    fputs("<img alt=\"\" src=\"", f), ivl_html_text(f, url), fputs("\">", f);
}

static void hit(FILE *f, const json_t *h)
{
    fprintf(f, "<div class=\"hit%s\">", json_is_true(json_object_get(h, "right")) ? " right" : "");
    picture(f, h);
    fputs("<br>", f), text(f, h, "text"), fputs("</div>\n", f);
}

void ivl_report_searches(FILE *f, const json_t *search)
{
    const json_t *list = json_object_get(search, "queries"), *q, *h;
    size_t i, k;
    if (!json_is_array(list)) return;
    fputs("<h2>Searching the pictures</h2>\n<p>Queries the model never saw with these pictures; the best six pictures "
          "each, the right one framed.</p>\n", f);
    json_array_foreach(list, i, q) {
        fputs("<div class=\"q\"><b>", f), text(f, q, "query"), fputs("<br><span class=\"note\">", f);
        text(f, q, "lang"), fputs("</span></b>\n", f);
        json_array_foreach(json_object_get(q, "hits"), k, h) hit(f, h);
        fputs("</div>\n", f);
    }
}

void ivl_report_captions(FILE *f, const json_t *captions)
{
    const json_t *list = json_object_get(captions, "captions"), *c;
    size_t i;
    if (!json_is_array(list)) return;
    fputs("<h2>What the model writes</h2>\n<p>Pictures that it was not trained on; below its caption one of the "
          "data's.</p>\n<div class=\"cards\">\n", f);
    json_array_foreach(list, i, c) {
        const char *reference = json_string_value(json_array_get(json_object_get(c, "references"), 0));
        fputs("<div class=\"card\">", f), picture(f, c), fputs("<p>", f), text(f, c, "text");
        fputs("</p><p class=\"note\">", f), ivl_html_text(f, reference ? reference : "");
        fputs("</p></div>\n", f);
    }
    fputs("</div>\n", f);
}

static void turn(FILE *f, const json_t *t)
{
    fputs("<dt>", f), text(f, t, "question"), fputs("</dt><dd>", f), text(f, t, "answer");
    if (json_is_string(json_object_get(t, "truth"))) {
        fputs(" <span class=\"note\">(", f), text(f, t, "truth"), fputs(")</span>", f);
    }
    fputs("</dd>\n", f);
}

void ivl_report_conversations(FILE *f, const json_t *conversations)
{
    const json_t *list = json_object_get(conversations, "conversations"), *c, *t;
    size_t i, k;
    if (!json_is_array(list)) return;
    fputs("<h2>Questions and answers</h2>\n<p>What the chat model answers about pictures that it was not trained on; "
          "in "
          "brackets the right answer.</p>\n", f);
    json_array_foreach(list, i, c) {
        fputs("<div class=\"talk\">", f), picture(f, c), fputs("<dl>\n", f);
        json_array_foreach(json_object_get(c, "turns"), k, t) turn(f, t);
        fputs("</dl></div>\n", f);
    }
}
