#!/usr/bin/env python3
"""Replay a recorded training run with the PyTorch oracle and compare the losses.

    ivl train RECIPE.yaml --out RUN --record REC
    python replay.py REC RUN/metrics.jsonl [--steps N]

REC holds the initial model, every batch (pixels after augmentation, ids, keep lists, drop-path scales) and the rates;
only the arithmetic is PyTorch's, in float32. Prints the loss of both sides now and then, and at the end the largest
relative difference over steps 1-50 and the difference of the means over the last 100.
"""
import argparse
import json
import math
from pathlib import Path

import torch
from safetensors.torch import load_file

from internvl_oracle import (InternVLConfig, attn_pool, contrastive_loss, encode_text, unit, vision_block,
                             vision_embed)
from oracle_io import load_checkpoint

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def image_features(P, c, pixels, keep, drop):
    x = vision_embed(P, c.vision, pixels, keep=keep)
    for i in range(c.vision.num_hidden_layers):
        scale = (None, None) if drop is None else tuple(drop[2 * i + j][:, None, None] for j in (0, 1))
        x = vision_block(P, c.vision, f'vision_model.encoder.layers.{i}.', x, scale)
    return attn_pool(P, 'clip_projector.', x, c.attn_pool_num_heads)


def loss_of(P, c, b):
    pixels = ((b['pixels'].float() / 255 - MEAN) / STD).permute(0, 3, 1, 2)
    keep = b['keep'].long() if 'keep' in b else None
    image = unit(image_features(P, c, pixels, keep, b.get('drop_scale')))
    text = unit(encode_text(P, c, b['ids'].long()))
    return contrastive_loss(image, text, image, text, P['logit_scale'], smoothing=c.label_smoothing)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('record', type=Path)
    ap.add_argument('metrics', type=Path)
    ap.add_argument('--steps', type=int, default=0)
    a = ap.parse_args()
    torch.set_float32_matmul_precision('highest')
    config, P = load_checkpoint(a.record / 'initial')
    c = InternVLConfig.from_dict(config)
    info = json.loads((a.record / 'ranges.json').read_text())
    theirs = {m['step']: m['loss'] for m in map(json.loads, a.metrics.read_text().splitlines())}
    P = {n: p.float().requires_grad_() for n, p in P.items()}
    trained = [(n, i) for i, r in enumerate(info['ranges']) for n in r['names'] if n in P]
    state = {n: (torch.zeros_like(P[n]), torch.zeros_like(P[n])) for n, _ in trained}
    ours, files = {}, sorted(a.record.glob('step-*.safetensors'))
    for k, f in enumerate(files[:a.steps or None]):
        b = load_file(f)
        loss = loss_of(P, c, b)
        grads = torch.autograd.grad(loss, [P[n] for n, _ in trained], allow_unused=True)
        grads = [torch.zeros_like(P[n]) if g is None else g for (n, _), g in zip(trained, grads)]
        norm = math.sqrt(sum(float(g.double().square().sum()) for g in grads))
        clip = min(1.0, info['clip'] / (norm + 1e-6)) if info['clip'] > 0 else 1.0
        with torch.no_grad():
            for (n, i), g in zip(trained, grads):
                lr, wd, bc1, bc2 = b['hyper'][i].tolist()
                m, v = state[n]
                g = g * clip
                P[n].mul_(1 - lr * wd)
                m.mul_(info['beta1']).add_(g, alpha=1 - info['beta1'])
                v.mul_(info['beta2']).addcmul_(g, g, value=1 - info['beta2'])
                P[n].addcdiv_(m / bc1, (v / bc2).sqrt() + info['eps'], value=-lr)
            if info['max_logit_scale'] > 0:
                P['logit_scale'].clamp_(max=info['max_logit_scale'])
        step = int(f.stem.split('-')[1])
        ours[step] = loss.item()
        if k < 5 or k % 50 == 0:
            print(f'step {step}: oracle {ours[step]:.6f}  run {theirs[step]:.6f}', flush=True)
    steps = sorted(ours)
    first, last = [s for s in steps if s < 50], steps[-100:]
    worst = max(abs(ours[s] - theirs[s]) / abs(ours[s]) for s in first)
    mean = lambda side: sum(side[s] for s in last) / len(last)
    print(f'{len(steps)} steps; steps 1-{len(first)}: largest relative difference {worst:.2e}')
    print(f'mean of the last {len(last)}: oracle {mean(ours):.5f}, run {mean(theirs):.5f}, '
          f'difference {abs(mean(ours) - mean(theirs)) / mean(ours):.2%}')


if __name__ == '__main__':
    main()
