#!/bin/bash
# A training run that is killed (-9) at a random moment and resumed ends with the very bytes of one that was not.
#
#   tests/kill.sh BUILDDIR DATA [KILLS [STAGE]]   DATA: quickstart.out/data, as ./quickstart leaves it
#
# 40 steps of a stage, a checkpoint every 5, on the default device: 1 (the default) at two resolutions, 2, 3, retrieval
# (with drop path, rates by layer, hard negatives) or lora (retrieval by adapters). Exit status 1 if any end differs.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:?usage: kill.sh BUILDDIR DATA [KILLS [STAGE]]}" && pwd)
data=$(cd "${2:?usage: kill.sh BUILDDIR DATA [KILLS [STAGE]]}" && pwd)
kills=${3:-20} stage=${4:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# RECIPE and its settings
run() {
    recipe=$1
    shift
    exec "$build/ivl" train "$here/conf/$recipe.yaml" --set data="$data/emoji/train-000.tar" --set workers=2 \
        --set tokenizer="$data/tokenizer.model" --set checkpoint_every=5 "$@" >"$work/log" 2>&1
}
odd=$here/tests/golden/odd
chat() {
    run quickstart_stage3 --set init="$odd/chat_d" --set tokenizer="$odd/tokenizer.model" --set template=vicuna \
        --set data="$data/scenes/words_train.json" --set text_len=500 --set micro_batch=4 "$@"
}
one() { run quickstart_stage1 --set model="$here/conf/emoji.json" --set low_steps=30 --set batch=32 "$@"; }
two() { run stage2_emoji --set init="$work/one/model" --set batch=8 "$@"; }
three() { run retrieval_emoji --set init="$work/two/model" --set batch=8 --set image_size=98 "$@"; }

train() {
    case $stage in
    1) one --set steps=40 "$@" ;;
    2) two --set steps=40 "$@" ;;
    3) chat --set steps=40 "$@" ;;
    retrieval) three --set steps=40 --set negatives=hard "$@" ;;
    lora) three --set steps=40 --set lora_rank=4 "$@" ;;
    *) echo "stage $stage: 1, 2, 3, retrieval or lora" >&2; exit 2 ;;
    esac
}
before() { (one --set steps=5 --set low_steps=0 --out "$work/one") && (two --set steps=5 --out "$work/two"); }
weights() { sha256sum <"$1/model/model.safetensors"; }

[ "$stage" = 1 ] || [ "$stage" = 3 ] || before || { cat "$work/log"; exit 1; }
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
echo "stage $stage: $n kills of a run of $ms ms, $((n - bad)) identical ends"
[ "$bad" = 0 ]
