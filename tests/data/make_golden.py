"""Makes tests/golden/images and tests/golden/resize with Pillow; run once by hand, the results are committed.

images/NAME.{jpg,png,webp} with NAME.EXT.rgb, the pixels Pillow decodes (alpha over white); resize/cases.txt lists
"source box mirror fit width height" with NAME.rgb as Pillow makes it.  All raw RGB, sizes in the lists."""
import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

GOLDEN = Path(__file__).resolve().parent.parent / 'golden'
rng = np.random.default_rng(7)


def picture(w, h, c=3):
    """Smooth waves, an edge and some noise: all that a resize can get wrong."""
    y, x = np.mgrid[0:h, 0:w].astype(float)
    a = np.stack([127 + 100 * np.sin(x / (3 + i) + i) * np.cos(y / (4 + i)) for i in range(c)], -1)
    a[:, w // 2:] = 255 - a[:, w // 2:]
    return np.clip(a + rng.normal(0, 12, a.shape), 0, 255).astype(np.uint8)


def png(w, h, depth, color, rows, extra=b'', interlace=0):
    """A PNG with any depth and colour type; rows are packed bytes."""
    def chunk(t, d):
        return struct.pack('>I', len(d)) + t + d + struct.pack('>I', zlib.crc32(t + d))
    raw = b''.join(b'\0' + r for r in rows)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, depth, color, 0, 0, interlace))
            + extra + chunk(b'IDAT', zlib.compress(raw, 9)) + chunk(b'IEND', b''))


def chunk(t, d):
    return struct.pack('>I', len(d)) + t + d + struct.pack('>I', zlib.crc32(t + d))


