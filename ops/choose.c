/* Which implementation runs a node: asked once, at plan time, about the very node. */
#include "ops/plan.h"

#include <string.h>

/* What decides besides the node. */
typedef struct rule { const ivl_caps *c; const ivl_quirks *quirks; const char *force; } rule;

static bool fits(const ivl_impl *m, const rule *r, const ivl_node *n)
{
    if ((m->op != n->op && m->op != IVL_ANY_OP) || (m->fits && !m->fits(r->c, n))) return false;
    return !ivl_quirks_has(r->quirks, m->name, n);
}

/* Better of two; portable rows come second and lose ties. */
static const ivl_impl *best_of(const ivl_impl *rows, int n_rows, const rule *r, const ivl_node *n, const ivl_impl *best)
{
    for (int i = 0; i < n_rows; i++) {
        const ivl_impl *m = &rows[i];
        if (!fits(m, r, n)) continue;
        if (r->force && !strcmp(r->force, m->name)) return m;
        bool forced = best && r->force && !strcmp(r->force, best->name);
        if (!best || (!forced && m->rank > best->rank)) best = m;
    }
    return best;
}

ivl_status ivl_choose_impl(const ivl_backend *b, const ivl_caps *c, const ivl_quirks *quirks, const ivl_node *n,
                           const char *force, const ivl_impl **impl_p)
{
    const ivl_op_desc *d = ivl_op_get(n->op);
    rule r = { c, quirks, force };
    const ivl_impl *best = b ? best_of(b->impls, b->n_impls, &r, n, NULL) : NULL;
    best = best_of(d->impls, d->n_impls, &r, n, best);
    char text[96] = "nothing";
    if (n->n_in && n->x[0]) ivl_tensor_text(n->x[0], text, sizeof text);
    IVL_CHECK(best, IVL_EUNSUPPORTED, "%s of %s: no implementation for %s%s", d->name, text, c->name,
              quirks->text ? " but those that `ivl selftest` saw fail there" : "");
    *impl_p = best;
    return IVL_OK;
}
