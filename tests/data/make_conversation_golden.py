"""Makes tests/golden/conversation/sft.json: ids and labels by the oracle of conversations that go wrong easily.
usage: make_conversation_golden.py SRCDIR (needs torch, safetensors, sentencepiece)"""
import json
import sys
from pathlib import Path

root = Path(sys.argv[1])
sys.path.insert(0, str(root / 'tests/oracle'))
from oracle_io import Tokenizer, image_prompt_ids, sft_example, vicuna_prompt  # noqa: E402

TURNS = [
    [('<image>\nWhat is this?', 'A cat.')],
    [('no picture', 'none')],
    [('<image>\nempty', '')],
    [('<image>\nfirst', ''), ('second', 'answer')],
    [('<image>\nAre there ASSISTANT: words?', 'Yes. ASSISTANT: no.')],
    [('one', 'two'), ('three ASSISTANT: four', 'five')],
    [('one </s> two', 'three')],
    [('<image><image>\nWhich differs?', 'The second.'), ('<image>\nand now?', 'None.')],
    [('<image>', '<image>')],
    [(' leading', ' leading too '), ('trailing ', 'trailing '), ('\n', '\n')],
    [('\u4e00\u53ea\u732b', '\u732b \U0001f600'), ('caf\u00e9?', 'na\u00efve'), ('a', 'b'), ('c', 'd')],
    [('<s>', '<unk>'), ('x', 'y')],
]
PROMPTS = [[('<image>\nWhat?', None)], [('a', 'b'), ('<image> c', None)], [('', None)], [('<image>', '<image>'), ('<image>x<image>', None)]]
out = {'sft': [], 'prompt': []}
for legacy in (True, False):
    tok = Tokenizer(root / 'tests/golden/odd/tokenizer.model', legacy=legacy)
    for turns in TURNS:
        ids, labels = sft_example(tok, turns)
        out['sft'].append({'legacy': legacy, 'turns': turns, 'ids': ids, 'labels': labels})
    for turns in PROMPTS:
        text = vicuna_prompt(turns)
        out['prompt'].append({'legacy': legacy, 'turns': turns, 'text': text, 'ids': image_prompt_ids(tok, text)})
lines = [f' "{k}": [\n  ' + ',\n  '.join(json.dumps(e) for e in v) + '\n ]' for k, v in out.items()]
(root / 'tests/golden/conversation/sft.json').write_text('{\n' + ',\n'.join(lines) + '\n}\n')
