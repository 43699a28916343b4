#include "train/pictures.h"

ivl_status ivl_pictures_read(const ivl_dataset *ds, const int32_t *record, int64_t first, int n, ivl_pictures *p)
{
    p->n = 0;
    while (p->n < n) {
        int i = p->n;
        int64_t at = record ? record[i] : first + i;
        ivl_status s = ivl_dataset_read(ds, at, &p->rec[i]);
        if (s != IVL_OK) {
            ivl_pictures_free(p);
            return s;
        }
        ivl_dataset_where(ds, at, p->where[i], sizeof p->where[i]);
        p->pic[i] = (ivl_picture){ p->rec[i].image, p->rec[i].image_bytes, p->where[i] };
        p->n++;
    }
    return IVL_OK;
}

void ivl_pictures_free(ivl_pictures *p)
{
    for (int i = 0; i < p->n; i++) ivl_sample_free(&p->rec[i]);
    p->n = 0;
}
