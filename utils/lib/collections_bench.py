"""collections_bench: what larder-bench asks about hashes, lists, sets and sorted sets; on either server, the same requests."""
import random
import subprocess

import resp

BATCH = 200  # requests that are sent together


def send(server, requests):
    """Pipelines the requests; the replies must not be errors."""
    c, batch = server.connect(120), []

    def flush():
        c.send_raw(b''.join(batch))
        for _ in batch:
            r = c.read()
            if r.kind == '-':
                raise SystemExit(f'larder-bench: {server.kind} says {r.value.decode()}')
        batch.clear()

    for words in requests:
        batch.append(resp.encode(words))
        if len(batch) == BATCH:
            flush()
    if batch:
        flush()
    c.close()


# -- many small ones: name, requests ----------------------------------------------------------------------------------------


def small_hashes(n):
    """Sessions: 8 short fields."""
    for i in range(n):
        yield ('HSET', f'session:{i:09d}', 'id', i, 'user', f'u{i % 50021}', 'lang', 'en', 'cart', i % 7, 'seen', 1700000000 + i,
               'ip', f'10.{i % 251}.{i % 241}.{i % 239}', 'role', 'member', 'ab', 'b' if i % 2 else 'a')


def small_sets(n):
    r = random.Random(5)
    for i in range(n):
        yield ('SADD', f'follows:{i:09d}', *r.sample(range(1, 1000000), 16))


def small_zsets(n):
    r = random.Random(6)
    for i in range(n):
        pairs = [w for m in r.sample(range(1, 100000), 16) for w in (r.randrange(1, 100000), f'm{m}')]
        yield ('ZADD', f'board:{i:09d}', *pairs)


SMALL = (('hashes of 8 short fields', small_hashes), ('sets of 16 integers', small_sets), ('sorted sets of 16 members', small_zsets))


# -- one large one: name, bytes of a member, bar, requests ------------------------------------------------------------------


def _words(n, each, per=50):
    for i in range(0, n, per):
        yield [w for _ in range(min(per, n - i)) for w in each()]


def large_hash(n):
    r = random.Random(7)
    for words in _words(n, lambda: (f'{r.getrandbits(64):016x}', f'{r.getrandbits(64):016x}')):
        yield ('HSET', 'large', *words)


def large_set(n):
    r = random.Random(8)
    for words in _words(n, lambda: (f'{r.getrandbits(64):016x}',)):
        yield ('SADD', 'large', *words)


def large_zset(n):
    r = random.Random(9)
    for words in _words(n, lambda: (repr(r.random() * 1e6), f'{r.getrandbits(64):016x}')):
        yield ('ZADD', 'large', *words)


def large_list_hex(n):
    r = random.Random(10)
    for words in _words(n, lambda: (f'{r.getrandbits(128):032x}',)):
        yield ('RPUSH', 'large', *words)


def large_list_jobs(n):
    r = random.Random(11)
    count = iter(range(n))
    for words in _words(n, lambda: (f'job:{next(count):012d}:user:{r.randrange(10 ** 10):010d}',)):
        yield ('RPUSH', 'large', *words)


LARGE = (('hash of 2 M fields of 16 B, values of 16 B', 0.55, large_hash), ('set of 2 M members of 16 B', 0.55, large_set),
         ('sorted set of 2 M members of 16 B', 0.50, large_zset), ('list of 2 M elements of 32 B, random hex', 0.80, large_list_hex),
         ('list of 2 M elements of 32 B, job ids', 0.80, large_list_jobs))


# -- instructions: name, words for redis-benchmark, requests that come before ------------------------------------------------

R = '__rand_int__'  # redis-benchmark puts a random number of twelve digits here


def _fill_small(n):
    for i in range(n):
        key = f'{i:012d}'
        yield ('HSET', f'h:{key}', *[w for f in range(8) for w in (f'field:{f}', f'value:{f}')])
        yield ('SADD', f's:{key}', *range(i, i + 16))
        yield ('ZADD', f'z:{key}', *[w for m in range(16) for w in (m * 10, f'member:{m}')])


def _fill_large(n):
    for i in range(n):
        key = f'{i:012d}'
        yield ('HSET', 'H', f'field:{key}', f'value:{key}')
        yield ('SADD', 'S', f'member:{key}')
        yield ('ZADD', 'Z', i, f'member:{key}')
        yield ('RPUSH', 'L', f'element:{key}')


def fill(server, keys):
    send(server, _fill_small(keys))
    send(server, _fill_large(keys))


INSTRUCTIONS = (
    ('HSET, small hashes', ('HSET', f'h:{R}', 'field:3', f'value:{R}')), ('HSET, one large hash', ('HSET', 'H', f'field:{R}', f'value:{R}')),
    ('HGET, small hashes', ('HGET', f'h:{R}', 'field:3')), ('HGET, one large hash', ('HGET', 'H', f'field:{R}')),
    ('SADD, small sets', ('SADD', f's:{R}', '70000')), ('SADD, one large set', ('SADD', 'S', f'member:{R}')),
    ('SISMEMBER, small sets', ('SISMEMBER', f's:{R}', '7')), ('SISMEMBER, one large set', ('SISMEMBER', 'S', f'member:{R}')),
    ('LPUSH, many lists', ('LPUSH', f'l:{R}', f'element:{R}')), ('LPUSH, one long list', ('LPUSH', 'L', f'element:{R}')),
    ('LPOP, many lists', ('LPOP', f'l:{R}')), ('LPOP, one long list', ('LPOP', 'L')),
    ('ZADD, small sorted sets', ('ZADD', f'z:{R}', R, 'member:3')), ('ZADD, one large sorted set', ('ZADD', 'Z', R, f'member:{R}')),
    ('ZRANGE of 10, small sorted sets', ('ZRANGE', f'z:{R}', '3', '12')), ('ZRANGE of 10, one large sorted set', ('ZRANGE', 'Z', '500', '509')),
)


def drive(server, requests, *argv):
    """redis-benchmark with these arguments; it must not report an error."""
    done = subprocess.run(['redis-benchmark', '-h', '127.0.0.1', '-p', str(server.port), '-n', str(requests), '--csv', *argv],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0 or 'rror' in done.stdout:
        raise SystemExit(f'larder-bench: redis-benchmark on {server.kind} failed: {done.stdout[-400:]}')


# -- redis-benchmark's default list: name, what comes before, arguments ------------------------------------------------------

DEFAULTS = [(name, (), ('-t', name)) for name in ('ping_inline', 'ping_mbulk', 'set', 'get', 'incr', 'lpush', 'rpush', 'lpop', 'rpop', 'sadd',
                                                 'hset', 'spop', 'zadd', 'zpopmin')]
# Its LRANGE tests begin with LPUSHes that would be counted: here they come before.
DEFAULTS += [(f'lrange_{n}', ('-t', 'lpush'), ('LRANGE', 'mylist', '0', str(n - 1))) for n in (100, 300, 500, 600)]
DEFAULTS += [('mset', (), ('-t', 'mset'))]
