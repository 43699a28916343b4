/* What a plan says of itself: the first answer to "does it fit" and "why is it slow". */
#include "ops/plan.h"

int ivl_plan_nodes(const ivl_plan *p) { return p->n_step; }
const ivl_node *ivl_plan_node(const ivl_plan *p, int i) { return &p->step[i].n; }
const char *ivl_plan_impl(const ivl_plan *p, int i) { return p->step[i].impl->name; }

static double step_flops(const ivl_step *s)
{
    const ivl_op_desc *d = ivl_op_get(s->n.op);
    return d->flops ? d->flops(&s->n) : 0;
}

ivl_plan_size ivl_plan_sizes(const ivl_plan *p)
{
    ivl_plan_size z = { .io = p->io_bytes, .nodes = p->n_step, .slabs = p->slabs.n };
    for (int i = 0; i < p->slabs.n; i++) z.work += p->slabs.bytes[i];
    for (int i = 0; i < p->n_item; i++)
        if (p->item[i].bytes > z.largest) z.largest = p->item[i].bytes;
    for (int i = 0; i < p->n_step; i++) z.flops += step_flops(&p->step[i]);
    return z;
}

static void print_step(const ivl_plan *p, int i, FILE *f)
{
    const ivl_step *s = &p->step[i];
    char x[96] = "-", y[96] = "in place";
    if (s->n.n_in && s->n.x[0]) ivl_tensor_text(s->n.x[0], x, sizeof x);
    for (int j = s->n.n_out - 1; j >= 0; j--)
        if (s->n.y[j]) ivl_tensor_text(s->n.y[j], y, sizeof y);
    fprintf(f, "%5d  %-26s %-26s %-26s %10.3f %10.2f\n", i, s->impl->name, x, y, step_flops(s) / 1e9,
            (double)s->scratch / 0x1p20);
}

void ivl_plan_print(const ivl_plan *p, FILE *f, bool nodes)
{
    ivl_plan_size z = ivl_plan_sizes(p);
    if (nodes)
        fprintf(f, "%5s  %-26s %-26s %-26s %10s %10s\n", "node", "implementation", "first input", "output",
                "GFLOP", "scratch/M");
    for (int i = 0; nodes && i < p->n_step; i++) print_step(p, i, f);
    fprintf(f, "%d nodes, %.3f GFLOP a run\n", z.nodes, z.flops / 1e9);
    fprintf(
        f, "%.1f MiB activations and scratch in %d slab%s (largest tensor %.1f MiB), %.1f MiB batch record\n",
        (double)z.work / 0x1p20, z.slabs, z.slabs == 1 ? "" : "s", (double)z.largest / 0x1p20,
        (double)z.io / 0x1p20);
}
