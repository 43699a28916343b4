/* The op table, from ops.def, and ops added at run time. */
#include <ivl/ops.h>

enum { MAX_CUSTOM = 64 };

#define OP(name) extern const ivl_op_desc ivl_desc_##name;
#include <ivl/ops.def>
#undef OP

static const ivl_op_desc *const builtin[IVL_OP_COUNT] = {
#define OP(name) [IVL_OP_##name] = &ivl_desc_##name,
#include <ivl/ops.def>
#undef OP
};
static const ivl_op_desc *custom[MAX_CUSTOM];
static int n_custom;

int ivl_op_count(void) { return IVL_OP_COUNT + n_custom; }

const ivl_op_desc *ivl_op_get(int op)
{
    if (op < 0 || op >= ivl_op_count()) return NULL;
    return op < IVL_OP_COUNT ? builtin[op] : custom[op - IVL_OP_COUNT];
}

ivl_status ivl_op_register(const ivl_op_desc *desc, int *op_p)
{
    IVL_CHECK(desc && desc->name && desc->infer && desc->ref64, IVL_EINVAL, "an op needs a name, infer and ref64");
    IVL_CHECK(n_custom < MAX_CUSTOM, IVL_ENOMEM, "more than %d ops of your own", MAX_CUSTOM);
    custom[n_custom] = desc;
    *op_p = IVL_OP_COUNT + n_custom++;
    return IVL_OK;
}
