#include "train/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

char *ivl_picture_url(const uint8_t *p, size_t n)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *head = n > 1 && p[0] == 0xff  ? "data:image/jpeg;base64,"
                       : n > 1 && p[0] == 'R' ? "data:image/webp;base64,"
                                              : "data:image/png;base64,";
    char *url = malloc(strlen(head) + (n + 2) / 3 * 4 + 1), *q = url;
    if (!url) return NULL;
    q += sprintf(q, "%s", head);
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0u);
        *q++ = digit[v >> 18], *q++ = digit[v >> 12 & 63];
        *q++ = i + 1 < n ? digit[v >> 6 & 63] : '=';
        *q++ = i + 2 < n ? digit[v & 63] : '=';
    }
    *q = 0;
    return url;
}
