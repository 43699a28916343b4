#include "data/cldr.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "runtime/file.h"

typedef struct reader { ivl_cldr *c; char sequence[256], text[512]; size_t n; bool named, failed; XML_Parser parser; } reader;

/* Without U+FE0E and U+FE0F, which files and fonts use differently. */
static void plain_sequence(const char *from, char *to, size_t n)
{
    size_t k = 0;
    for (; *from && k + 1 < n; from++)
        if (!strncmp(from, "\xEF\xB8\x8F", 3) || !strncmp(from, "\xEF\xB8\x8E", 3)) from += 2;
        else to[k++] = *from;
    to[k] = 0;
}

static void start(void *user, const XML_Char *element, const XML_Char **attr)
{
    reader *r = user;
    r->named = false, r->n = 0;
    if (strcmp(element, "annotation")) return;
    const char *cp = NULL, *type = NULL;
    for (; *attr; attr += 2)
        if (!strcmp(attr[0], "cp")) cp = attr[1];
        else if (!strcmp(attr[0], "type")) type = attr[1];
    r->named = cp && type && !strcmp(type, "tts");
    if (r->named) plain_sequence(cp, r->sequence, sizeof r->sequence);
}

static void text(void *user, const XML_Char *s, int n)
{
    reader *r = user;
    for (int i = 0; r->named && i < n && r->n + 1 < sizeof r->text; i++) r->text[r->n++] = s[i];
}

static bool add(ivl_cldr *c, const char *sequence, const char *name)
{
    if (c->n == c->cap) {
        int cap = c->cap ? 2 * c->cap : 4096;
        ivl_cldr_name *p = realloc(c->name, (size_t)cap * sizeof *p);
        if (!p) return false;
        c->name = p, c->cap = cap;
    }
    c->name[c->n] = (ivl_cldr_name){ strdup(sequence), strdup(name) };
    return c->name[c->n].sequence && c->name[c->n++].name;
}

static void end(void *user, const XML_Char *element)
{
    reader *r = user;
    (void)element;
    r->text[r->n] = 0;
    if (r->named && r->n && !add(r->c, r->sequence, r->text)) {
        r->failed = true;
        XML_StopParser(r->parser, XML_FALSE);
    }
    r->named = false;
}

/* The files declare a DTD outside; entities of their own are refused, so nothing can grow. */
static void refuse_entity(void *user, const XML_Char *name, int is_parameter, const XML_Char *value, int n,
                          const XML_Char *base, const XML_Char *system, const XML_Char *public_id, const XML_Char *notation)
{
    (void)name, (void)is_parameter, (void)value, (void)n, (void)base, (void)system, (void)public_id, (void)notation;
    XML_StopParser(((reader *)user)->parser, XML_FALSE);
}

static ivl_status parse(const char *path, ivl_cldr *c)
{
    char *data = NULL;
    size_t n = 0;
    IVL_TRY(ivl_read_file(path, (size_t)64 << 20, &data, &n));
    reader r = { .c = c, .parser = XML_ParserCreate("UTF-8") };
    if (!r.parser) {
        free(data);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    }
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, start, end);
    XML_SetCharacterDataHandler(r.parser, text);
    XML_SetEntityDeclHandler(r.parser, refuse_entity);
    ivl_status s = IVL_OK;
    if (XML_Parse(r.parser, data, (int)n, 1) == XML_STATUS_ERROR)
        s = r.failed ? ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory")
                     : ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s:%lu: %s", path, XML_GetCurrentLineNumber(r.parser),
                                XML_ErrorString(XML_GetErrorCode(r.parser)));
    XML_ParserFree(r.parser);
    free(data);
    return s;
}

static int by_sequence(const void *a, const void *b)
{
    return strcmp(((const ivl_cldr_name *)a)->sequence, ((const ivl_cldr_name *)b)->sequence);
}

ivl_status ivl_cldr_load(const char *dir, const char *lang, ivl_cldr *c_p)
{
    static const char *const part[] = { "annotations", "annotationsDerived" };
    ivl_cldr c = { 0 };
    snprintf(c.lang, sizeof c.lang, "%s", lang);
    ivl_status s = IVL_OK;
    for (int i = 0; i < 2 && s == IVL_OK; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s/%s.xml", dir, part[i], lang);
        FILE *probe = i ? fopen(path, "rb") : NULL; /* not every language has derived names */
        if (i && !probe) continue;
        if (probe) fclose(probe);
        s = parse(path, &c);
    }
    if (s != IVL_OK) {
        ivl_cldr_free(&c);
        return s;
    }
    if (c.n) qsort(c.name, (size_t)c.n, sizeof *c.name, by_sequence);
    *c_p = c;
    return IVL_OK;
}

void ivl_cldr_free(ivl_cldr *c)
{
    for (int i = 0; i < c->n; i++) free(c->name[i].sequence), free(c->name[i].name);
    free(c->name);
    *c = (ivl_cldr){ 0 };
}

const char *ivl_cldr_find(const ivl_cldr *c, const char *sequence)
{
    ivl_cldr_name key = { (char *)(uintptr_t)sequence, NULL };
    const ivl_cldr_name *e = c->n ? bsearch(&key, c->name, (size_t)c->n, sizeof key, by_sequence) : NULL;
    return e ? e->name : NULL;
}

static int is_language(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    return dot && !strcmp(dot, ".xml") && !strchr(e->d_name, '_') && strncmp(e->d_name, "root", 4);
}

ivl_status ivl_cldr_languages(const char *dir, char ***lang_p, int *n_p)
{
    struct dirent **entry = NULL;
    char *path = ivl_path_join(dir, "annotations");
    int n = path ? scandir(path, &entry, is_language, alphasort) : -1;
    free(path);
    IVL_CHECK(n > 0, IVL_EIO, "%s: no annotations/*.xml: apt-get install unicode-cldr-core", dir);
    char **lang = calloc((size_t)n, sizeof *lang);
    bool ok = lang != NULL;
    for (int i = 0; i < n; i++) {
        if (lang) ok &= (lang[i] = strndup(entry[i]->d_name, strlen(entry[i]->d_name) - 4)) != NULL;
        free(entry[i]);
    }
    free(entry);
    IVL_CHECK(ok, IVL_ENOMEM, "out of memory");
    *lang_p = lang, *n_p = n;
    return IVL_OK;
}
