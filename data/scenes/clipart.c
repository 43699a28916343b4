#include "data/scenes/kit.h"
ivl_status kit_add_clipart(kit *k, const char *dir)
{
    (void)k, (void)dir;
    return IVL_OK;
}
