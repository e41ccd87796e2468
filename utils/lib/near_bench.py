"""near_bench: what larder-bench asks about liblarder: runs bench-l1, which compares both sides in one process and prints JSON."""
import glob
import json
import lzma
import math
import os
import subprocess

import servers


def run(*argv, stdin=None):
    done = subprocess.run([servers.tool_path('bench-l1'), *map(str, argv)], stdout=subprocess.PIPE, input=stdin)
    if done.returncode != 0:
        raise SystemExit(f'larder-bench: bench-l1 {argv[0]} failed: {done.stdout.decode()}')
    return {name: math.nan if value is None else value for name, value in json.loads(done.stdout).items()}


def traces(folder):
    """Names and files of the traces there are: KEY SIZE lines, packed by xz."""
    return [(os.path.basename(path).split('.')[0], path) for path in sorted(glob.glob(os.path.join(folder, '*.txt.xz')))] if folder else []


def evict(path):
    """[(share in %, hits in % of exact LRU, of the near store)]"""
    with lzma.open(path) as f:
        found = run('evict', '-', stdin=f.read())
    return [(share, found[f'hits % at {share} %, exact LRU'], found[f'hits % at {share} %, near store']) for share in (1, 10, 30)]
