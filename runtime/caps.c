#include "runtime/caps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"

typedef enum kind { TEXT, INT, SIZE, FEATURES } kind;
typedef struct field {
    const char *key;
    kind kind;
    size_t at, bytes;
} field;

#define FIELD(kind, name)                                                                                    \
    {                                                                                                        \
#name, kind, offsetof(ivl_caps, name), sizeof(((ivl_caps *)0)->name)                                 \
    }
static const field fields[] = {
    FIELD(TEXT, name),      FIELD(TEXT, arch),      FIELD(TEXT, driver), FIELD(INT, wave),
    FIELD(INT, max_group),  FIELD(INT, units),      FIELD(INT, vec_f32), FIELD(SIZE, local_bytes),
    FIELD(SIZE, mem_bytes), FIELD(SIZE, max_alloc), FIELD(SIZE, align),  FIELD(FEATURES, features),
};
#undef FIELD
enum { N_FIELDS = sizeof fields / sizeof *fields };
static const char head[] = "# libivl: capabilities of a device";

const char *ivl_caps_feature(int i)
{
    static const char *const word[] = { "gpu", "host_memory", "late_compile", "no_kernels", "check" };
    return i >= 0 && i < (int)(sizeof word / sizeof *word) ? word[i] : NULL;
}

ivl_status ivl_caps_save(const char *path, const char *spec, const ivl_caps *c)
{
    ivl_out_file out;
    IVL_TRY(ivl_out_open(path, &out));
    fprintf(out.f, "%s\nspec %s\n", head, spec);
    for (int i = 0; i < N_FIELDS; i++) {
        const void *p = (const char *)c + fields[i].at;
        fprintf(out.f, "%s", fields[i].key);
        if (fields[i].kind == TEXT) fprintf(out.f, " %s", (const char *)p);
        if (fields[i].kind == INT) fprintf(out.f, " %d", *(const int *)p);
        if (fields[i].kind == SIZE) fprintf(out.f, " %zu", *(const size_t *)p);
        for (int b = 0; fields[i].kind == FEATURES && ivl_caps_feature(b); b++)
            if (c->features >> b & 1) fprintf(out.f, " %s", ivl_caps_feature(b));
        fputc('\n', out.f);
    }
    return ivl_out_commit(&out);
}

static ivl_status parse_features(const char *path, int line, char *text, uint64_t *features_p)
{
    char *rest = NULL;
    *features_p = 0;
    for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
        int b = 0;
        while (ivl_caps_feature(b) && strcmp(w, ivl_caps_feature(b))) b++;
        IVL_CHECK(ivl_caps_feature(b), IVL_EFORMAT, "%s:%d: unknown feature '%s'", path, line, w);
        *features_p |= (uint64_t)1 << b;
    }
    return IVL_OK;
}

static ivl_status parse_field(const char *path, int line, const field *f, char *text, ivl_caps *c)
{
    void *p = (char *)c + f->at;
    if (f->kind == FEATURES) return parse_features(path, line, text, p);
    if (f->kind == TEXT) {
        IVL_CHECK(strlen(text) < f->bytes, IVL_EFORMAT, "%s:%d: %s is longer than %zu characters", path, line,
                  f->key, f->bytes - 1);
        strcpy(p, text);
        return IVL_OK;
    }
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    bool number = text[0] >= '0' && text[0] <= '9' && !*end && !errno;
    IVL_CHECK(number && (f->kind == SIZE || v <= INT32_MAX), IVL_EFORMAT,
              "%s:%d: %s is '%s', not a number in range", path, line, f->key, text);
    if (f->kind == INT)
        *(int *)p = (int)v;
    else
        *(size_t *)p = (size_t)v;
    return IVL_OK;
}

static ivl_status parse_line(const char *path, int line, char *text, char spec[32], ivl_caps *c,
                             uint32_t *seen)
{
    if (!*text || *text == '#') return IVL_OK;
    char *value = text + strcspn(text, " ");
    if (*value) *value++ = 0;
    if (!strcmp(text, "spec")) {
        IVL_CHECK(*value && strlen(value) < 32, IVL_EFORMAT, "%s:%d: bad device '%s'", path, line, value);
        strcpy(spec, value);
        *seen |= 1u << N_FIELDS;
        return IVL_OK;
    }
    for (int i = 0; i < N_FIELDS; i++)
        if (!strcmp(text, fields[i].key)) {
            *seen |= 1u << i;
            return parse_field(path, line, &fields[i], value, c);
        }
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s:%d: unknown key '%s'", path, line, text);
}

ivl_status ivl_caps_load(const char *path, char spec[32], ivl_caps *c)
{
    char *data = NULL, s[32] = "", *next;
    ivl_caps caps = { 0 };
    uint32_t seen = 0;
    IVL_TRY(ivl_read_file(path, 1 << 16, &data, NULL));
    ivl_status st = IVL_OK;
    if (strncmp(data, head, strlen(head)))
        st = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__,
                      "%s: not a capabilities file: make one with `ivl devices --save-caps`", path);
    int line = 1;
    for (char *l = data; st == IVL_OK && l; l = next, line++) {
        next = strchr(l, '\n');
        if (next) *next++ = 0;
        st = parse_line(path, line, l, s, &caps, &seen);
    }
    free(data);
    IVL_TRY(st);
    for (int i = 0; i <= N_FIELDS; i++)
        IVL_CHECK(seen >> i & 1, IVL_EFORMAT, "%s: '%s' is missing", path,
                  i < N_FIELDS ? fields[i].key : "spec");
    memcpy(spec, s, sizeof s);
    *c = caps;
    return IVL_OK;
}
