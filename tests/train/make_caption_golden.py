"""Makes tests/golden/caption/{tokens,scores}.json: pycocoevalcap's tokens, CIDEr, BLEU and ROUGE-L of fixed captions.
usage: make_caption_golden.py SRCDIR [LINES] (needs pycocoevalcap and java; LINES: captions to tokenise instead of those
that tokens.json holds)"""
import contextlib
import io
import json
import random
import sys
from pathlib import Path

import numpy as np
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

folder = Path(sys.argv[1]) / 'tests/golden/caption'
WORDS = ('a an the of on in with and two three cat cats dog street red green small photo sitting standing near water table man '
         'woman playing looking at camera').split()


def tokens() -> None:
    if len(sys.argv) > 2:
        texts = [t for t in Path(sys.argv[2]).read_text(encoding='utf8').split('\n') if t.strip()]
    else:
        texts = [e['text'] for e in json.loads((folder / 'tokens.json').read_text())]
    got = PTBTokenizer().tokenize({i: [{'caption': t}] for i, t in enumerate(texts)})
    lines = ',\n '.join(json.dumps({'text': t, 'tokens': got[i][0]}) for i, t in enumerate(texts))
    (folder / 'tokens.json').write_text(f'[\n {lines}\n]\n')


def plain_cider(refs: dict, res: dict) -> float:
    """CIDEr of 1411.5726: no clipping, no length penalty."""
    def grams(s):
        w = s.split()
        out = {}
        for k in range(1, 5):
            for i in range(len(w) - k + 1):
                out[tuple(w[i:i + k])] = out.get(tuple(w[i:i + k]), 0) + 1
        return out
    df = {}
    for r in refs.values():
        for g in set().union(*(grams(s) for s in r)):
            df[g] = df.get(g, 0) + 1
    weight = lambda s: {g: c * (np.log(len(refs)) - np.log(max(1, df.get(g, 0)))) for g, c in grams(s).items()}
    total = []
    for key, r in refs.items():
        for s in r:
            a, b, score = weight(res[key][0]), weight(s), 0
            for k in range(1, 5):
                x, y = ({g: v for g, v in d.items() if len(g) == k} for d in (a, b))
                norm = np.sqrt(sum(v * v for v in x.values()) * sum(v * v for v in y.values()))
                score += sum(v * y.get(g, 0) for g, v in x.items()) / norm / 4 if norm else 0
            total.append(10 * score / len(r))
    return sum(total) / len(refs)


def corpus(seed: int, cases: int) -> dict:
    rnd = random.Random(seed)
    sentence = lambda: rnd.choices(WORDS, k=rnd.randint(1, 14))
    refs, res = {}, {}
    for i in range(cases):
        refs[i] = [' '.join(sentence()) for _ in range(rnd.randint(1, 5))]
        words = rnd.choice(refs[i]).split()
        for _ in range(rnd.randint(0, 4)):
            words.insert(rnd.randrange(len(words) + 1), rnd.choice(WORDS + ['unheard']))
        if rnd.random() < 0.5:
            words = words[:rnd.randint(0, len(words))] + rnd.choice(refs[i]).split()[-3:] * rnd.randint(0, 2)
        res[i] = [' '.join(words)]
    with contextlib.redirect_stdout(io.StringIO()):
        cider, each = Cider().compute_score(refs, res)
        bleu, _ = Bleu(4).compute_score(refs, res)
        rouge, _ = Rouge().compute_score(refs, res)
    return {'references': list(refs.values()), 'captions': [r[0] for r in res.values()], 'cider': float(cider),
            'cider_plain': float(plain_cider(refs, res)), 'each': [float(e) for e in each], 'bleu': [float(b) for b in bleu],
            'rouge_l': float(rouge)}


def scores() -> None:
    lines = ',\n '.join(json.dumps(corpus(*c)) for c in ((1, 40), (2, 7), (3, 1), (4, 2)))
    (folder / 'scores.json').write_text(f'[\n {lines}\n]\n')


tokens()
scores()
