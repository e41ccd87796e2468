import threading

from larder import Client, LetIn, Server, equal, until


def make_list(c, key, n):
    for start in range(0, n, 10000):
        c.call('RPUSH', key, *('element:%d:%s' % (i, 'x' * (i % 50)) for i in range(start, min(n, start + 10000))))


def make_hash(c, key, n):
    for start in range(0, n, 10000):
        c.call('HSET', key, *(w for i in range(start, start + 10000) for w in ('field:%d' % i, 'value %d' % i)))


def digest(c, key):
    return c.call('DEBUG', 'DIGEST-VALUE', key)[0]


def test_large_values_are_dumped_and_restored_while_others_are_served():
    with Server(threads=1) as s:
        with s.client() as c, s.client() as other:
            make_list(c, 'l', 300000)
            make_hash(c, 'h', 300000)
            other.call('SET', 'small', 'value')
            def served(*words):
                let_in = LetIn(other)
                c.send(Client.encode(*words))
                while c.silent():
                    equal(other.call('GET', 'small'), b'value')
                    let_in.served += 1
                reply = c.reply()
                let_in.check(5, words[0])  # a loop that it held up would have answered one GET, or two
                return reply

            for key in ('l', 'h'):
                want = digest(c, key)
                payload = served('DUMP', key)
                equal(served('RESTORE', 'new', '0', payload), 'OK')
                equal(digest(c, 'new'), want)
                c.call('DEL', 'new')
            equal(c.call('DEBUG', 'CHECK'), 'OK')


def test_a_dump_is_of_one_moment():
    with Server(threads=2) as s:
        with s.client() as c, s.client() as d:
            make_list(c, 'l', 200000)
            want = digest(c, 'l')
            c.send(Client.encode('DUMP', 'l'))
            d.call('RPUSH', 'l', 'one more')  # waits until the list is read, or comes before or after it
            payload = c.reply()
            equal(d.call('RESTORE', 'was', '0', payload), 'OK')
            was, now = digest(d, 'was'), digest(d, 'l')
            assert was in (want, now), 'neither what it was before nor after'
            # What is deleted meanwhile is still dumped whole.
            c.send(Client.encode('DUMP', 'was'))
            d.call('DEL', 'was')
            payload = c.reply()
            if payload is not None:
                equal(d.call('RESTORE', 'again', '0', payload), 'OK')
                equal(digest(d, 'again'), was)


def test_of_two_that_restore_one_key_at_once_the_second_finds_it_busy():
    with Server(threads=2) as s:
        with s.client() as c:
            make_hash(c, 'h', 100000)
            payload = c.call('DUMP', 'h')
        said = []

        def restore():
            with s.client() as d:
                said.append(d.call('RESTORE', 'new', '0', payload))
        threads = [threading.Thread(target=restore) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        texts = sorted(str(x) for x in said)
        equal(texts.count('OK'), 1)
        equal(sum('BUSYKEY' in t for t in texts), 3)


def test_restore_under_maxmemory():
    with Server(threads=1) as s:
        with s.client() as c:
            make_hash(c, 'h', 100000)
            payload = c.call('DUMP', 'h')
            c.call('RPUSH', 'small', *('e%d' % i for i in range(500)))
            little = c.call('DUMP', 'small')
            c.call('DEL', 'h')
            until(lambda: int(c.info('lazyfree_pending_objects')) == 0, 'the hash is freed')
            limit = int(c.info('used_memory')) + 1000000
            c.call('CONFIG', 'SET', 'maxmemory', limit)
            assert 'OOM' in str(c.call('RESTORE', 'new', '0', payload)), 'there is no room for it'
            equal(c.call('EXISTS', 'new'), 0)
            until(lambda: int(c.info('used_memory')) < limit - 500000, 'what had been read is freed')
            equal(c.call('RESTORE', 'new', '0', little), 'OK')
            # With room to be made, others go
            c.call('CONFIG', 'SET', 'maxmemory', '0')
            c.call('DEBUG', 'POPULATE', '100000', 'key', '300')
            limit = int(c.info('used_memory'))
            c.call('CONFIG', 'SET', 'maxmemory', limit, 'maxmemory-policy', 'allkeys-lru')
            equal(c.call('RESTORE', 'new', '0', payload, 'REPLACE'), 'OK')
            equal(c.call('HLEN', 'new'), 100000)
            assert int(c.info('evicted_keys')) > 1000
            assert int(c.info('used_memory')) <= limit


def test_restored_lists_are_given_to_those_who_wait():
    with Server(threads=2) as s:
        with s.client() as c, s.client() as waiter:
            make_list(c, 'l', 100000)
            large = c.call('DUMP', 'l')
            c.call('RPUSH', 's', 'first', 'second')
            small = c.call('DUMP', 's')
            for payload, first in ((small, b'first'), (large, b'element:0:')):
                waiter.send(Client.encode('BLPOP', 'new', '0'))
                until(lambda: c.info('blocked_clients') == '1', 'it waits')
                n = c.call('LLEN', 's' if payload is small else 'l')
                equal(c.call('RESTORE', 'new', '0', payload), 'OK')
                equal(waiter.reply(), [b'new', first])
                equal(c.call('LLEN', 'new'), n - 1)
                c.call('DEL', 'new')


def test_who_leaves_while_it_is_done():
    with Server(threads=1) as s:
        with s.client() as c:
            make_hash(c, 'h', 200000)
            payload = c.call('DUMP', 'h')
            for request in (('DUMP', 'h'), ('RESTORE', 'new', '0', payload, 'REPLACE'), ('DEBUG', 'DIGEST'), ('DEBUG', 'DIGEST-VALUE', 'h'),
                            ('DEBUG', 'OBJECT', 'h')):
                with s.client() as d:
                    d.send(Client.encode(*request))
            c.call('HSET', 'h', 'free', 'again')  # nobody holds it any more
            equal(c.call('DEBUG', 'CHECK'), 'OK')
