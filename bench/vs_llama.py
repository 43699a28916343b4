"""The pairs of bench/vs_llama.sh; with --llama one of llama.cpp's runs."""
from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path


def run_llama(a: argparse.Namespace) -> None:
    import llama_cpp

    threads = os.cpu_count()
    model = llama_cpp.Llama(a.model, n_ctx=a.prompt + a.tokens, n_batch=a.prompt, n_ubatch=a.prompt, n_threads=threads,
                            n_threads_batch=threads, verbose=False)
    ids = [10 + i * 7919 % (model.n_vocab() - 10) for i in range(a.prompt + a.tokens)]
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(a.steps + 1):
        model.reset()
        start = time.perf_counter()
        model.eval(ids[:a.prompt])
        middle = time.perf_counter()
        for token in ids[a.prompt:]:
            model.eval([token])
        took[0].append(middle - start)
        took[1].append((time.perf_counter() - middle) / a.tokens)
    prompt, token = (statistics.median(t[1:]) for t in took)
    print(json.dumps({'engine': f'llama.cpp (llama-cpp-python {llama_cpp.__version__})', 'prompt_seconds': prompt,
                      'token_seconds': token}))


def run(command: list[str]) -> dict:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if done.returncode:
        sys.exit(f'{command[0]} ended with {done.returncode}')
    return json.loads(done.stdout.splitlines()[-1])


def spread(values: list[float]) -> str:
    return f'{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})'


def main() -> None:
    ap = argparse.ArgumentParser(prog='vs_llama.sh')
    ap.add_argument('build')
    ap.add_argument('model')
    ap.add_argument('--llama', action='store_true', help=argparse.SUPPRESS)
    ap.add_argument('--device', default='')
    for key, default in (('prompt', 512), ('tokens', 128), ('pairs', 7), ('steps', 3)):
        ap.add_argument(f'--{key}', type=int, default=default)
    a = ap.parse_args()
    if a.llama:
        return run_llama(a)
    sizes = ['--prompt', str(a.prompt), '--tokens', str(a.tokens), '--steps', str(a.steps)]
    ivl = [str(Path(a.build).resolve() / 'bench' / 'language'), a.model, *sizes]
    ivl += ['--device', a.device] if a.device else []
    llama = [sys.executable, __file__, a.build, a.model, '--llama', *sizes]
    rows = [(run(ivl), run(llama)) for _ in range(a.pairs)]
    print(f'{Path(a.model).name}, prompt of {a.prompt}, then {a.tokens} tokens; {a.pairs} pairs on {rows[0][0]["device"]}, '
          f'against {rows[0][1]["engine"]}')
    for key, what in (('prompt_seconds', 'prompt'), ('token_seconds', 'token')):
        ours, theirs = ([r[i][key] * 1e3 for r in rows] for i in (0, 1))
        print(f'  {what}: ivl {statistics.median(ours):.2f} ms, llama.cpp {statistics.median(theirs):.2f} ms (medians); '
              f'speed ratio {spread([t / o for o, t in zip(ours, theirs)])}')


if __name__ == '__main__':
    main()
