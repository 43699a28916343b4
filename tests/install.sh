#!/bin/bash
# An installed libivl is enough: `make install DESTDIR=...`, then both examples build with pkg-config alone, an op of
# one's own runs on host and OpenCL, and examples/embed prints the same numbers as the rows of `ivl embed`.
# Environment, from automake: srcdir, MAKE, CC, libdir, bindir, mandir, IVL_SANITIZE (flags of a sanitizer build).
set -euo pipefail
command -v pkg-config >/dev/null || { echo "no pkg-config"; exit 77; }
src=$(cd "$srcdir" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dest=$work/dest
"${MAKE:-make}" -s install DESTDIR="$dest" >"$work/install.log" 2>&1 || { cat "$work/install.log"; exit 1; }

# one shared library with its soname, no static one, headers, pkg-config, command
[ -L "$dest$libdir/libivl.so" ] || { echo "no libivl.so"; exit 1; }
[ ! -e "$dest$libdir/libivl.a" ] || { echo "a static library was installed"; exit 1; }
for h in ivl.h ops.h backend.h ops.def version.h; do [ -f "$dest$includedir/ivl/$h" ] || { echo "no $h"; exit 1; }; done
export PKG_CONFIG_PATH=$dest$libdir/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dest LD_LIBRARY_PATH=$dest$libdir
ivl=$dest$bindir/ivl
"$ivl" --version
[ "$("$ivl" --version | sed 's/.* //')" = "$(pkg-config --modversion ivl)" ]

for e in embed own_op; do
    # shellcheck disable=SC2046,SC2086
    ${CC:-cc} ${IVL_SANITIZE:-} -Wall -Wextra "$src/examples/$e.c" $(pkg-config --cflags --libs ivl) -lm -o "$work/$e"
done

devices=host
"$ivl" devices 2>/dev/null | grep -q '^opencl' && devices="host opencl"
for d in $devices; do "$work/own_op" "$d"; done

# rows of F.npy as text, one value a line
rows() { od -An -v -tf4 -w4 -j$((10 + $(od -An -tu2 -j8 -N2 "$1"))) "$1"; }

# a model of its own: one step of the size tiny on the golden pictures
golden=$src/tests/golden
picture=$golden/images/rgb8.png
{
    echo path,caption
    for p in rgb8 rgba8 gray8 palette8; do echo "$golden/images/$p.png,a picture called $p"; done
} >"$work/list.csv"
cat >"$work/recipe.yaml" <<END
model: tiny
data: $work/list.csv
tokenizer: $golden/odd/tokenizer.model
steps: 1
warmup: 0
batch: 4
text_len: 32
image_size: 28
low_steps: 0
END
"$ivl" train "$work/recipe.yaml" --device host --out "$work/run" >"$work/train.log" 2>&1 || { cat "$work/train.log"; exit 1; }
model=$work/run/model

printf '%s\n' 'a photo of a cat' 'zwei rote Autos' >"$work/texts"
for d in $devices; do
    "$ivl" embed --model "$model" --device "$d" --images "$picture" --out "$work/p.npy" >/dev/null
    "$ivl" embed --model "$model" --device "$d" --texts "$work/texts" --out "$work/t.npy" >/dev/null
    IVL_DEVICE=$d "$work/embed" "$model" "$picture" 'a photo of a cat' 'zwei rote Autos' | tee "$work/printed"
    rows "$work/p.npy" >"$work/p"
    rows "$work/t.npy" >"$work/t"
    awk -v printed="$work/printed" '
        NR == FNR { p[n++] = $1; next }
        { sum[int((FNR - 1) / n)] += p[(FNR - 1) % n] * $1 }
        END {
            while ((getline line < printed) > 0) { split(line, w); d = w[1] - sum[k++]; if (d < 0) d = -d; if (d > 2e-5) bad = 1 }
            if (k != 2) bad = 1
            exit bad
        }' "$work/p" "$work/t" || { echo "$d: the example and ivl embed differ"; exit 1; }
done
