#include "tests/ops/shapes.h"

static const ivl_resize_shape shapes[] = {
    { 1, 1, 0, { 1, 1, 3, 2 }, IVL_TINY },       { 2, 7, 0, { 3, 3, 6, 6 }, IVL_TINY },
    { 1, 16, 64, { 4, 5, 4, 5 }, IVL_TINY },     { 2, 37, 5, { 7, 5, 3, 2 }, IVL_TINY },
    { 2, 21, 0, { 4, 6, 17, 13 }, IVL_NORMAL },  { 1, 3, 0, { 3, 14, 42, 5 }, IVL_NORMAL },
    { 1, 151, 0, { 8, 8, 28, 28 }, IVL_NORMAL }, { 1, 5, 0, { 40, 33, 1, 2 }, IVL_NORMAL },
};

void ivl_cases_resize2d(ivl_case_list *list)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        ivl_case_add_resize(list, IVL_OP_resize2d, IVL_OP_resize2d_bwd, &shapes[i], i % 2);
}
