/* The list of cases, filled by the functions of tests/ops/NAME.c (their names: cases.list.h, generated). */
#include "tests/ops/cases.h"

#include <stdlib.h>
#include <string.h>

struct ivl_case_list {
    ivl_case *c;
    int       n, cap;
    bool      failed;
};

void ivl_case_add(ivl_case_list *list, const ivl_case *c)
{
    if (list->n == list->cap) {
        int cap = list->cap ? 2 * list->cap : 64;
        ivl_case *p = realloc(list->c, (size_t)cap * sizeof *p);
        if (!p) {
            list->failed = true;
            return;
        }
        list->c = p, list->cap = cap;
    }
    void *attr = c->attr_bytes ? malloc(c->attr_bytes) : NULL;
    if (c->attr_bytes && !attr) {
        list->failed = true;
        return;
    }
    if (attr) memcpy(attr, c->attr, c->attr_bytes);
    list->c[list->n] = *c;
    list->c[list->n++].attr = attr;
}

ivl_status ivl_cases_create(ivl_case_list **list_p)
{
    ivl_case_list *list = calloc(1, sizeof *list);
    IVL_CHECK(list, IVL_ENOMEM, "out of memory");
#define CASES(name) ivl_cases_##name(list);
#include "tests/ops/cases.list.h"
#undef CASES
    if (list->failed) {
        ivl_cases_destroy(list);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory for the cases of ops");
    }
    *list_p = list;
    return IVL_OK;
}

void ivl_cases_destroy(ivl_case_list *list)
{
    if (!list) return;
    for (int i = 0; i < list->n; i++) free((void *)(uintptr_t)list->c[i].attr);
    free(list->c), free(list);
}

int ivl_cases_count(const ivl_case_list *list) { return list->n; }
const ivl_case *ivl_cases_get(const ivl_case_list *list, int i) { return &list->c[i]; }
