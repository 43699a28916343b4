/* Title and keywords of a drawing: the cc:Work of its RDF metadata. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <expat.h>

#include "data/clipart/clipart.h"

typedef struct reader {
    XML_Parser parser;
    int work, agent, subject; /* depth inside of these */
    bool in_title, in_keyword, done;
    char text[512];
    size_t n;
    char *title, *keywords;
} reader;

static const char *local(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

static void begin(void *user, const XML_Char *element, const XML_Char **attr)
{
    (void)attr;
    reader *r = user;
    const char *name = local(element);
    if (!strcmp(name, "Work"))
        r->work++;
    else if (!strcmp(name, "Agent"))
        r->agent++;
    else if (!strcmp(name, "subject"))
        r->subject++;
    r->in_title = r->work && !r->agent && !strcmp(name, "title");
    r->in_keyword = r->work && r->subject && !strcmp(name, "li");
    r->n = 0;
}

static void text(void *user, const XML_Char *s, int n)
{
    reader *r = user;
    if (!r->in_title && !r->in_keyword) return;
    for (int i = 0; i < n && r->n + 1 < sizeof r->text; i++) r->text[r->n++] = s[i];
}

/* Where a last character of UTF-8 that was cut begins; n if none was. */
static size_t whole_characters(const char *text, size_t n)
{
    size_t start = n;
    while (start && (text[start - 1] & 0xc0) == 0x80) start--;
    if (!start) return n;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t want = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    return n - start < want ? start - 1 : n;
}

/* One blank for blanks and underscores, none at the ends. */
static void tidy(const char *from, size_t n, char *to, size_t room)
{
    size_t m = 0;
    for (size_t i = 0; i < n && m + 1 < room; i++) {
        bool blank = from[i] == '_' || isspace((unsigned char)from[i]);
        if (!blank)
            to[m++] = from[i];
        else if (m && to[m - 1] != ' ')
            to[m++] = ' ';
    }
    m = whole_characters(to, m);
    while (m && to[m - 1] == ' ') m--;
    to[m] = 0;
}

static void add_keyword(reader *r)
{
    char word[64];
    tidy(r->text, r->n, word, sizeof word);
    size_t n = strlen(r->keywords), m = strlen(word);
    if (!m || m > 40 || n + m + 3 > 192 || strstr(r->keywords, word)) return;
    snprintf(r->keywords + n, 192 - n, "%s%s", n ? ", " : "", word);
}

static void end(void *user, const XML_Char *element)
{
    reader *r = user;
    const char *name = local(element);
    if (r->in_title && !r->title[0]) tidy(r->text, r->n, r->title, 96);
    if (r->in_keyword) add_keyword(r);
    r->in_title = r->in_keyword = false;
    if (!strcmp(name, "Agent"))
        r->agent--;
    else if (!strcmp(name, "subject"))
        r->subject--;
    else if (!strcmp(name, "Work") && --r->work == 0)
        r->done = true, XML_StopParser(r->parser, XML_FALSE);
}

bool ivl_clipart_describe(const char *svg, size_t n, char title[96], char keywords[192])
{
    reader r = { .title = title, .keywords = keywords };
    title[0] = keywords[0] = 0;
    r.parser = XML_ParserCreate(NULL);
    if (!r.parser) return false;
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, begin, end);
    XML_SetCharacterDataHandler(r.parser, text);
    XML_Parse(r.parser, svg, (int)n, 1); /* what was read before a mistake is kept */
    XML_ParserFree(r.parser);
    return title[0] != 0;
}
