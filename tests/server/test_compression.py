"""Strings that lie compressed: long ones, in slices, with others served meanwhile; many threads; a limit of memory."""
import json
import random
import threading

from larder import Client, LetIn, Server, equal, until

MB = 1 << 20


def text(n, seed=1):
    """JSON of n bytes, of which about half is saved."""
    dice = random.Random(seed)
    record = '{"id":%d,"token":"%016x","name":"somebody","active":true,"address":{"city":"Lisbon","street":"Main Street"}},'
    few = ''.join(record % (i, dice.getrandbits(64)) for i in range(min(n // 100 + 1, 5000)))
    return (few * (n // len(few) + 1))[:n].encode()


def noise(n, seed=1):
    return random.Random(seed).randbytes(n)


def figures(c):
    flat = c.call('CACHE', 'STATS')
    return dict(zip((name.decode() for name in flat[::2]), flat[1::2]))


def test_what_is_set_comes_back_at_every_length():
    with Server() as s, s.client() as c:
        for n in (1023, 1024, 1025, 4096, 4097, 9000, 16384, 65535, 65536, 65537, 131072, 131073, 400000, 5 * MB):
            for value in (text(n), noise(n), noise(n // 2) + text(n - n // 2), text(n - n // 3) + noise(n // 3)):
                equal(c.call('SET', 'k', value), 'OK')
                assert c.call('GET', 'k') == value
                equal(c.call('STRLEN', 'k'), n)
                for start, end in ((0, 0), (n - 1, n), (n // 2, n // 2 + 100), (100, n - 100), (65530, 65540), (0, 65535)):
                    assert c.call('GETRANGE', 'k', str(start), str(end)) == value[start:end + 1]
                equal(c.call('GETBIT', 'k', str(8 * (n // 2) + 1)), value[n // 2] >> 6 & 1)
                equal(c.call('BITCOUNT', 'k', '1', str(n - 2)), bin(int.from_bytes(value[1:n - 1], 'big')).count('1'))
                payload = c.call('DUMP', 'k')
                equal(c.call('RESTORE', 'r', '0', payload, 'REPLACE'), 'OK')
                assert c.call('GET', 'r') == value
                equal(c.call('DEBUG', 'DIGEST-VALUE', 'k'), c.call('DEBUG', 'DIGEST-VALUE', 'r'))
                equal(c.call('APPEND', 'r', 'end'), n + 3)
                assert c.call('GET', 'r') == value + b'end'
                equal(c.call('SETRANGE', 'k', str(n // 2), '!!'), n)
                assert c.call('GETDEL', 'k') == value[:n // 2] + b'!!' + value[n // 2 + 2:]
        f = figures(c)
        assert f['compressions'] > 20 and f['compressions_given_up'] > 5, f
        until(lambda: figures(c)['compressed_values'] == 0, 'all of them freed')
        equal(c.call('DEBUG', 'CHECK'), 'OK')


def test_long_values_take_slices_and_others_are_served_meanwhile():
    value = text(60 * MB)
    with Server(threads=1) as s, s.client() as c, s.client() as other:
        other.call('SET', 'small', 'value')

        def served(*words):
            let_in = LetIn(other)
            c.send(Client.encode(*words))
            while c.silent():
                equal(other.call('GET', 'small'), b'value')
                let_in.served += 1
            reply = c.reply()
            let_in.check(20, words[0])
            return reply
        equal(served('SET', 'long', value), 'OK')
        f = figures(other)
        assert f['compressed_values'] == 1 and f['compressed_stored_bytes'] * 4 < f['compressed_original_bytes'] * 3, f
        assert served('GET', 'long') == value
        equal(served('BITCOUNT', 'long'), bin(int.from_bytes(value, 'big')).count('1'))
        equal(served('APPEND', 'long', 'x'), len(value) + 1)
        equal(c.call('GETRANGE', 'long', '-3', '-1'), value[-2:] + b'x')
        until(lambda: figures(other)['compressed_values'] == 0, 'the compressed one freed')


def test_replies_stay_in_order_around_those_that_take_slices():
    a, b = text(3 * MB, 1), text(2 * MB, 2)
    with Server(threads=1) as s, s.client() as c:
        c.call('MSET', 'a', a, 'b', b, 'c', text(2000), 'd', 'short')
        c.send(b''.join(Client.encode(*w) for w in (
            ('PING',), ('GET', 'c'), ('MGET', 'd', 'c', 'a', 'd', 'b', 'none', 'c'), ('GET', 'd'), ('GET', 'a'), ('INCR', 'n'),
            ('GETSET', 'b', a), ('STRLEN', 'b'), ('CLIENT', 'REPLY', 'SKIP'), ('SET', 'a', b), ('GET', 'a'), ('CLIENT', 'REPLY', 'SKIP'),
            ('GET', 'b'), ('ECHO', 'end'))))
        equal(c.reply(), 'PONG')
        assert c.reply() == text(2000)
        assert c.reply() == [b'short', text(2000), a, b'short', b, None, text(2000)]
        equal(c.reply(), b'short')
        assert c.reply() == a
        equal(c.reply(), 1)
        assert c.reply() == b
        equal(c.reply(), len(a))
        assert c.reply() == b
        equal(c.reply(), b'end')


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind():
    value = text(40 * MB)
    with Server(threads=1) as s:
        with s.client() as c:
            c.call('SET', 'long', value)
        for words in (('GET', 'long'), ('SET', 'other', value), ('APPEND', 'long', 'x'), ('BITCOUNT', 'long'), ('DUMP', 'long')):
            with s.client() as c:
                c.send(Client.encode(*words))
        with s.client() as c:
            until(lambda: c.info('connected_clients') == '1', 'they are gone, and what they asked for is done or given up')
            c.call('DEL', 'long', 'other')
            equal(figures(c)['keys'], 0)


def test_threads_that_set_get_and_change_the_same_keys():
    with Server('--compression-min-size', '64', threads=2) as s:
        wrong = []

        def work(seed):
            dice = random.Random(seed)
            values = [json.dumps({'owner': i, 'text': 'word %d ' % i * 2 ** dice.randrange(3, 14)}).encode() for i in range(20)]
            try:
                with s.client() as c:
                    for _ in range(400):
                        key = 'k%d' % dice.randrange(6)
                        what = dice.randrange(9)
                        if what < 3:
                            equal(c.call('SET', key, dice.choice(values)), 'OK')
                        elif what < 5:
                            got = c.call('GET', key)
                            if got is not None and not whole(got):
                                wrong.append(got[:100])
                        elif what == 5:
                            c.call('APPEND', key, ' ')
                        elif what == 6:
                            n, bits = c.call('STRLEN', key), c.call('BITCOUNT', key, '0', '0')
                            if n < 0 or bits not in (0, 6):
                                wrong.append((n, bits))
                        elif what == 7:
                            c.call('LCS', key, 'k%d' % dice.randrange(6), 'LEN') if dice.randrange(10) == 0 else c.call('GETEX', key, 'EX', '100')
                        else:
                            c.call('BITOP', 'OR', 'or%d' % seed, 'k1', 'k2', 'k3')
            except Exception as e:  # noqa: BLE001
                wrong.append(repr(e))

        def whole(got):
            """One of the values, with spaces behind it."""
            try:
                v = json.loads(got)
            except ValueError:
                return False
            return v['text'] == 'word %d ' % v['owner'] * (len(v['text']) // len('word %d ' % v['owner']))
        with s.client() as c:
            for n in range(6):
                c.call('SET', 'k%d' % n, json.dumps({'owner': n, 'text': 'word %d ' % n * 20}))
        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not wrong, wrong[:3]
        with s.client() as c:
            equal(c.call('DEBUG', 'CHECK'), 'OK')
            c.call('FLUSHALL', 'SYNC')
            until(lambda: figures(c)['compressed_values'] == 0, 'all of them freed')


def test_the_limit_holds_and_compressed_values_count_as_what_they_take():
    limit = 8 * MB
    with Server('--maxmemory', str(limit), '--maxmemory-policy', 'allkeys-lru') as s, s.client() as c:
        value = text(2000)
        for i in range(20000):
            equal(c.call('SET', 'k%d' % i, value), 'OK')
            if i % 200 == 0:
                c.call('APPEND', 'k%d' % i, 'x')
                used = c.info('used_memory')
                assert int(used) <= limit, used
        f = figures(c)
        assert f['evictions'] > 0 and f['keys'] * 2000 > 2 * limit, f
        # One that does not fit as it is: it fits compressed, and is refused when it is to be changed.
        c.call('FLUSHALL', 'SYNC')
        long = text(20 * MB)
        equal(c.call('SET', 'long', long), 'OK')
        assert c.call('GET', 'long') == long
        said = c.call('APPEND', 'long', 'x')
        assert str(said).startswith('OOM'), said
        assert int(c.info('used_memory')) <= limit
