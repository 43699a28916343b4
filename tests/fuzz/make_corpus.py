"""Makes the small seeds of tests/fuzz/corpus/{record,table,text,tokenizer}; run once by hand, the results are committed."""
import io
import struct
import tarfile
from pathlib import Path

here = Path(__file__).resolve().parent / 'corpus'
png = (here.parent.parent / 'golden/images/gray1.png').read_bytes()


def shard(name, members, fmt):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=fmt, bufsize=512) as t:
        for path, data, kind in members:
            m = tarfile.TarInfo(path)
            m.type, m.size, m.linkname = kind, len(data), 'target' if kind in (b'1', b'2') else ''
            t.addfile(m, io.BytesIO(data))
    data = out.getvalue().rstrip(b'\0')
    (here / 'record').mkdir(parents=True, exist_ok=True)
    (here / 'record' / name).write_bytes(data + bytes(-len(data) % 512 + 512))  # most of the zero padding is of no use


R = tarfile.REGTYPE
shard('ustar.tar', [('1.png', png, R), ('1.txt', b'a cat\nthe cat', R), ('1.json', b'{"concept":"c","captions":[{"lang":"en","text":"x"}]}', R)],
      tarfile.USTAR_FORMAT)
shard('gnu.tar', [('d/' * 60 + 'long.png', png, R), ('2.jpg', png, R), ('l.png', b'', b'2'), ('h.png', b'', b'1'), ('dir', b'', b'5')],
      tarfile.GNU_FORMAT)
shard('pax.tar', [('caf\u00e9' * 30 + '.png', png, R), ('3.json', b'{"caption":"y","image_id":3}', R), ('3.png', png, R)], tarfile.PAX_FORMAT)
shard('hostile.tar', [('../x.png', png, R), ('/y.png', png, R), ('z.json', b'{', R), ('z.png', png, R), ('w.webp', b'RIFF', R)], tarfile.GNU_FORMAT)
for d, name, data in [('table', 'a.csv', b'\xef\xbb\xbfpath,caption,lang\r\na.png,"x, ""y""\nz",en\r\n\r\nb.png,,\n'),
                      ('table', 'b.tsv', b'a.png\tcaption one\ten\tgroup\nb.png\t"q"\n#'),
                      ('table', 'c.csv', b'image,caption\na.jpg#0,"never closed'),
                      ('text', 'a.txt', 'A Cat! \u039f\u0394\u039f\u03a3 \u0130 \U0001f600 <s></s><unk>  x\n'.encode()),
                      ('text', 'b.txt', b'\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80 ok')]:
    (here / d).mkdir(parents=True, exist_ok=True)
    (here / d / name).write_bytes(data)


def varint(n):
    return bytes([n & 127 | 128]) + varint(n >> 7) if n > 127 else bytes([n])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data if isinstance(data, bytes) else varint(number << 3) + varint(data)


def piece(text, score, kind=1):
    return field(1, field(1, text.encode()) + varint(2 << 3 | 5) + struct.pack('<f', score) + (field(3, kind) if kind > 1 else b''))


def vocabulary(name, model_type, more=b''):
    """A sentencepiece model of 12 pieces; model_type 1: unigram, 2: BPE, 3: words, 4: characters."""
    p = piece('<unk>', 0, 2) + piece('<s>', 0, 3) + piece('</s>', 0, 3)
    p += b''.join(piece(t, -float(i)) for i, t in enumerate(['\u2581', 'a', 'c', 't', '\u2581a', 'at', '\u2581c', '1', '\u2581d']))
    p += field(2, field(3, model_type) + more) + field(3, field(1, b'identity') + field(3, 1) + field(4, 0) + field(5, 1))
    (here / 'tokenizer').mkdir(parents=True, exist_ok=True)
    (here / 'tokenizer' / name).write_bytes(p)


for i, name in enumerate(['unigram', 'bpe_tiny', 'word', 'char']):
    vocabulary(name, i + 1)
vocabulary('bytes', 2, field(35, 1))  # promises byte pieces that are not there
model = (here.parent.parent / 'golden/odd/tokenizer.model').read_bytes()
(here / 'tokenizer/bpe').write_bytes(model)
(here / 'tokenizer/cut').write_bytes(model[:300])
