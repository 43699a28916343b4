#include "backends/list.h"

ivl_status ivl_check_open(const char *spec, ivl_device **dev_p)
{
    (void)dev_p;
    return ivl_fail(IVL_EUNSUPPORTED, __FILE__, __LINE__, "check:%s", spec);
}
