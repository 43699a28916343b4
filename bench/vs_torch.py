"""The pairs of bench/vs_torch.sh."""
from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ORACLE = Path(__file__).resolve().parent.parent / 'tests' / 'oracle'


def run(command: list[str], where: Path | None = None) -> dict:
    done = subprocess.run(command, cwd=where, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f'{command[0]} ended with {done.returncode}')
    return json.loads(done.stdout.splitlines()[-1])


def spread(values: list[float]) -> str:
    return f'{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})'


def main() -> None:
    ap = argparse.ArgumentParser(prog='vs_torch.sh')
    ap.add_argument('build')
    ap.add_argument('--task', default='stage1')
    ap.add_argument('--pairs', type=int, default=7)
    ap.add_argument('--preset', default='small')
    ap.add_argument('--layers', type=int, default=0)
    ap.add_argument('--compile', action='store_true')
    ap.add_argument('--device', default='')
    for key, default in (('steps', 5), ('batch', 8), ('text-len', 80), ('new-tokens', 30)):
        ap.add_argument(f'--{key}', type=int, default=default)
    a = ap.parse_args()
    common = ['--preset', a.preset, '--batch', str(a.batch), '--text-len', str(a.text_len), '--new-tokens', str(a.new_tokens),
              '--steps', str(a.steps)]
    ivl = [str(Path(a.build).resolve() / 'bench' / 'task'), *common] + (['--device', a.device] if a.device else [])
    torch = [sys.executable, 'bench_torch.py', *common, '--threads', str(os.cpu_count())]
    if a.layers:
        ivl += ['--layers', str(a.layers)]
        torch += ['--vit-layers', str(a.layers), '--qllama-layers', str(a.layers)]
    if a.compile:
        torch.append('--compile')
    for task in a.task.split(','):
        ours, theirs = [], []
        for _ in range(a.pairs):
            ours.append(run([*ivl, '--task', task]))
            theirs.append(run([*torch, '--task', task], ORACLE))
        seconds = [[r['tasks'][task]['seconds'] for r in rows] for rows in (ours, theirs)]
        memory = [max(r['peak_rss_bytes'] for r in rows) / 2**20 for rows in (ours, theirs)]
        ratio = [t / o for o, t in zip(*seconds)]
        print(f'{task}, {a.preset}, batch {a.batch}, {a.pairs} pairs on {ours[0]["device"]}')
        print(f'  ivl {statistics.median(seconds[0]) * 1e3:.1f} ms, {theirs[0]["engine"]}{" compiled" if a.compile else ""} '
              f'{statistics.median(seconds[1]) * 1e3:.1f} ms (medians); speed ratio {spread(ratio)}; '
              f'peak memory {memory[0]:.0f} against {memory[1]:.0f} MiB', flush=True)


if __name__ == '__main__':
    main()
