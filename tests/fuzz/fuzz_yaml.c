/* Any bytes as a recipe: refused, or printed and read back to the same values. */
#include "runtime/conf.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

typedef struct settings {
    int64_t       steps;
    double        rate;
    bool          flip;
    char         *data, *rule;
    ivl_conf_list words;
} settings;

static const ivl_conf_row rows[] = {
    { .key = "steps", .type = IVL_CONF_INT, .off = offsetof(settings, steps), .def = "10", .lo = 1, .hi = 1e9 },
    { .key = "optim.rate", .type = IVL_CONF_DOUBLE, .off = offsetof(settings, rate), .def = "1e-3" },
    { .key = "flip", .type = IVL_CONF_BOOL, .off = offsetof(settings, flip), .def = "false" },
    { .key = "data", .type = IVL_CONF_STRING, .off = offsetof(settings, data), .def = "" },
    { .key = "rule", .type = IVL_CONF_ENUM, .off = offsetof(settings, rule), .def = "a", .choices = "a b" },
    { .key = "words", .type = IVL_CONF_LIST, .off = offsetof(settings, words), .def = "" },
};
enum { N = sizeof rows / sizeof *rows };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    settings s, t;
    char *text = NULL, *again = NULL;
    if (ivl_conf_defaults(rows, N, &s) != IVL_OK || ivl_conf_defaults(rows, N, &t) != IVL_OK) abort();
    if (ivl_conf_yaml_text(rows, N, &s, (const char *)data, n, "input") == IVL_OK) {
        if (ivl_conf_text(rows, N, &s, &text) != IVL_OK) abort();
        if (ivl_conf_yaml_text(rows, N, &t, text, strlen(text), "output") != IVL_OK) abort();
        if (ivl_conf_text(rows, N, &t, &again) != IVL_OK || strcmp(text, again)) abort();
    }
    free(text), free(again);
    ivl_conf_free(rows, N, &s);
    ivl_conf_free(rows, N, &t);
    return 0;
}
