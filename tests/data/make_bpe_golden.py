"""Makes tests/golden/bpe: a byte-level BPE vocabulary of 400 tokens as tokenizer.json and in GGUF files of three rules,
and texts with their ids; run once by hand with the packages tokenizers and gguf, the results are committed."""
import json
from pathlib import Path

import gguf
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers as pre, trainers

out = Path(__file__).resolve().parent.parent / 'golden/bpe'
out.mkdir(parents=True, exist_ok=True)
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
split = lambda r: pre.Split(Regex(r), 'isolated')
rules = {
    'smollm': pre.Sequence([pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False)]),
    'gpt-2': pre.ByteLevel(add_prefix_space=False),
    'default': pre.Sequence([split(r'[\p{P}\$\+<=>\^~\|]+'), split(GPT2), split(r'\p{N}+'), split('[0-9][0-9][0-9]'),
                             pre.ByteLevel(add_prefix_space=False, use_regex=False)]),
}
corpus = ['The capital of Japan is Tokyo.', "It's what they're saying: we'll see 2024 and 2025, 100 times 100.", 'a photo of a cat',
          'the the the cat sat on the mat', '    def f(x):\n        return x + 1\n', 'Öl, Übermut, caf\u00e9', '日本の首都は東京です。',
          '東京は日本の首都', 'Что это такое?', 'hello\n\n\nworld\t\tagain   and again', '1234567890 3.14159 12345', '...!!! ??? ### ***'] * 20
special = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
lacking = ['\u0104', '\u0106']  # of the bytes 4 and 6
t = Tokenizer(models.BPE())
t.pre_tokenizer, t.decoder = rules['smollm'], decoders.ByteLevel()
t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False,
                                                  initial_alphabet=[c for c in pre.ByteLevel.alphabet() if c not in lacking]))
t.save(str(out / 'tokenizer.json'), pretty=False)
template = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>'}}{% endfor %}"
(out / 'tokenizer_config.json').write_text(json.dumps({'add_bos_token': False, 'bos_token': '<|im_start|>', 'eos_token': '<|im_end|>',
    'unk_token': {'content': '<|endoftext|>'}, 'pad_token': '<|im_end|>', 'chat_template': template}, indent=1) + '\n')
model = json.loads(t.to_str())['model']
merges = [m if isinstance(m, str) else ' '.join(m) for m in model['merges']]
tokens = sorted(model['vocab'], key=model['vocab'].get)
texts = ['', ' ', '  ', 'a', ' a', '  a', 'The capital of Japan is Tokyo.', "it's they're we'll I'd I'm IT'S '' 's ' s", 'a  1  b', '\n\n\nx',
         'x\n\n\n', '\t\tx', ' \n x \n ', '12345678 1 23 456', '1234 abc5678', '3.14, 2,718', '\u00b2\u00bd\u0663\u0967\u2167 \u4e09', 'caf\u00e9 \u00d6l \u00dcber',
         '日本の首都は東京です。', '\u3000東京\u3000', '\u00a0\u00a0x', 'x\u2028y\u2003z', 'Что это?', '\U0001f600\U0001f44b\U0001f3fd', '<|im_start|>user\nhi<|im_end|>\n',
         '<|im_start|><|im_start|>', '<|im_start', 'a<|endoftext|>b', '<|im_end|> x', 'the\x04\x06cat', 'e\u0301', '...!!!', '$5+3=8 ~x^2|y', 'a_b-c/d\\e',
         'def f(x):\n    return x + 1\n', 'x' * 70, 'the ' * 30, 'ab' * 40, '\x00'[:0] + '\x7f\x1f', '\u200d\ufeffx', 'Ａ１ｂ', '\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 123']
golden = [{'text': x} for x in texts]
for name, rule in rules.items():
    t.pre_tokenizer = rule
    for g in golden:
        g[name] = t.encode(g['text']).ids
    w = gguf.GGUFWriter(out / f'{name}.gguf', 'llama')
    w.add_tokenizer_model('gpt2'), w.add_tokenizer_pre(name), w.add_token_list(tokens), w.add_token_merges(merges)
    w.add_token_types([3 if x in special else 1 for x in tokens])
    w.add_bos_token_id(1), w.add_eos_token_id(2), w.add_unk_token_id(0), w.add_pad_token_id(2), w.add_add_bos_token(False)
    w.add_chat_template(template)
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()
for g in golden:
    g['decoded'] = t.decode(g['smollm'], skip_special_tokens=True)
(out / 'golden.json').write_text(json.dumps(golden, ensure_ascii=True, indent=0) .replace('\n]', ']').replace('[\n', '[').replace(',\n', ',').replace('},{', '},\n{') + '\n')
