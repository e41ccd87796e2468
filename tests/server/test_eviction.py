import random

from larder import Client, Server, equal, until, worst_used

MB = 1 << 20
NOISE = random.Random(1).randbytes(72 * MB)  # it does not compress


def fill(c, keys, size, name='k'):
    """Pipelined SETs; returns how many were refused."""
    refused = 0
    for first in range(0, keys, 500):
        some = range(first, min(first + 500, keys))
        c.send(b''.join(Client.encode('SET', '%s:%d' % (name, i), NOISE[:size]) for i in some))
        refused += sum(c.reply() != 'OK' for _ in some)
    return refused


def hits(c, keys, name='k'):
    found = 0
    for first in range(0, keys, 500):
        some = range(first, min(first + 500, keys))
        c.send(b''.join(Client.encode('EXISTS', '%s:%d' % (name, i)) for i in some))
        found += sum(c.reply() for _ in some)
    return found


def under_load(policy, sizes, clients=4, rounds=12, limit=64 * MB):
    """Bursts of values of those sizes by several clients at once; used_memory is looked at all the time."""
    with Server('--maxmemory', str(limit), '--maxmemory-policy', policy, threads=2) as s:
        def write(n, c):
            for r in range(rounds):
                burst = [sizes[(r * 31 + i * 7 + n) % len(sizes)] for i in range(24)]
                c.send(b''.join(Client.encode('SET', 'k%d:%d:%d' % (n, r, i), NOISE[:size]) for i, size in enumerate(burst)))
                for size in burst:
                    equal(c.reply(), 'OK')
        worst = worst_used(s, clients, write)
        assert 0 < worst <= limit, '%d bytes used, %d allowed' % (worst, limit)
        with s.client() as c:
            assert int(c.info('used_memory_peak')) <= limit, c.info('used_memory_peak')
            assert int(c.info('evicted_keys')) > 0 and int(c.info('eviction_slices')) > 0


def test_bursts_of_large_values_stay_under_the_limit_lru():
    under_load('allkeys-lru', [3 * MB, 100000, 4 * MB, 500, 20000])


def test_bursts_of_large_values_stay_under_the_limit_lhd():
    under_load('allkeys-lhd', [3 * MB, 100000, 4 * MB, 500, 20000])


def test_a_huge_value_does_not_drive_out_many_small_ones():
    with Server('--maxmemory', str(48 * MB), '--maxmemory-policy', 'allkeys-lhd') as s:
        with s.client() as c:
            fill(c, 200000, 200)
            kept = int(c.call('DBSIZE'))
            assert kept > 100000, kept
            reply = c.call('SET', 'huge', NOISE[:32 * MB])
            assert reply == "OOM command not allowed when used memory > 'maxmemory'.", reply
            assert int(c.call('DBSIZE')) > kept * 0.95, (kept, c.call('DBSIZE'))
            equal(c.call('EXISTS', 'huge'), 0)
            # Where there is room, it is kept; and where all are as large, it is one of many.
            equal(c.call('FLUSHALL'), 'OK')
            equal(c.call('SET', 'huge', NOISE[:32 * MB]), 'OK')
            equal(c.call('FLUSHALL'), 'OK')
            for i in range(12):
                equal(c.call('SET', 'large:%d' % i, NOISE[:7 * MB]), 'OK')
            assert 3 <= int(c.call('DBSIZE')) < 7, c.call('DBSIZE')


def test_sizes_count_a_large_one_must_earn_the_room_of_many_small_ones():
    # Half of the keys are ten times as large and all are asked for alike: the small ones stay.
    with Server('--maxmemory', str(16 * MB), '--maxmemory-policy', 'allkeys-lhd') as s:
        with s.client() as c:
            for _ in range(6):
                for first in range(0, 24000, 400):
                    some = range(first, first + 400)
                    c.send(b''.join(Client.encode('GET', 'k:%d' % i) for i in some))
                    missed = [i for i in some if c.reply() is None]
                    c.send(b''.join(Client.encode('SET', 'k:%d' % i, NOISE[i:i + (2000 if i % 2 else 200)]) for i in missed))
                    for _ in missed:
                        equal(c.reply(), 'OK')
            c.send(b''.join(Client.encode('EXISTS', 'k:%d' % i) for i in range(24000)))
            there = [c.reply() for _ in range(24000)]
            small, large = sum(there[0::2]), sum(there[1::2])
            assert small > 10000 and large < 8000, (small, large)


def test_others_write_on_while_the_limit_comes_down():
    """What is evicted in slices after a write holds up the requests behind it in its batch."""
    with Server('--maxmemory', '0', '--maxmemory-policy', 'allkeys-lru', threads=2) as s:
        with s.client() as c, s.client() as d, s.client() as e:
            fill(c, 150000, 100)
            used = int(c.info('used_memory'))
            for part in (0.8, 0.6, 0.4, 0.3):
                limit = int(used * part)
                c.send(Client.encode('CONFIG', 'SET', 'maxmemory', str(limit)))
                for other in (d, e):
                    other.send(b''.join(Client.encode('DEL', 'k:%d' % i) + Client.encode('SET', 'n:%d' % i, NOISE[:50]) for i in range(200)))
                for other in (d, e):
                    for i in range(200):
                        assert other.reply() in (0, 1)
                        equal(other.reply(), 'OK')
                equal(c.reply(), 'OK')
                until(lambda: int(c.info('used_memory')) <= limit, 'it comes down')


def test_a_large_value_and_a_large_collection_go_in_pieces():
    with Server('--maxmemory', str(200 * MB), '--maxmemory-policy', 'allkeys-lru') as s:
        with s.client() as c:
            equal(c.call('SET', 'string', NOISE[:64 * MB]), 'OK')
            for i in range(0, 200000, 2000):
                c.send(Client.encode('SADD', 'set', *['member:%d' % k for k in range(i, i + 2000)]))
            for i in range(0, 200000, 2000):
                equal(c.reply(), 2000)
            equal(c.call('CONFIG', 'RESETSTAT'), 'OK')
            equal(c.call('CONFIG', 'SET', 'maxmemory', '2mb'), 'OK')
            until(lambda: int(c.info('used_memory')) <= 2 * MB, 'both are gone')
            equal(c.info('evicted_keys'), '2')
            assert int(c.info('eviction_slices')) > 1, c.info('eviction_slices')
