#include "tests/ops/shapes.h"

/* Bins that divide the side, that overlap, and more of them than cells. */
static const ivl_resize_shape shapes[] = {
    { 1, 1, 0, { 1, 1, 1, 1 }, IVL_TINY },      { 2, 7, 0, { 3, 4, 2, 3 }, IVL_TINY },
    { 1, 16, 64, { 3, 3, 6, 6 }, IVL_TINY },    { 2, 37, 5, { 7, 5, 1, 2 }, IVL_TINY },
    { 2, 64, 0, { 18, 18, 6, 6 }, IVL_NORMAL }, { 1, 130, 0, { 16, 13, 6, 6 }, IVL_NORMAL },
    { 3, 21, 0, { 14, 9, 1, 1 }, IVL_NORMAL },
};

void ivl_cases_avg_pool(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        ivl_case_add_resize(list, IVL_OP_avg_pool, IVL_OP_avg_pool_bwd, &shapes[i], i % 2);
}
