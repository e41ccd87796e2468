"""A large hash in a running daemon: what is replied in slices, and fields that expire."""
from larder import Server, equal, until

N = 100000


def fill(c):
    for i in range(0, N, 1000):
        c.call('HSET', 'h', *[w for j in range(i, i + 1000) for w in (f'f{j}', f'v{j}')])


def expire(c, start, end):
    for i in range(start, end, 1000):
        equal(c.call('HPEXPIRE', 'h', '1', 'FIELDS', '1000', *[f'f{j}' for j in range(i, i + 1000)]), [1] * 1000)


def scanned(c, count):
    seen, cursor = set(), b'0'
    while True:
        cursor, page = c.call('HSCAN', 'h', cursor, 'COUNT', str(count))
        seen |= set(page[::2])
        if cursor == b'0':
            return seen


def test_a_large_hash_is_shown_in_slices():
    with Server() as s, s.client() as c:
        fill(c)
        equal(c.call('HLEN', 'h'), N)
        equal(len(c.call('HGETALL', 'h')), 2 * N)
        for count in (300, 5000, 50000):
            equal(len(set(c.call('HRANDFIELD', 'h', str(count)))), count, 'each once')
        equal(len(c.call('HRANDFIELD', 'h', '-150000')), 150000)
        pairs = c.call('HRANDFIELD', 'h', '300', 'WITHVALUES')
        equal([b'v' + f[1:] for f in pairs[::2]], pairs[1::2])
        for count in (50, 5000):
            equal(len(scanned(c, count)), N)


def test_fields_of_a_large_hash_expire():
    with Server('--enable-debug-command', 'yes') as s, s.client() as c:
        fill(c)
        c.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
        expire(c, 0, N // 2)
        until(lambda: c.call('HLEN', 'h') == N // 2, 'nobody sees them')
        equal(len(c.call('HGETALL', 'h')), N)
        for count in ('1000', str(N), '-1000'):
            found = c.call('HRANDFIELD', 'h', count)
            equal(len(found), min(abs(int(count)), N // 2))
            equal([f for f in found if int(f[1:]) < N // 2], [])
        equal(len(scanned(c, 5000)), N // 2)
        equal(c.info('expired_subkeys'), '0')
        c.call('DEBUG', 'SET-ACTIVE-EXPIRE', '1')
        until(lambda: c.info('expired_subkeys') == str(N // 2), 'they go by themselves')
        equal(c.call('HLEN', 'h'), N // 2)
        expire(c, N // 2, N)
        until(lambda: c.call('EXISTS', 'h') == 0, 'and the key with the last')