def packed(values, depth):
    """Rows of `depth`-bit samples."""
    out = []
    for row in values:
        bits = ''.join(format(int(v), f'0{depth}b') for v in row.reshape(-1))
        bits += '0' * (-len(bits) % 8)
        out.append(int(bits, 2).to_bytes(len(bits) // 8, 'big'))
    return out


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def make_pngs():
    w, h, out = 19, 13, {}
    rgb, rgba, gray = picture(w, h), picture(w, h, 4), picture(w, h, 1)
    la = np.concatenate([gray, picture(w, h, 1)], -1)
    out['rgb8'] = (png(w, h, 8, 2, packed(rgb, 8)), rgb, None)
    out['rgba8'] = (png(w, h, 8, 6, packed(rgba, 8)), rgba[..., :3], rgba[..., 3])
    out['gray8'] = (png(w, h, 8, 0, packed(gray, 8)), gray.repeat(3, -1), None)
    out['graya8'] = (png(w, h, 8, 4, packed(la, 8)), la[..., :1].repeat(3, -1), la[..., 1])
    for d in 1, 2, 4:
        g = gray >> (8 - d)
        out[f'gray{d}'] = (png(w, h, d, 0, packed(g, d)), (g.astype(int) * 255 // (2 ** d - 1)).repeat(3, -1), None)
    for d in 1, 2, 4, 8:
        n = 2 ** d
        pal = picture(n, 1)[0]
        idx = rng.integers(0, n, (h, w, 1))
        trns = rng.integers(0, 256, n // 2).astype(np.uint8)
        alpha = np.concatenate([trns, np.full(n - len(trns), 255, np.uint8)])
        extra = chunk(b'PLTE', pal.tobytes()) + chunk(b'tRNS', trns.tobytes())
        out[f'palette{d}'] = (png(w, h, d, 3, packed(idx, d), extra), pal[idx[..., 0]], alpha[idx[..., 0]])
    wide = (rgba.astype(int) << 8) | rng.integers(0, 256, rgba.shape)
    out['rgba16'] = (png(w, h, 16, 6, packed(wide, 16)), rgba[..., :3], rgba[..., 3])
    out['rgb16'] = (png(w, h, 16, 2, packed(wide[..., :3], 16)), rgba[..., :3], None)
    out['gray16'] = (png(w, h, 16, 0, packed(wide[..., :1], 16)), rgba[..., :1].repeat(3, -1), None)
    key = rgb[3, 4]
    a = np.where((rgb == key).all(-1), 0, 255)
    out['rgbkey'] = (png(w, h, 8, 2, packed(rgb, 8), chunk(b'tRNS', struct.pack('>HHH', *map(int, key)))), rgb, a)
    passes = b''
    for x, y, dx, dy in ADAM7:
        part = rgba[y::dy, x::dx]
        if part.size:
            passes += b''.join(b'\0' + r for r in packed(part, 8))
    body = png(w, h, 8, 6, [], b'', 1)
    idat = chunk(b'IDAT', zlib.compress(passes, 9))
    body = body[:33] + idat + chunk(b'IEND', b'')
    out['interlaced'] = (body, rgba[..., :3], rgba[..., 3])
    return out


def make_images():
    d = GOLDEN / 'images'
    d.mkdir(parents=True, exist_ok=True)
    for name, (data, rgb, alpha) in make_pngs().items():
        (d / f'{name}.png').write_bytes(data)
        seen = Image.open(io.BytesIO(data))
        if seen.mode in ('RGB', 'L', 'P', 'RGBA') and alpha is None:
            assert (np.asarray(seen.convert('RGB')) == rgb).all(), name  # Pillow agrees with what was packed
        elif seen.mode == 'RGBA' or 'transparency' in seen.info:
            assert (np.asarray(seen.convert('RGBA'))[..., 3] == alpha).all(), name
        a = 255.0 if alpha is None else alpha[..., None].astype(float)
        flat = np.floor((rgb * a + 255 * (255 - a)) / 255 + 0.5).astype(np.uint8)
        (d / f'{name}.png.rgb').write_bytes(flat.tobytes())
    p = picture(37, 26)
    ycc = Image.fromarray(p)
    cmyk = Image.fromarray(picture(37, 26, 4), 'CMYK')
    jobs = {'rgb444': (ycc, dict(subsampling=0)), 'rgb422': (ycc, dict(subsampling=1)), 'rgb420': (ycc, dict(subsampling=2)),
            'gray': (ycc.convert('L'), {}), 'progressive': (ycc, dict(progressive=True)), 'cmyk': (cmyk, {}),
            'keeprgb': (ycc, dict(keep_rgb=True)), 'large': (Image.fromarray(picture(200, 120)), {})}
    for name, (im, kw) in jobs.items():
        im.save(d / f'{name}.jpg', quality=85, optimize=True, **kw)
        seen = Image.open(d / f'{name}.jpg').convert('RGB')
        if name != 'large':
            (d / f'{name}.jpg.rgb').write_bytes(np.asarray(seen).tobytes())
    # YCCK: the CMYK file's samples declared as YCCK (Adobe transform 2)
    data = bytearray((d / 'cmyk.jpg').read_bytes())
    at = data.index(b'Adobe')
    data[at + 11] = 2
    (d / 'ycck.jpg').write_bytes(data)
    (d / 'ycck.jpg.rgb').write_bytes(np.asarray(Image.open(d / 'ycck.jpg').convert('RGB')).tobytes())


def make_webps():
    d = GOLDEN / 'images'
    p = picture(37, 26)
    rgb = Image.fromarray(p)
    rgba = picture(37, 26, 4)
    rgba[:4, :, 3], rgba[4:8, :, 3] = 0, 255
    forms = {'lossy': (rgb, dict(quality=80)), 'lossless': (rgb, dict(lossless=True)),
             'alpha': (Image.fromarray(rgba), dict(lossless=True, exact=True)),
             'lossyalpha': (Image.fromarray(rgba), dict(quality=80))}
    for name, (im, kw) in forms.items():
        im.save(d / f'{name}.webp', **kw)
        seen = np.asarray(Image.open(d / f'{name}.webp').convert('RGBA')).astype(float)
        a = seen[..., 3:]
        flat = np.floor((seen[..., :3] * a + 255 * (255 - a)) / 255 + 0.5).astype(np.uint8)
        (d / f'{name}.webp.rgb').write_bytes(flat.tobytes())
    rgb.save(d / 'animated.webp', save_all=True, append_images=[Image.fromarray(255 - p)], duration=50)


def center_crop(im, s):
    """torchvision's Resize(s) + CenterCrop(s) on a Pillow image."""
    w, h = im.size
    im = im.resize((s, int(s * h / w)) if w <= h else (int(s * w / h), s), Image.BICUBIC)
    w, h = im.size
    x, y = int(round((w - s) / 2)), int(round((h - s) / 2))
    return im.crop((x, y, x + s, y + s))


def make_resizes():
    d = GOLDEN / 'resize'
    d.mkdir(parents=True, exist_ok=True)
    lines = []
    src = {n: picture(*s) for n, s in {'a': (37, 53), 'b': (64, 20), 'c': (5, 4)}.items()}
    for n, p in src.items():
        (d / f'{n}.src').write_bytes(p.tobytes())
    cases = [('a', None, 14, 14), ('a', None, 28, 28), ('a', (3.5, 2.25, 30.75, 51), 14, 21), ('a', (0, 0, 37, 53), 37, 53),
             ('a', (10, 10, 20, 20), 33, 5), ('b', None, 7, 14), ('b', None, 91, 41), ('b', (0, 0, 1, 20), 8, 8),
             ('c', None, 1, 1), ('c', None, 40, 3), ('b', None, 1, 20), ('b', None, 64, 3),
             ('a', None, 35, 30), ('a', (2, 3.5, 30, 44.25), 36, 9), ('b', (1, 1, 63, 19), 70, 11)]
    for i, (n, box, w, h) in enumerate(cases):
        im = Image.fromarray(src[n])
        b = box or (0, 0, *im.size)
        lines.append(f'box {n} {im.width} {im.height} {b[0]} {b[1]} {b[2]} {b[3]} {w} {h} {i}.rgb')
        (d / f'{i}.rgb').write_bytes(np.asarray(im.resize((w, h), Image.BICUBIC, box=box)).tobytes())
    for i, (n, s) in enumerate([('a', 14), ('b', 15), ('b', 28), ('c', 7)], len(cases)):
        im = Image.fromarray(src[n])
        lines.append(f'center {n} {im.width} {im.height} 0 0 {im.width} {im.height} {s} {s} {i}.rgb')
        (d / f'{i}.rgb').write_bytes(np.asarray(center_crop(im, s)).tobytes())
    (d / 'cases.txt').write_text('\n'.join(lines) + '\n')


make_images()
make_resizes()
make_webps()  # last: the numbers drawn before stay what they were
