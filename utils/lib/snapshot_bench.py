"""snapshot_bench: what larder-bench asks about saving and warming, of a cache of short values, half of them noise and half JSON."""
import math
import random
import threading
import time

import cache_bench
import resp

SAVES = ('--save', '')


def fill(server, load, keys):
    load(server, '--fill', '--keys', keys, '--pipeline', 50)
    load(server, '--fill', '--keys', keys // 2, '--pipeline', 50, '--json')


def save(server):
    """Seconds."""
    c = server.connect(600)
    began = time.monotonic()
    if c.call('SAVE').value != b'OK':
        raise SystemExit(f'larder-bench: {server.kind} could not save')
    return time.monotonic() - began


def started(start, kind, *options):
    """A server on a saved file: it, and the seconds from its start until a GET was answered with a value or nil."""
    began = time.monotonic()
    server = start(kind, *options, *SAVES)
    if server.connect().call('GET', 'key:000000000001').kind == '-':
        raise SystemExit(f'larder-bench: {server.kind} does not answer')
    return server, time.monotonic() - began


def lines(c):
    return dict(line.split(':', 1) for line in c.text('INFO', 'persistence').decode().split('\r\n') if ':' in line)


def warmed(server, keys):
    """Waits for the end of a warm-up. Returns its keys a second."""
    c = server.connect()
    while lines(c)['warm_state'] == 'running':
        time.sleep(0.02)
    if c.call('DBSIZE').value != keys:
        raise SystemExit('larder-bench: not all keys were loaded')
    return keys / cache_bench.info(c, 'warm_seconds')[0]


def saves_without_end(server, stop):
    c = server.connect(600)
    while not stop.is_set():
        c.call('BGSAVE')
        time.sleep(0.02)
    while cache_bench.info(c, 'rdb_bgsave_in_progress')[0]:
        time.sleep(0.05)


def latency_while_saving(server, load, keys, requests):
    """us, p99.9 of GETs at 50 connections: (without a save, while one save follows the other)."""
    argv = ('--keys', keys, '--connections', 50, '--requests', requests, '--latency')
    without = load(server, *argv)
    stop = threading.Event()
    t = threading.Thread(target=saves_without_end, args=(server, stop))
    t.start()
    time.sleep(0.1)
    during = load(server, *argv)
    stop.set()
    t.join()
    return without['p99.9'], during['p99.9']


def memory_while_saving(server, load, keys):
    """The highest RSS of a save while every key is overwritten at full speed, over the RSS before."""
    stop = threading.Event()

    def overwrite():
        seed = 2
        while not stop.is_set():
            load(server, '--requests', keys, '--keys', keys, '--gets', 0, '--pipeline', 32, '--seed', seed)
            seed += 1

    t = threading.Thread(target=overwrite)
    t.start()
    time.sleep(2 if keys > 1000000 else 0.5)
    c = server.connect(600)
    before = server.rss()
    with open(f'/proc/{server.pid}/clear_refs', 'w') as f:
        f.write('5')
    c.call('BGSAVE')
    while cache_bench.info(c, 'rdb_bgsave_in_progress')[0]:
        time.sleep(0.02)
    with open(f'/proc/{server.pid}/status') as f:
        peak = next(int(line.split()[1]) * 1024 for line in f if line.startswith('VmHWM'))
    stop.set()
    t.join()
    return peak / before


class Zipf:
    """Ranks below n with the weight 1 / (rank + 1) ** s, by inversion of the continuous envelope and rejection (Hormann, Derflinger)."""

    def __init__(self, n, s=0.99, seed=7):
        self.n, self.s, self.random = n, s, random.Random(seed).random
        self.low, self.high = self.area(0.5), self.area(n + 0.5)

    def area(self, x):
        return (x ** (1 - self.s) - 1) / (1 - self.s)

    def draw(self):
        while True:
            u = self.low + self.random() * (self.high - self.low)
            x = (u * (1 - self.s) + 1) ** (1 / (1 - self.s))
            k = max(1, min(self.n, math.floor(x + 0.5)))
            if u >= self.area(k + 0.5) - k ** -self.s:
                return k - 1


def scattered(rank, n):
    """Popular keys lie anywhere."""
    return rank * 2654435761 % n


def reads(zipf, count):
    return [resp.encode(('GET', f'key:{scattered(zipf.draw(), zipf.n):012d}')) for _ in range(count)]


def use(server, keys, requests):
    """Gives keys a history."""
    c, zipf = server.connect(120), Zipf(keys)
    for _ in range(0, requests, 1000):
        c.send_raw(b''.join(reads(zipf, 1000)))
        for _ in range(1000):
            c.read()


def hits_while_warming(server, keys):
    """Of Zipf reads from the start on: the hit ratio while at most a tenth of the file was loaded, over that at the end."""
    c, zipf, early, seen = server.connect(120), Zipf(keys, seed=8), 0, 0
    batches = [b''.join(reads(zipf, 100)) for _ in range(400)]
    for n in range(100000):
        c.send_raw(batches[n % len(batches)])
        early += sum(c.read().value is not None for _ in range(100))
        seen += 100
        now = lines(c)
        if now['warm_state'] != 'running' or float(now['loading_loaded_perc']) > 10:
            break
    warmed(server, keys)
    c.send_raw(b''.join(batches[0:20]))
    final = sum(c.read().value is not None for _ in range(2000)) / 2000
    return early / seen / final
