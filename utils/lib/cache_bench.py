"""cache_bench: what larder-bench asks about expiry and invalidation. There is no other server to compare with: bars are absolute, or
of larderd's own figures without it."""
import threading
import time

import resp


def info(c, *names):
    lines = dict(line.split(':', 1) for line in c.text('INFO', 'everything').decode().split('\r\n') if ':' in line)
    return [float(lines[n]) for n in names]


def expire_evenly(server, load, keys, seconds):
    """Keys with TTLs of up to ten minutes: (CPU share of the idle server, expired keys a second, p99 of the lag in ms)."""
    load(server, '--fill', '--keys', keys, '--pipeline', 50, '--value', '50-50', '--ttl', '20-620')
    c = server.connect(60)
    time.sleep(min(seconds, 25))
    c.call('CONFIG', 'RESETSTAT')
    cpu, began = server.cpu(), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    expired, lag = info(c, 'expired_keys', 'cache_expiry_lag_p99_ms')
    return (server.cpu() - cpu) / took, expired / took, lag


def expire_at_once(server, load, keys, seconds):
    """All keys at one moment, `seconds` from now: (p99 of the lag in ms, ms until used_memory was back)."""
    c = server.connect(60)
    before, = info(c, 'used_memory')
    at = int(time.time()) + seconds
    load(server, '--fill', '--keys', keys, '--pipeline', 50, '--value', '50-50', '--deadline', at * 1000)
    full, = info(c, 'used_memory')
    if time.time() >= at:
        raise SystemExit('larder-bench: filling took longer than the keys were to live')
    time.sleep(at - time.time())
    # Counters and scratch memory that came to be meanwhile stay.
    while info(c, 'used_memory')[0] > before + (full - before) / 100 + (256 << 10):
        if time.time() > at + 60:
            raise SystemExit('larder-bench: memory of expired keys is not back after a minute')
        time.sleep(0.02)
    back = (time.time() - at) * 1000
    return info(c, 'cache_expiry_lag_p99_ms')[0], back


def invalidate_under_load(server, load, keys, requests):
    """A fifth of the keys (5 times a power of ten of them) go while GETs run: (p99.9 of the GETs without it, with it, seconds until memory was back)."""
    load(server, '--fill', '--keys', keys, '--pipeline', 50)
    gets = ('--keys', keys, '--connections', 50, '--requests', requests, '--latency')
    without = load(server, *gets)
    c = server.connect(60)
    full, = info(c, 'used_memory')
    rss, back = server.rss(), []

    def forget():
        time.sleep(0.3)
        began = time.monotonic()
        if c.call('CACHE', 'INVALIDATE', 'key:' + f'{keys // 5:012d}'.rstrip('0') + '*').value != b'OK':
            raise SystemExit('larder-bench: CACHE INVALIDATE failed')
        # What a small server has besides its keys hides them.
        while info(c, 'used_memory')[0] > full * 0.85 or (full > 1e8 and server.rss() > rss * 0.87):
            if time.monotonic() - began > 60:
                break
            time.sleep(0.05)
        back.append(time.monotonic() - began)

    t = threading.Thread(target=forget)
    t.start()
    under = load(server, *gets)
    t.join()
    return without['p99.9'], under['p99.9'], back[0]


# Eight patterns of each kind, by what is literal in them; no key of the load falls under one.
RULES = {
    'beginning': [f'user:{i}:*' for i in range(8)],
    'long beginning': [f'session:user:{i}:*' for i in range(8)],
    'end': [f'*:user:{i}' for i in range(8)],
    'middle': [f'*:{i}:*' for i in range(8)],
    'middle of what begins like the keys': [f'key:*:{i}:*' for i in range(8)],
}
RULES['mixed'] = [RULES[kind][i] for i, kind in enumerate(['beginning', 'end', 'middle'] * 2 + ['long beginning', 'middle'])]


def hold_rules(server, patterns):
    """Rules that stay until release_rules."""
    c = server.connect(60)
    c.call('DEBUG', 'SET-ACTIVE-SWEEP', '0')
    c.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0')  # what goes on beside is not theirs
    for pattern in patterns:
        c.call('CACHE', 'INVALIDATE', pattern)


def release_rules(server):
    c = server.connect(60)
    c.call('DEBUG', 'SET-ACTIVE-SWEEP', '1')
    while c.call('CACHE', 'INVALIDATIONS').value:
        time.sleep(0.05)


def pipeline(server, requests):
    c = server.connect(120)
    c.send_raw(b''.join(resp.encode(words) for words in requests))
    for _ in requests:
        if c.read().kind == '-':
            raise SystemExit('larder-bench: an error was replied')
    c.close()
