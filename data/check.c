#include "data/dataset.h"
#include "data/image.h"
#include "data/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Training replaces the bytes that are none, which is seldom what the writer meant. */
static ivl_status check_caption(const char *where, const char *text)
{
    char *valid = NULL;
    IVL_TRY(ivl_utf8_clean(text, strlen(text), &valid, NULL));
    bool same = !strcmp(valid, text);
    free(valid);
    IVL_CHECK(same, IVL_EFORMAT, "%s: its caption is not valid UTF-8; convert it from what it is", where);
    return IVL_OK;
}

static ivl_status try_record(const ivl_dataset *ds, int64_t i)
{
    ivl_sample rec = { 0 };
    ivl_image im = { 0 };
    char where[4096];
    IVL_TRY(ivl_dataset_read(ds, i, &rec));
    ivl_dataset_where(ds, i, where, sizeof where);
    ivl_status s = ivl_image_decode(rec.image, rec.image_bytes, where, 0, &im);
    for (int c = 0; c < rec.n_captions && s == IVL_OK; c++) s = check_caption(where, rec.caption[c].text);
    ivl_image_free(&im);
    ivl_sample_free(&rec);
    return s;
}

/* The last error; what a table names is said to be from the table. */
static bool report_record(const ivl_dataset *ds, int64_t i, ivl_check_report report, void *user)
{
    const ivl_source *s = &ds->source[ds->item[i].source];
    char *text = NULL;
    if (!s->table.text || asprintf(&text, "%s: %s", s->path, ivl_last_error()) < 0) text = NULL;
    bool on = report(user, i, text ? text : ivl_last_error());
    free(text);
    return on;
}

ivl_status ivl_dataset_check(const ivl_dataset *ds, ivl_check_report report, void *user, int64_t *bad_p)
{
    int64_t bad = ivl_dataset_bad(ds);
    bool on = true;
    const char *text = NULL;
    for (int i = 0; on && (text = ivl_dataset_bad_text(ds, i)); i++) on = report(user, -1, text);
    for (int64_t i = 0; on && i < ivl_dataset_count(ds); i++) {
        ivl_status s = try_record(ds, i);
        if (s == IVL_ENOMEM) return s; /* ours, not the record's */
        if (s == IVL_OK) continue;
        bad++;
        on = report_record(ds, i, report, user);
    }
    *bad_p = bad;
    return IVL_OK;
}
