/* Parts of a data set that are seen more often than others. */
#include "data/dataset.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TIMES = 1000 };

/* The next number of the list; its end must be a comma or, after the last part, the end of the text. */
static ivl_status next_times(const char *times, const char **at, bool last, int *n_p)
{
    char *end = NULL;
    long n = isdigit((unsigned char)**at) ? strtol(*at, &end, 10) : 0;
    IVL_CHECK(end && (!*end || *end == ','), IVL_EINVAL,
              "repeat: %s: give a number for each part of data, as 3,1", times);
    IVL_CHECK(n >= 1 && n <= MOST_TIMES, IVL_EINVAL, "repeat: %s: a part is seen 1 to %d times", times, MOST_TIMES);
    IVL_CHECK(last == !*end, IVL_EINVAL, "repeat: %s: it has %s numbers than data has parts", times,
              last ? "more" : "fewer");
    *at = end + !last, *n_p = (int)n;
    return IVL_OK;
}

static ivl_status count(const ivl_dataset *ds, const char *times, int64_t *n_p)
{
    const char *at = times;
    int64_t from = 0, n = 0;
    for (int64_t p = 0; p < ds->n_parts; from = ds->part_end[p++]) {
        int k = 0;
        IVL_TRY(next_times(times, &at, p + 1 == ds->n_parts, &k));
        n += k * (ds->part_end[p] - from);
    }
    *n_p = n;
    return IVL_OK;
}

ivl_status ivl_dataset_repeat(const ivl_dataset *ds, const char *times, int64_t **record_p, int64_t *n_p)
{
    int64_t n = 0, at = 0, from = 0;
    IVL_TRY(count(ds, times, &n));
    int64_t *v = malloc((size_t)n * sizeof *v);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory for %lld records", (long long)n);
    const char *text = times;
    for (int64_t p = 0; p < ds->n_parts; from = ds->part_end[p++]) {
        int k = 0;
        ivl_status s = next_times(times, &text, p + 1 == ds->n_parts, &k);
        assert(s == IVL_OK), (void)s;
        for (; k > 0; k--)
            for (int64_t i = from; i < ds->part_end[p]; i++) v[at++] = i;
    }
    *record_p = v, *n_p = n;
    return IVL_OK;
}
