#include "ops/ref/ref.h"

ivl_status REF(fill)(const ivl_node *n)
{
    const double value = ((const ivl_fill_attr *)n->attr)->value;
    const ivl_tensor *y = n->y[0];
    for (int64_t r = 0; r < ivl_rows(y); r++)
        for (int64_t c = 0; c < ivl_cols(y); c++) ivl_store(ref_data(y), y->dtype, r * y->pitch + c, value);
    return IVL_OK;
}
