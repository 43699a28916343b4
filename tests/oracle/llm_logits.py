#!/usr/bin/env python3
"""Next-token logits of a LLaMA-type language model by the PyTorch oracle, beside those of `ivl eval perplexity`.

    ivl eval perplexity --model M --text T.txt --logits L.npy --out P.json
    python llm_logits.py M L.npy P.json [--double]

M is a GGUF file (F32, F16, BF16, Q8_0, Q4_0, Q4_1), read and dequantised here, or a Hugging Face folder. The tokens are
those of P.json; they must fit into one window. Prints the smallest cosine over the positions, the largest difference,
how often the likeliest token is the same, and both perplexities.
"""
import argparse
import json
import struct
from pathlib import Path

import numpy as np
import torch

from internvl_oracle import QLlamaConfig, embed_tokens, llama_forward, lm_logits
from oracle_io import load_checkpoint

SCALAR = {0: 'B', 1: 'b', 2: 'H', 3: 'h', 4: 'I', 5: 'i', 6: 'f', 7: '?', 10: 'Q', 11: 'q', 12: 'd'}
HF = {'attn_norm': 'input_layernorm', 'attn_q': 'self_attn.q_proj', 'attn_k': 'self_attn.k_proj',
      'attn_v': 'self_attn.v_proj', 'attn_output': 'self_attn.o_proj', 'ffn_norm': 'post_attention_layernorm',
      'ffn_gate': 'mlp.gate_proj', 'ffn_up': 'mlp.up_proj', 'ffn_down': 'mlp.down_proj'}
TOP = {'token_embd.weight': 'model.embed_tokens.weight', 'output_norm.weight': 'model.norm.weight',
       'output.weight': 'lm_head.weight'}


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, code):
        v, = struct.unpack_from('<' + code, self.data, self.at)
        self.at += struct.calcsize('<' + code)
        return v

    def text(self):
        n = self.take('Q')
        self.at += n
        return bytes(self.data[self.at - n:self.at]).decode()

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            kind = self.take('I')
            return [self.value(kind) for _ in range(self.take('Q'))]
        return self.take(SCALAR[kind])


def half(b):
    return b.copy().view('<f2').astype(np.float32)


def dequantise(raw, kind, n):
    """n values of a row-major tensor; blocks of 32 share a scale d (and an offset m)."""
    if kind == 0:
        return raw[:4 * n].view('<f4').astype(np.float32)
    if kind == 1:
        return half(raw[:2 * n])
    if kind == 30:
        return (raw[:2 * n].view('<u2').astype(np.uint32) << 16).view(np.float32)
    size = {2: 18, 3: 20, 8: 34}[kind]
    b = raw[:n // 32 * size].reshape(-1, size)
    d = half(b[:, :2])
    if kind == 8:
        return (d * b[:, 2:].view(np.int8)).ravel()
    q = b[:, -16:]
    q = np.concatenate([q & 15, q >> 4], axis=1).astype(np.float32)
    return (d * (q - 8) if kind == 2 else d * q + half(b[:, 2:4])).ravel()


def load_gguf(path):
    """-> QLlamaConfig, parameters in Hugging Face's names and layout."""
    r = Reader(np.memmap(path, dtype=np.uint8, mode='r'))
    assert bytes(r.data[:4]) == b'GGUF'
    r.at = 8
    n, m = r.take('Q'), r.take('Q')
    meta = {}
    for _ in range(m):
        key = r.text()
        meta[key] = r.value(r.take('I'))
    table = [(r.text(), [r.take('Q') for _ in range(r.take('I'))][::-1], r.take('I'), r.take('Q')) for _ in range(n)]
    align = meta.get('general.alignment', 32)
    start = -(-r.at // align) * align
    g = lambda key, otherwise=None: meta.get('llama.' + key, otherwise)
    heads = g('attention.head_count')
    kv = g('attention.head_count_kv', heads)
    P = {}
    for name, shape, kind, offset in table:
        x = torch.from_numpy(dequantise(r.data[start + offset:], kind, int(np.prod(shape)))).reshape(shape)
        if name in TOP:
            P[TOP[name]] = x
            continue
        _, layer, what, leaf = name.split('.')
        if what in ('attn_q', 'attn_k'):  # rows of a head are interleaved: ggml rotates neighbours, HF halves
            x = x.unflatten(0, (heads if what == 'attn_q' else kv, -1, 2)).transpose(1, 2).flatten(0, 2)
        P[f'model.layers.{layer}.{HF[what]}.{leaf}'] = x.contiguous()
    c = QLlamaConfig(vocab_size=P[TOP['token_embd.weight']].shape[0], hidden_size=g('embedding_length'),
                     intermediate_size=g('feed_forward_length'), num_hidden_layers=g('block_count'),
                     num_attention_heads=heads, num_key_value_heads=kv,
                     rms_norm_eps=g('attention.layer_norm_rms_epsilon'), rope_theta=g('rope.freq_base', 10000.0))
    return c, P


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('model', type=Path)
    ap.add_argument('logits', type=Path)
    ap.add_argument('result', type=Path)
    ap.add_argument('--double', action='store_true', help='float64 arithmetic')
    a = ap.parse_args()
    if a.model.is_dir():
        config, P = load_checkpoint(a.model)
        c = QLlamaConfig.from_dict(config)
    else:
        c, P = load_gguf(a.model)
    dtype = torch.float64 if a.double else torch.float32
    P = {k: v.to(dtype) for k, v in P.items()}
    info = json.loads(a.result.read_text())
    ids = torch.tensor(info['ids'])
    assert len(ids) <= info['window'], 'the text was read in several windows: give --window'
    with torch.no_grad():
        x = embed_tokens(P, ids[None], '')
        want = lm_logits(P, llama_forward(P, c, x, '', causal=True), '')[0].double()
    got = torch.from_numpy(np.load(a.logits)).double()
    cosine = torch.nn.functional.cosine_similarity(want, got, dim=-1)
    worst = int(cosine.argmin())
    perplexity = lambda z: torch.nn.functional.cross_entropy(z[:-1], ids[1:]).exp().item()
    theirs, ours = perplexity(want), perplexity(got)
    print(f'{len(ids)} positions, {want.shape[1]} tokens in the vocabulary')
    print(f'cosine: smallest {cosine.min():.9f} (position {worst}), mean {cosine.mean():.9f}')
    print(f'largest difference {(want - got).abs().max():.3g} of {want.abs().max():.3g}; '
          f'likeliest token the same at {int((want.argmax(-1) == got.argmax(-1)).sum())} positions')
    print(f'perplexity: oracle {theirs:.5f}, ours {ours:.5f} ({info["perplexity"]:.5f} as reported), '
          f'difference {abs(ours - theirs) / theirs:.2e}')


if __name__ == '__main__':
    main()
