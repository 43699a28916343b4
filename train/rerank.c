#include "train/rerank.h"

#include "train/pictures.h"

ivl_status ivl_rerank(ivl_matcher *m, const ivl_dataset *ds, const int32_t *record, int n, const char *text,
                      float *score)
{
    const char *same[IVL_PICTURES];
    int most = ivl_matcher_batch(m) < IVL_PICTURES ? ivl_matcher_batch(m) : IVL_PICTURES;
    for (int i = 0; i < IVL_PICTURES; i++) same[i] = text;
    for (int i = 0; i < n; i += most) {
        ivl_pictures p;
        int rows = n - i < most ? n - i : most;
        IVL_TRY(ivl_pictures_read(ds, record + i, 0, rows, &p));
        ivl_status s = ivl_matcher_run(m, p.pic, same, rows, score + i);
        ivl_pictures_free(&p);
        IVL_TRY(s);
    }
    return IVL_OK;
}
