"""Makes tests/golden/decode/*.json: token ids of a toy language whose scores depend on the last two tokens by a hash,
so that a C test computes the same. search.json: by the oracle's search(); rules.json: by transformers' generate, which
also has repetition penalty and n-gram blocking (and counts the two prompt tokens).
usage: make_decode_golden.py SRCDIR (needs torch; transformers 4.37 for rules.json, else that file is left alone)"""
import itertools
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import torch

root = Path(sys.argv[1])
sys.path.insert(0, str(root / 'tests/oracle'))
from internvl_oracle import search  # noqa: E402

M, EOS, PAD = 0xffffffff, 2, 0


def scores(a: int, b: int, vocab: int, boost: int) -> list[float]:
    """In steps of 1/8192, so exact in float32; EOS gets boost / 16 more."""
    out = []
    for v in range(vocab):
        x = (a * 2654435761 + b * 2246822519 + v * 3266489917 + 374761393) & M
        x ^= x >> 15
        x = x * 2246822519 & M
        x ^= x >> 13
        x = x * 3266489917 & M
        x ^= x >> 16
        out.append((x >> 16) / 8192 - 4 + (boost / 16 if v == EOS else 0))
    return out


class Lanes:
    def __init__(self, pairs, vocab, boost):
        self.pairs, self.vocab, self.boost = pairs, vocab, boost

    def logits(self):
        return torch.tensor([scores(a, b, self.vocab, self.boost) for a, b in self.pairs])

    def step(self, tokens):
        self.pairs = [(p[1], t) for p, t in zip(self.pairs, tokens.tolist())]
        return self.logits()

    def reorder(self, rows):
        self.pairs = [self.pairs[r] for r in rows.tolist()]


def prompts(rows: int, start: int) -> list[tuple[int, int]]:
    return [(3 + (start + r) % 7, 4 + (start * 5 + r) % 9) for r in range(rows)]


def trim(ids: list[int], eos=(EOS,)) -> list[int]:
    """Without padding: up to and with EOS."""
    end = next((i for i, t in enumerate(ids) if t in eos), len(ids))
    return ids[:end + 1]


def by_oracle() -> list[dict]:
    out, start = [], 0
    for vocab, beams, min_new, penalty, boost in itertools.product((17, 120), (1, 3, 5), (0, 5), (0.4, 1.0, 1.4), (0, 24)):
        if beams == 1 and penalty != 1.0:
            continue
        rows, max_new = (1 if start % 3 == 0 else 4), (6 if start % 5 == 0 else 12)
        first = prompts(rows, start)
        lanes = Lanes([p for p in first for _ in range(beams)], vocab, boost)
        c = SimpleNamespace(eos_token_id=EOS, pad_token_id=PAD)
        got = search(lanes.logits(), lanes.step, lanes, c, max_new, min_new, beams, penalty)
        out.append({'vocab': vocab, 'beams': beams, 'min_new': min_new, 'max_new': max_new, 'length_penalty': penalty,
                    'boost': boost, 'prompt': first, 'tokens': [trim(r) for r in got.tolist()], 'width': got.shape[1]})
        start += 1
    return out


def by_transformers() -> list[dict]:
    from transformers import GenerationConfig, PretrainedConfig, PreTrainedModel
    from transformers.modeling_outputs import CausalLMOutput

    class Toy(PreTrainedModel):
        config_class = PretrainedConfig

        def __init__(self, vocab, boost):
            super().__init__(PretrainedConfig(vocab_size=vocab, is_encoder_decoder=False))
            self.vocab, self.boost, self.weight = vocab, boost, torch.nn.Parameter(torch.zeros(1))

        def can_generate(self):
            return True

        def prepare_inputs_for_generation(self, input_ids, **_):
            return {'input_ids': input_ids}

        def forward(self, input_ids, **_):
            rows = [scores(*r[-2:], self.vocab, self.boost) for r in input_ids.tolist()]
            return CausalLMOutput(logits=torch.tensor(rows)[:, None])

    out, start = [], 0
    for beams, repetition, ngram, min_new, boost in itertools.product((1, 3, 5), (1.0, 1.3, 0.8), (0, 1, 2, 3), (0, 4), (0, 20)):
        eos = [EOS, 5, 7] if repetition == 1.0 and ngram == 0 else [EOS]
        if ngram == 1 and repetition != 1.0:
            continue
        vocab, penalty, first = 40, (1.0 if start % 2 else 0.6), prompts(2, start)
        start += 1
        got = Toy(vocab, boost).generate(torch.tensor(first), GenerationConfig(
            num_beams=beams, max_new_tokens=12, min_new_tokens=min_new, length_penalty=penalty, do_sample=False,
            repetition_penalty=repetition, no_repeat_ngram_size=ngram, eos_token_id=eos, pad_token_id=PAD))
        out.append({'vocab': vocab, 'beams': beams, 'min_new': min_new, 'max_new': 12, 'length_penalty': penalty,
                    'repetition_penalty': repetition, 'no_repeat_ngram': ngram, 'eos': eos, 'boost': boost, 'prompt': first,
                    'tokens': [trim(r[2:], eos) for r in got.tolist()]})
    return out


def save(name: str, cases: list[dict]) -> None:
    lines = ',\n '.join(json.dumps(c, separators=(',', ':')) for c in cases)
    (root / 'tests/golden/decode' / name).write_text(f'[\n {lines}\n]\n')
    ends = sum(r[-1] == EOS for c in cases for r in c['tokens'])
    print(name, len(cases), 'cases,', ends, 'of', sum(len(c['tokens']) for c in cases), 'rows end')


save('search.json', by_oracle())
try:
    import transformers
except ImportError:
    transformers = None
if transformers:
    save('rules.json', by_transformers())
