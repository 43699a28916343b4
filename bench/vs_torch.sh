#!/bin/bash
# bench/vs_torch.sh BUILD [PAIRS] [PRESET] [BATCH]: the stage-1 training step of this library and of the PyTorch oracle
# in turn (A B A B ...), the same number of threads, and the ratio of the pairs: above 1 means faster than PyTorch.
# PyTorch comes from `make peers` ($IVL_PEERS/bin/python).
set -e
build=$1 pairs=${2:-5} preset=${3:-small} batch=${4:-8}
here=$(cd "$(dirname "$0")/.." && pwd)
python=${IVL_PEERS:-$HOME/.cache/ivl/peers}/bin/python
[ -x "$python" ] || { echo "no PyTorch: run make peers first" >&2; exit 77; }
for i in $(seq "$pairs"); do
    "$build/bench/step" --preset "$preset" --batch "$batch" --steps 5 2>/dev/null
    (cd "$here/tests/oracle" && "$python" bench_torch.py --preset "$preset" --batch "$batch" --task stage1 --threads "$(nproc)" --steps 5)
done | "$python" -c '
import json, statistics, sys
rows = [json.loads(l) for l in sys.stdin]
ours, torch = ([r["tasks"]["stage1"]["seconds"] for r in rows[i::2]] for i in (0, 1))
ratio = sorted(t / o for o, t in zip(ours, torch))
memory = [max(r["peak_rss_bytes"] for r in rows[i::2]) / 2**20 for i in (0, 1)]
print(rows[0]["device"])
print(f"ivl {statistics.median(ours) * 1e3:.1f} ms, PyTorch {statistics.median(torch) * 1e3:.1f} ms a step (medians of {len(ours)})")
print(f"speed ratio: median {statistics.median(ratio):.2f}, {ratio[0]:.2f} to {ratio[-1]:.2f}; peak memory {memory[0]:.0f} against {memory[1]:.0f} MiB")'
