#!/bin/bash
# make peers: a Python environment with PyTorch, which the benchmarks compare with and the oracle (tests/oracle) needs.
# No build and no test needs it. It goes to $IVL_PEERS, by default ~/.cache/ivl/peers, outside any source tree; packages
# come from the index that pip is configured for.
set -e
dir=${IVL_PEERS:-$HOME/.cache/ivl/peers}
command -v python3 >/dev/null || { echo "peers: no python3: apt-get install python3-venv" >&2; exit 1; }
if [ ! -x "$dir/bin/pip" ]; then
    mkdir -p "$(dirname "$dir")"
    python3 -m venv "$dir" || { echo "peers: apt-get install python3-venv" >&2; exit 1; }
fi
have() { "$dir/bin/python" -c 'import torch, numpy, safetensors, sentencepiece, PIL' 2>/dev/null; }
# The CPU build of PyTorch is a tenth of the other one: name the index that has it in $IVL_TORCH_INDEX.
have || [ -z "${IVL_TORCH_INDEX:-}" ] || "$dir/bin/pip" install -q torch --index-url "$IVL_TORCH_INDEX"
have || "$dir/bin/pip" install -q torch numpy safetensors sentencepiece pillow
have || { echo "peers: $dir is not complete: remove it and run make peers again" >&2; exit 1; }
"$dir/bin/python" -c 'import torch; print("PyTorch", torch.__version__)'
echo "$dir"
