/* Any bytes as a list of pictures and captions, with commas and with tabs. */
#include "data/table.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const name[] = { "fuzz.csv", "fuzz.tsv", "captions.txt" };
    for (int i = 0; i < 3; i++) {
        ivl_table t = { 0 };
        char *text = malloc(n + 1), *field[IVL_TABLE_FIELDS];
        memcpy(text, data, n);
        text[n] = 0;
        if (ivl_table_parse(name[i], text, n, &t) != IVL_OK) abort();
        size_t bytes = 0;
        for (bool more = true; more;) {
            if (ivl_table_next(&t, field, &more) != IVL_OK || !more) break;
            for (int f = 0; f < IVL_TABLE_FIELDS; f++) bytes += field[f] ? strlen(field[f]) : 0;
        }
        if (bytes > n) abort();
        ivl_table_close(&t);
    }
    return 0;
}
