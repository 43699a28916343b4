#!/bin/bash
# A training run that is killed (-9) at a random moment and resumed ends with the very bytes of one that was not.
#
#   tests/kill.sh BUILDDIR DATA [KILLS]     DATA: train-000.tar and tokenizer.model, as ./quickstart leaves them; 20 kills
#
# 40 steps of stage 1 at two resolutions, a checkpoint every 5, on the default device. Exit status 1 if any end differs.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:?usage: kill.sh BUILDDIR DATA [KILLS]}" && pwd)
data=$(cd "${2:?usage: kill.sh BUILDDIR DATA [KILLS]}" && pwd)
kills=${3:-20}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

train() {
    exec "$build/ivl" train "$here/conf/quickstart.yaml" --set model="$here/conf/emoji.json" --set data="$data/train-000.tar" \
        --set tokenizer="$data/tokenizer.model" --set steps=40 --set low_steps=30 --set batch=32 \
        --set checkpoint_every=5 --set workers=2 "$@" >"$work/log" 2>&1
}
weights() { sha256sum <"$1/model/model.safetensors"; }

start=$(date +%s%N)
(train --out "$work/whole") || { cat "$work/log"; exit 1; }
ms=$((($(date +%s%N) - start) / 1000000))
want=$(weights "$work/whole")

RANDOM=7
n=0 bad=0
while [ "$n" -lt "$kills" ]; do
    rm -rf "$work/run"
    (train --out "$work/run" --resume) &
    at=$((RANDOM * ms / 32768))
    sleep "$((at / 1000)).$(printf %03d $((at % 1000)))"
    kill -9 $! 2>/dev/null || true
    wait $! 2>/dev/null && continue # it was done before
    n=$((n + 1))
    (train --out "$work/run" --resume) || { echo "kill $n after $at ms: no resume: $(tail -1 "$work/log")"; bad=$((bad + 1)); continue; }
    [ "$(weights "$work/run")" = "$want" ] || { echo "kill $n after $at ms: another end"; bad=$((bad + 1)); }
done
echo "$n kills of a run of $ms ms, $((n - bad)) identical ends"
[ "$bad" = 0 ]
