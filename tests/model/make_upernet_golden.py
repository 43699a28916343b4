"""Makes tests/golden/upernet: UperNet heads of random weights (heads.safetensors) on random maps, and what PyTorch
answers (expected.safetensors, from fp64): logits in evaluation and in training, the loss of both
heads, the gradient of every parameter, running statistics after the step. Maps are odd and smaller than the largest
pooling. usage: make_upernet_golden.py SRCDIR"""
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

sys.path.insert(0, str(Path(sys.argv[1]) / 'tests/oracle'))
from internvl_oracle import seg_fcn_head, seg_fpn, seg_upernet_head  # noqa: E402
from oracle_io import random_params  # noqa: E402

B, D, C, K, H, W, SIDE = 2, 6, 5, 4, 9, 6, 11
torch.set_num_threads(1)


def conv(name: str, cin: int, cout: int, side: int) -> dict[str, tuple]:
    bn = {f'{name}.bn.{w}': (cout,) for w in ('weight', 'bias', 'running_mean', 'running_var')}
    return {f'{name}.conv.weight': (cout, cin, side, side)} | bn


shapes = {f'backbone.{m}.{w}': (D,) if w == 'bias' or m == 'up1.1' else (D, D, 2, 2)
          for m in ('up1.0', 'up1.1', 'up1.3', 'up2.0') for w in ('weight', 'bias')}
for i in range(4):
    shapes |= conv(f'decode_head.psp_modules.{i}.1', D, C, 1)
for i in range(3):
    shapes |= conv(f'decode_head.lateral_convs.{i}', D, C, 1) | conv(f'decode_head.fpn_convs.{i}', C, C, 3)
shapes |= conv('decode_head.bottleneck', D + 4 * C, C, 3) | conv('decode_head.fpn_bottleneck', 4 * C, C, 3)
shapes |= conv('auxiliary_head.convs.0', D, C, 3)
for head in ('decode_head', 'auxiliary_head'):
    shapes |= {f'{head}.conv_seg.weight': (K, C, 1, 1), f'{head}.conv_seg.bias': (K,)}
heads = random_params(shapes, 9)
for n in heads:
    if n.endswith('running_var'):
        heads[n] = heads[n].abs() + 0.5

g = torch.Generator().manual_seed(9)
maps = [torch.randn(B, D, H, W, generator=g) for _ in range(4)]
labels = torch.randint(-1, K, (B, SIDE, SIDE), generator=g)  # -1: does not count
inputs = {f'in.map.{i}': m.flatten(2).transpose(1, 2).contiguous() for i, m in enumerate(maps)} | {'in.labels': labels}


def answers(dtype: torch.dtype) -> dict[str, torch.Tensor]:
    P = {n: p.to(dtype, copy=True) for n, p in heads.items()}
    trained = [n for n in P if 'running' not in n]
    for n in trained:
        P[n].requires_grad_()
    pyramid, total, E = seg_fpn(P, [m.to(dtype) for m in maps]), 0, {}
    for tag, weight, head in (('', 1, lambda t: seg_upernet_head(P, pyramid, training=t)),
                              ('auxiliary.', 0.4, lambda t: seg_fcn_head(P, pyramid[1], training=t))):
        for mode in ('eval', 'train'):
            z = head(mode == 'train')
            E[tag + mode] = z.flatten(2).transpose(1, 2)
        z = F.interpolate(z, size=(SIDE, SIDE), mode='bilinear', align_corners=False)
        E[tag + 'loss'] = F.cross_entropy(z, labels, ignore_index=-1)
        total = total + weight * E[tag + 'loss']
    E |= {'grad.' + n: d for n, d in zip(trained, torch.autograd.grad(total, [P[n] for n in trained]))}
    return {n: t.detach() for n, t in (E | {'after.' + n: P[n] for n in P if 'running' in n}).items()}


truth, plain = answers(torch.float64), answers(torch.float32)
out = Path(sys.argv[1]) / 'tests/golden/upernet'
save_file(heads, out / 'heads.safetensors')
# tolerances by make_case.py's rule
allowed = {n: max(10 * (plain[n] - t).abs().max().item(), 4e-6 * t.abs().max().item(), 1e-9) for n, t in truth.items()}
save_file(inputs | {n: t.float().contiguous() for n, t in truth.items()} |
          {'tolerance.' + n: torch.tensor([v]) for n, v in allowed.items()}, out / 'expected.safetensors')
for f in out.iterdir():
    f.chmod(0o644)
