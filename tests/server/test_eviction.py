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


def hits_of_few(c, n):
    """Reads of a few keys, which are there."""
    c.send(b''.join(Client.encode('GET', 'k:%d' % (49999 - i % 50)) for i in range(n)))
    for _ in range(n):
        c.reply()


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


def some_words(r, most, *kinds):
    return [r.randrange(1 << 40) if k is int else '%x' % r.randrange(1 << 60) for _ in range(r.randrange(1, most)) for k in kinds]


def some_write(r, n):
    """One of all ways to take memory: by the request's bytes, by what it copies, by what it makes out of other keys."""
    key, few, size = '%d:%d' % (n, r.randrange(3000)), r.randrange(20), r.choice([10, 200, 500, 1000, 3000, 9000, 20000])
    return r.choice([
        lambda: ['SET', 's' + key, NOISE[:size]],
        lambda: ['APPEND', 'a%d' % few, NOISE[:size]],
        lambda: ['SETRANGE', 's' + key, r.randrange(20000), 'x' * 50],
        lambda: ['SETBIT', 'b%d' % few, r.randrange(400000), 1],
        lambda: ['HSET', 'h%d' % few, *some_words(r, 60, str, str)],
        lambda: ['SADD', 'e%d' % few, *some_words(r, 60, str)],
        lambda: ['ZADD', 'z%d' % few, *some_words(r, 60, int, str)],
        lambda: ['RPUSH', 'l%d' % few, *some_words(r, 60, str)],
        lambda: ['PFADD', 'p' + key, *some_words(r, 10, str)],
        lambda: ['COPY', r.choice('ahezl') + str(few), 'c' + key, 'REPLACE'],
        lambda: ['ZUNIONSTORE', 'u' + key, 2, 'z%d' % few, 'z%d' % r.randrange(20)],
        lambda: ['ZRANGESTORE', 'r' + key, 'z%d' % few, 0, -1],
        lambda: ['SUNIONSTORE', 'v' + key, 'e%d' % few, 'e%d' % r.randrange(20)],
        lambda: ['SORT', 'e%d' % few, 'ALPHA', 'STORE', 'w' + key],
        lambda: ['GETEX', 's' + key, 'EX', 100],
        lambda: ['RENAME', r.choice('sacuvw') + key, 'n%d' % few],
        lambda: ['MSET', *[w for i in range(60) for w in ('m%s:%d' % (key, i), 'x')]],
        lambda: ['BITOP', 'NOT', 'o' + key, 'b%d' % few],
        lambda: ['SUNION', *['e%d' % i for i in range(8)]],
        lambda: ['ZUNION', 8, *['z%d' % i for i in range(8)]],
        lambda: ['EXISTS', *['%x' % i for i in range(1000)]],
        lambda: ['SRANDMEMBER', 'e%d' % few, 300],
        lambda: ['SPOP', 'e%d' % few, r.randrange(1, 400)],
        lambda: ['LPOP', 'l%d' % few, r.randrange(1, 100)],
    ])()


def under_all_writes(limit, policy, threads):
    with Server('--maxmemory', str(limit), '--maxmemory-policy', policy, threads=threads) as s:
        def write(n, c):
            r = random.Random(n)
            for _ in range(12):
                burst = [some_write(r, n) for _ in range(40)]
                c.send(b''.join(Client.encode(*[w if isinstance(w, bytes) else str(w) for w in words]) for words in burst))
                for _ in burst:
                    c.reply()
        worst = worst_used(s, 4, write)
        with s.client() as c:
            assert int(c.info('evicted_keys')) > 100, c.info('evicted_keys')
            assert max(worst, int(c.info('used_memory_peak'))) <= limit, (worst - limit, int(c.info('used_memory_peak')) - limit)


def test_no_kind_of_write_passes_a_small_limit_lru():
    under_all_writes(4 * MB, 'allkeys-lru', 1)


def test_no_kind_of_write_passes_a_small_limit_lhd():
    under_all_writes(3 * MB, 'allkeys-lhd', 2)


