/* Kernel sources by file name: those embedded in the library, and those that users registered. */
#include "runtime/embed.h"

#include <stdlib.h>
#include <string.h>

#include <ivl/ops.h>

enum { MAX_USER = 64 };
static ivl_embedded_file user[MAX_USER];
static int n_user;

const ivl_embedded_file *ivl_source_find(const char *name)
{
    for (const ivl_embedded_file *f = ivl_embedded; f->name; f++)
        if (!strcmp(f->name, name)) return f;
    for (int i = 0; i < n_user; i++)
        if (!strcmp(user[i].name, name)) return &user[i];
    return NULL;
}

ivl_status ivl_source_register(const char *name, const char *text)
{
    IVL_CHECK(name && text, IVL_EINVAL, "a kernel source needs a name and a text");
    IVL_CHECK(!ivl_source_find(name), IVL_EINVAL, "a kernel source named %s exists already", name);
    IVL_CHECK(n_user < MAX_USER, IVL_ENOMEM, "more than %d kernel sources of your own", MAX_USER);
    user[n_user++] = (ivl_embedded_file){ name, text, strlen(text) };
    return IVL_OK;
}
