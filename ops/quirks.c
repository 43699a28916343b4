#include "ops/quirks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/file.h"
#include "runtime/sha256.h"

char *ivl_quirks_path(const ivl_caps *c)
{
    uint8_t digest[32];
    char hex[65], name[40];
    ivl_sha256 h;
    ivl_sha256_init(&h);
    ivl_sha256_add(&h, c->name, strlen(c->name) + 1);
    ivl_sha256_add(&h, c->driver, strlen(c->driver));
    ivl_sha256_end(&h, digest);
    ivl_sha256_text(digest, hex);
    snprintf(name, sizeof name, "quirks-%.16s.txt", hex);
    return ivl_cache_path(name);
}

void ivl_quirks_load(const ivl_caps *c, ivl_quirks *q_p)
{
    char *path = ivl_quirks_path(c), *text = NULL;
    if (path && !access(path, R_OK)) (void)ivl_read_file(path, 1 << 20, &text, NULL);
    free(path);
    *q_p = (ivl_quirks){ text };
}

void ivl_quirks_free(ivl_quirks *q)
{
    free(q->text);
    *q = (ivl_quirks){ 0 };
}

const char *ivl_quirks_type(const ivl_node *n)
{
    const ivl_tensor *t = n->n_in && n->x[0] ? n->x[0] : n->y[0];
    return t ? ivl_dtype_name(t->dtype) : "none";
}

/* The line starts with these two words. */
static bool names(const char *line, const char *impl, const char *type)
{
    size_t a = strlen(impl), b = strlen(type);
    if (strncmp(line, impl, a) || line[a] != ' ' || strncmp(line + a + 1, type, b)) return false;
    return strchr(" \n", line[a + 1 + b]) != NULL;
}

bool ivl_quirks_has(const ivl_quirks *q, const char *impl, const ivl_node *n)
{
    const char *type = ivl_quirks_type(n);
    for (const char *line = q->text; line && *line; line = strchr(line, '\n'), line += line != NULL)
        if (names(line, impl, type)) return true;
    return false;
}
