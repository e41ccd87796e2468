"""feed_bench: what larder-bench asks about the feed: the server's CPU per SET with some listeners, in turn, on one server."""
import json
import statistics
import subprocess
import time

import servers


class Listeners:
    """So many of them in a process of their own. `with Listeners(server, 100, '--hashed') as l`: they listen; then l.bytes came."""

    def __init__(self, server, n, *argv):
        self.argv = [servers.tool_path('bench-listen'), str(server.port), '--listeners', str(n), *argv]

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b'listening\n':
            raise SystemExit('larder-bench: bench-listen failed')
        return self

    def __exit__(self, *_):
        out, _ = self.process.communicate()
        if self.process.returncode == 0:
            self.bytes = json.loads(out)['bytes']


def idle(server):
    """Recording ends some time behind the last listener: see feed-keep."""
    c = server.connect()
    c.call('CONFIG', 'SET', 'feed-keep', '0')
    time.sleep(0.3)
    c.close()


# (name, how many, words of bench-listen). Of a million keys key:000000000000 on, a prefix of the last ones matches a hundredth.
CASES = (('one listener', 1, ('--hashed',)),
         ('100 listeners', 100, ('--hashed',)),
         ('100 with one prefix', 100, ('--hashed', '--prefix', 'key:00000012')),
         ('100 with a prefix each', 100, ('--hashed', '--prefix', 'key:000000%')))


def beside_nobody(server, cost, rounds, progress, cases=CASES):
    """For each case in its order, and nobody before it, in turn: (median of `cost()`, median of its ratio to the one before it)."""
    found = {name: [] for name, _, _ in cases}
    for n in range(rounds):
        for name, listeners, argv in cases:
            progress(f'{name}, round {n + 1} of {rounds}')
            idle(server)
            without = cost()
            with Listeners(server, listeners, *argv):
                during = cost()
            found[name].append((during, during / without))
    return {name: tuple(statistics.median(v) for v in zip(*values)) for name, values in found.items()}
