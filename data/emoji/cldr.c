#include "data/emoji/cldr.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <expat.h>

#include "runtime/file.h"

enum { SEQUENCE_MAX = 128, TEXT_MAX = 4096, FILE_MAX = 1 << 26 };

typedef struct reader {
    XML_Parser   parser;
    const char  *path;
    ivl_cldr_row row;
    void        *ctx;
    char         sequence[SEQUENCE_MAX], text[TEXT_MAX + 1];
    size_t       bytes;
    bool         inside, is_name;
    ivl_status   status;
} reader;

static void stop(reader *r, ivl_status s)
{
    r->status = s;
    XML_StopParser(r->parser, XML_FALSE);
}

static void begin(void *user, const XML_Char *element, const XML_Char **attr)
{
    reader *r = user;
    r->inside = false;
    if (strcmp(element, "annotation")) return;
    const char *cp = NULL, *type = NULL;
    for (; *attr; attr += 2) {
        if (!strcmp(attr[0], "cp")) cp = attr[1];
        if (!strcmp(attr[0], "type")) type = attr[1];
    }
    if (!cp || strlen(cp) >= SEQUENCE_MAX) return;
    r->inside = true, r->is_name = type && !strcmp(type, "tts"), r->bytes = 0;
    memcpy(r->sequence, cp, strlen(cp) + 1);
}

static void text(void *user, const XML_Char *s, int n)
{
    reader *r = user;
    if (!r->inside || r->status != IVL_OK) return;
    if (r->bytes + (size_t)n > TEXT_MAX) {
        stop(r, ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s:%lu: an annotation of more than %d bytes",
                         r->path, (unsigned long)XML_GetCurrentLineNumber(r->parser), TEXT_MAX));
        return;
    }
    memcpy(r->text + r->bytes, s, (size_t)n);
    r->bytes += (size_t)n;
}

static void end(void *user, const XML_Char *element)
{
    (void)element;
    reader *r = user;
    if (!r->inside || r->status != IVL_OK) return;
    r->inside = false;
    r->text[r->bytes] = 0;
    if (!r->bytes || !strcmp(r->text, "↑↑↑")) return; /* what the parent language says */
    ivl_status s = r->row(r->ctx, r->sequence, r->text, r->is_name);
    if (s != IVL_OK) stop(r, s);
}

/* The files refer to a DTD outside, which is not read; entities of their own are refused, so nothing can
 * grow. */
static void entity(void *user, const XML_Char *name, int parameter, const XML_Char *value, int n,
                   const XML_Char *base, const XML_Char *system, const XML_Char *public,
                   const XML_Char *notation)
{
    (void)parameter, (void)value, (void)n, (void)base, (void)system, (void)public, (void)notation;
    reader *r = user;
    if (r->status == IVL_OK)
        stop(r, ivl_fail(IVL_EFORMAT, __FILE__, __LINE__,
                         "%s: it defines an entity (%.40s); annotation files do not", r->path, name));
}

static ivl_status parse(reader *r, const char *data, size_t n)
{
    r->parser = XML_ParserCreate("UTF-8");
    IVL_CHECK(r->parser, IVL_ENOMEM, "out of memory");
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, begin, end);
    XML_SetCharacterDataHandler(r->parser, text);
    XML_SetEntityDeclHandler(r->parser, entity);
    bool ok = XML_Parse(r->parser, data, (int)n, 1) == XML_STATUS_OK;
    if (!ok && r->status == IVL_OK)
        r->status = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s:%lu: not valid XML: %s", r->path,
                             (unsigned long)XML_GetCurrentLineNumber(r->parser),
                             XML_ErrorString(XML_GetErrorCode(r->parser)));
    XML_ParserFree(r->parser);
    return r->status;
}

static ivl_status read_one(const char *path, ivl_cldr_row row, void *ctx)
{
    char *data = NULL;
    size_t n = 0;
    IVL_TRY(ivl_read_file(path, FILE_MAX, &data, &n));
    reader *r = calloc(1, sizeof *r);
    ivl_status s = IVL_ENOMEM;
    if (r) {
        r->path = path, r->row = row, r->ctx = ctx;
        s = parse(r, data, n);
    } else {
        s = ivl_fail(s, __FILE__, __LINE__, "out of memory");
    }
    free(r), free(data);
    return s;
}

ivl_status ivl_cldr_read(const char *dir, const char *lang, ivl_cldr_row row, void *ctx)
{
    static const char *const part[] = { "annotations", "annotationsDerived" };
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(dir) + strlen(lang) + 32;
        char *path = malloc(n);
        IVL_CHECK(path, IVL_ENOMEM, "out of memory");
        snprintf(path, n, "%s/%s/%s.xml", dir, part[i], lang);
        ivl_status s = i && access(path, F_OK) ? IVL_OK : read_one(path, row, ctx);
        free(path);
        IVL_TRY(s);
    }
    return IVL_OK;
}

static int is_language(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 4 && n < 28 && !strcmp(e->d_name + n - 4, ".xml") && strcmp(e->d_name, "root.xml");
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

ivl_status ivl_cldr_languages(const char *dir, char ***lang_p, int *n_p)
{
    struct dirent **entry = NULL;
    char *path = ivl_path_join(dir, "annotations"), **lang = NULL;
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    int n = scandir(path, &entry, is_language, by_bytes);
    free(path);
    if (n >= 0) lang = calloc((size_t)n + 1, sizeof *lang);
    bool ok = lang != NULL;
    for (int i = 0; i < n; i++) {
        if (lang) ok = (lang[i] = strndup(entry[i]->d_name, strlen(entry[i]->d_name) - 4)) && ok;
        free(entry[i]);
    }
    free(entry);
    if (n > 0 && ok) {
        *lang_p = lang, *n_p = n;
        return IVL_OK;
    }
    if (lang) ivl_cldr_languages_free(lang, n);
    IVL_CHECK(n <= 0, IVL_ENOMEM, "out of memory");
    return ivl_fail(IVL_EIO, __FILE__, __LINE__,
                    "%s: no annotations/*.xml in it: install CLDR (apt-get install unicode-cldr-core) or "
                    "name its folder with --cldr",
                    dir);
}

void ivl_cldr_languages_free(char **lang, int n)
{
    for (int i = 0; i < n; i++) free(lang[i]);
    free(lang);
}
