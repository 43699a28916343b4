#include "data/record.h"
#include "data/image.h"


static ivl_status try_record(const ivl_dataset *ds, int64_t i)
{
    ivl_sample rec = { 0 };
    ivl_image im = { 0 };
    char where[4096];
    IVL_TRY(ivl_dataset_read(ds, i, &rec));
    ivl_status s =
        ivl_image_decode(rec.image, rec.image_bytes, ivl_dataset_where(ds, i, where, sizeof where), 0, &im);
    ivl_image_free(&im);
    ivl_sample_free(&rec);
    return s;
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
        on = report(user, i, ivl_last_error());
    }
    *bad_p = bad;
    return IVL_OK;
}
