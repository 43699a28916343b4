#!/bin/bash
# bench/vs_llama.sh BUILD FILE.gguf [OPTION...]: a language model here and in llama.cpp in turn (A B A B ...), each in a
# process of its own with the same number of threads: taking in a prompt, and a token at a time after it; and the ratios
# of the pairs: above 1 means faster than llama.cpp. llama.cpp comes from `make peers` ($IVL_PEERS/bin/python).
#   --prompt N (512)  --tokens N (128)  --pairs N (7)  --steps N (3, in each)  --device D
set -e
here=$(cd "$(dirname "$0")" && pwd)
python=${IVL_PEERS:-$HOME/.cache/ivl/peers}/bin/python
[ -x "$python" ] && "$python" -c 'import llama_cpp' 2>/dev/null ||
    { echo "no llama.cpp: run make peers, then $python -m pip install llama-cpp-python (it compiles for some minutes)" >&2
      exit 77; }
exec "$python" "$here/vs_llama.py" "$@"
