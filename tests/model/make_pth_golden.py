"""Makes tests/golden/pth and the seeds of tests/fuzz/corpus/pth with PyTorch; run once by hand, the results are committed."""
import collections
import os
import shutil
from pathlib import Path

import torch

tests = Path(__file__).resolve().parent.parent
out, corpus = tests / 'golden/pth', tests / 'fuzz/corpus/pth'
out.mkdir(parents=True, exist_ok=True), corpus.mkdir(parents=True, exist_ok=True)
ramp = lambda *s: torch.arange(torch.Size(s).numel(), dtype=torch.float32).reshape(s) / 4 - 3

m = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
with torch.no_grad():
    for p in m.parameters():
        p.copy_(ramp(*p.shape))
torch.save(m.state_dict(), out / 'module.pth')  # with _metadata, parameters and a long
base = ramp(4, 6)
torch.save({'epoch': 3, 'lr': 0.5, 'done': [True, None, 'x'], 'big': 1 << 40, 'model': collections.OrderedDict(
    half=ramp(5).half(), brain=ramp(5).bfloat16(), double=ramp(2, 2).double(), int=torch.tensor([7, -8], dtype=torch.int32),
    byte=torch.tensor([1, 255], dtype=torch.uint8), bool=torch.tensor([True, False]), turned=base.t(), part=base[1:3, 2:5],
    same=base, one=torch.tensor(2.5), none=torch.zeros(0, 3), many=torch.tensor([1.5]).expand(4), parameter=torch.nn.Parameter(ramp(2)))},
    out / 'nested.pth')


class Evil:
    def __reduce__(self):
        return os.system, ('touch /tmp/ivl-evil-was-run',)


torch.save({'a': ramp(2), 'b': Evil()}, out / 'evil.pth')
torch.save({'a': ramp(2)}, out / 'old.pth', _use_new_zipfile_serialization=False)
torch.save([1, 2, 3], out / 'list.pth')
W, M, P, L, G = 8, 12, 2, 2, 2
vit = collections.OrderedDict()
vit['cls_token'], vit['pos_embed'] = ramp(1, 1, W), ramp(1, 1 + G * G, W)
vit['patch_embed.proj.weight'], vit['patch_embed.proj.bias'] = ramp(W, 3, P, P), ramp(W)
for i in range(L):
    b = f'blocks.{i}.'
    for n, s in (('norm1.weight', (W,)), ('attn.qkv.weight', (3 * W, W)), ('attn.q_norm.weight', (W,)), ('attn.k_norm.weight', (W,)),
                 ('attn.proj.weight', (W, W)), ('attn.proj.bias', (W,)), ('ls1.gamma', (W,)), ('norm2.weight', (W,)),
                 ('mlp.fc1.weight', (M, W)), ('mlp.fc1.bias', (M,)), ('mlp.fc2.weight', (W, M)), ('mlp.fc2.bias', (W,)),
                 ('ls2.gamma', (W,))):
        vit[b + n] = ramp(*s).half()
torch.save({'module': vit}, out / 'vit.pth')
for n in ('module', 'nested', 'evil', 'list'):
    shutil.copy(out / f'{n}.pth', corpus / n)