def test_what_is_copied_or_made_of_others_has_its_room_first():
    """Collections of a third of the limit, which the request's own bytes tell nothing of."""
    limit = 24 * MB
    with Server('--maxmemory', str(limit), '--maxmemory-policy', 'allkeys-lru') as s:
        with s.client() as c:
            fill(c, 40000, 500, 'old')
            for first in range(0, 120000, 2000):
                c.send(Client.encode('ZADD', 'z', *[str(x) for i in range(first, first + 2000) for x in (i, 'member:%d' % i)]))
            for _ in range(0, 120000, 2000):
                equal(c.reply(), 2000)
            size = int(c.call('MEMORY', 'USAGE', 'z', 'SAMPLES', '0'))
            assert limit / 8 < size < limit / 2, size
            for words in (['COPY', 'z', 'copy'], ['ZUNIONSTORE', 'union', '1', 'z'], ['ZRANGESTORE', 'range', 'z', '0', '-1'],
                          ['SORT', 'z', 'ALPHA', 'STORE', 'sorted']):
                equal(c.call('TOUCH', 'z'), 1)
                equal(c.call('CONFIG', 'RESETSTAT'), 'OK')
                reply = c.call(*words)
                assert isinstance(reply, int), reply
                peak = int(c.info('used_memory_peak'))
                assert peak <= limit, '%s: %d over' % (words[0], peak - limit)
                equal(c.call('EXISTS', 'z'), 1)


def test_what_cannot_be_made_under_noeviction_is_an_error_and_changes_nothing():
    limit = 24 * MB
    with Server('--maxmemory', str(limit), '--maxmemory-policy', 'noeviction') as s:
        with s.client() as c:
            for first in range(0, 150000, 2000):
                c.call('ZADD', 'z', *[str(x) for i in range(first, first + 2000) for x in (i, 'member:%d' % i)])
            equal(c.call('SET', 'target', 'as it was'), 'OK')
            assert fill(c, 40000, 500) > 0
            for words in (['COPY', 'z', 'copy'], ['ZUNIONSTORE', 'target', '1', 'z'], ['ZRANGESTORE', 'target', 'z', '0', '-1'],
                          ['SORT', 'z', 'ALPHA', 'STORE', 'target']):
                equal(c.call(*words), "OOM command not allowed when used memory > 'maxmemory'.")
            equal(c.call('GET', 'target'), b'as it was')
            assert int(c.info('used_memory_peak')) <= limit, c.info('used_memory_peak')


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


def test_a_huge_value_that_many_write_and_nobody_reads_drives_nobody_out():
    with Server('--maxmemory', str(16 * MB), '--maxmemory-policy', 'allkeys-lhd', threads=2) as s:
        with s.client() as c:
            fill(c, 60000, 200)
            kept = int(c.call('DBSIZE'))

        def write(n, c):
            for i in range(12):
                assert c.call('SET', 'huge:%d' % (n % 2), NOISE[:4 * MB]) != 'OK', i
                equal(c.call('SET', 'k:%d' % (n * 12 + i), NOISE[:200]), 'OK')
        assert worst_used(s, 4, write) <= 16 * MB
        with s.client() as c:
            assert int(c.call('DBSIZE')) > kept * 0.98, (kept, c.call('DBSIZE'))


def test_a_huge_value_that_is_read_often_gets_the_room_that_it_earns():
    with Server('--maxmemory', str(16 * MB), '--maxmemory-policy', 'allkeys-lhd') as s:
        with s.client() as c:
            fill(c, 50000, 200)
            found = 0
            for i in range(60):
                hit = c.call('GET', 'huge') is not None
                found += hit
                if not hit:
                    c.call('SET', 'huge', NOISE[:3 * MB])
                hits_of_few(c, 400)
            assert found > 20, found
            assert int(c.call('DBSIZE')) > 20000, c.call('DBSIZE')
            assert int(c.info('used_memory_peak')) <= 16 * MB, c.info('used_memory_peak')


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


def test_how_long_there_was_more_than_the_limit_is_told():
    with Server('--maxmemory', str(64 * MB), '--maxmemory-policy', 'noeviction') as s, s.client() as c:
        equal(fill(c, 200, 10000), 0)
        equal((c.info('current_eviction_exceeded_time'), c.info('total_eviction_exceeded_time')), ('0', '0'))
        equal(c.call('CONFIG', 'SET', 'maxmemory', str(2 * MB)), 'OK')
        until(lambda: int(c.info('current_eviction_exceeded_time')) > 0, 'it counts')
        equal(c.call('CONFIG', 'SET', 'maxmemory', str(64 * MB)), 'OK')
        until(lambda: c.info('current_eviction_exceeded_time') == '0', 'it is over')
        assert int(c.info('total_eviction_exceeded_time')) > 0
        equal(c.call('CONFIG', 'RESETSTAT'), 'OK')
        equal(c.info('total_eviction_exceeded_time'), '0')
