#include "model/config.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* What is accepted passes every check and survives being written. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ivl_model_config c, d;
    char *text = NULL;
    if (ivl_config_parse((const char *)data, size, "input", &c) != IVL_OK) return 0;
    if (ivl_config_check(&c) != IVL_OK) abort();
    if (ivl_config_text(&c, IVL_F32, &text) != IVL_OK) abort();
    if (ivl_config_parse(text, strlen(text), "output", &d) != IVL_OK || !ivl_config_equal(&c, &d)) abort();
    free(text);
    return 0;
}
