#!/bin/bash
# bench/vs_torch.sh BUILD [OPTION...]: tasks of this library and of the PyTorch oracle in turn (A B A B ...), each in a
# process of its own with the same number of threads, and the ratios of the pairs: above 1 means faster than PyTorch.
# PyTorch comes from `make peers` ($IVL_PEERS/bin/python).
#   --task NAME,...  image_c, image_g, text, stage1 (default), stage2, caption    --pairs N (7)  --steps N (5, in each)
#   --preset P (small)  --batch N (8)  --text-len N (80)  --new-tokens N (30)     --layers N  keep N layers of each tower
#   --compile        torch.compile instead of eager
set -e
here=$(cd "$(dirname "$0")" && pwd)
python=${IVL_PEERS:-$HOME/.cache/ivl/peers}/bin/python
[ -x "$python" ] || { echo "no PyTorch: run make peers first" >&2; exit 77; }
exec "$python" "$here/vs_torch.py" "$@"
