import threading
import time

from larder import Client, LetIn, Server, equal, in_threads, until


def test_a_walk_of_a_million_keys_lets_others_in():
    with Server(threads=1) as s:
        with s.client() as walker, s.client() as other:
            for n in range(10):  # a request for all would take too long where a sanitizer looks on
                equal(walker.call('DEBUG', 'POPULATE', '100000', 'key%d' % n, '10'), 'OK')
            let_in = LetIn(other)
            walker.send(Client.encode('KEYS', '*') + Client.encode('PING'))
            while walker.silent():
                equal(other.call('GET', 'key7:7')[:5], b'value')
                let_in.served += 1
            equal(len(walker.reply()), 1000000)
            equal(walker.reply(), 'PONG', 'what came behind it is answered after it')
            # The reply of a walk comes when it is over; a loop that it held up would have answered one GET, or two.
            let_in.check(20, 'KEYS')


def test_walks_of_several_clients_share_the_loop():
    with Server(threads=1) as s:
        clients = [s.client() for _ in range(5)]
        clients[0].call('DEBUG', 'POPULATE', '100000')
        for c in clients:
            c.send(Client.encode('KEYS', '*:1234*') + Client.encode('DBSIZE'))
        for c in clients:
            equal(len(c.reply()), 11)
            equal(c.reply(), 100000)


def fill(c, n, size):
    """Keys that live long, so that all of them are there however slow this goes; then one deadline for all of them."""
    for start in range(0, n, 10000):
        c.send(b''.join(Client.encode('SET', 'k%d' % i, b'v' * size, 'EX', 10000) for i in range(start, start + 10000)))
        for _ in range(10000):
            c.reply()


def expire_all(c, n):
    """A deadline in a few seconds, for all of them. What is only told when it has come is deleted at once: then once more, from the
    first deadline on that all could be told of."""
    left = 4
    while True:
        at = int(time.time() * 1000) + left * 1000
        for start in range(0, n, 10000):
            c.send(b''.join(Client.encode('PEXPIREAT', 'k%d' % i, at) for i in range(start, start + 10000)))
            for _ in range(10000):
                c.reply()
        if time.time() * 1000 < at:
            return
        left *= 2
        fill(c, n, 50)


def test_many_keys_expire_by_themselves():
    with Server(threads=2) as s:
        with s.client() as c, s.client() as d:
            before, n = int(c.info('used_memory')), 200000
            fill(c, n, 100)
            full = int(c.info('used_memory'))
            equal(d.call('DBSIZE'), n)
            expire_all(c, n)
            until(lambda: d.call('DBSIZE') == 0, 'nobody touches them, and they are gone')
            assert int(d.info('expired_keys')) > 0 and d.info('evicted_keys') == '0'
            until(lambda: int(d.info('used_memory')) < before + (full - before) / 10, 'and so is their memory')


def test_expiry_lets_others_in():
    with Server(threads=1) as s:
        with s.client() as c:
            n = 200000
            fill(c, n, 50)
            c.call('SET', 'stays', '1')
            c.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
            expire_all(c, n)
            until(lambda: c.call('GET', 'k%d' % (n - 1)) is None, 'their time has come')
            let_in = LetIn(c)
            c.call('DEBUG', 'SET-ACTIVE-EXPIRE', '1')
            while c.call('DBSIZE') > 1:
                equal(c.call('GET', 'stays'), b'1')
                let_in.served += 1
            # In slices: between all of them and none of them others were answered.
            let_in.check(3, 'expiry')


def test_flushall_async_and_sync():
    with Server(threads=2) as s:
        with s.client() as c:
            before = int(c.info('used_memory'))
            for how in ('ASYNC', 'SYNC'):
                c.call('DEBUG', 'POPULATE', '200000', 'key', '100')
                assert int(c.info('used_memory')) > before + 20000000
                equal(c.call('FLUSHALL', how), 'OK')
                equal(c.call('DBSIZE'), 0)
                until(lambda: int(c.info('used_memory')) < before + 4000000, 'memory follows')


def test_rates_are_sampled():
    with Server() as s:
        with s.client() as c:
            def busy():
                for _ in range(200):
                    c.call('PING')
                return int(c.info('instantaneous_ops_per_sec')) > 0
            until(busy, 'instantaneous_ops_per_sec moves')

            def turned():
                c.call('PING')
                return int(c.info('instantaneous_eventloop_cycles_per_sec')) > 0
            until(turned, 'instantaneous_eventloop_cycles_per_sec moves')
            turns, took, commands = (int(c.info('eventloop_' + f)) for f in ('cycles', 'duration_sum', 'duration_cmd_sum'))
            assert turns > 200, turns
            assert took > 0 and commands > 0, (took, commands)


def test_many_threads_are_busy_no_longer_than_there_is_time():
    with Server(threads=2) as s:
        with s.client() as c:
            for _ in range(2000):
                c.call('PING')
            until(lambda: int(c.info('eventloop_cycles')) > 2000, 'each request was a turn')
            begin = time.monotonic()
            equal(c.call('CONFIG', 'RESETSTAT'), 'OK')
            until(lambda: int(c.info('eventloop_cycles')) > 100, 'it counts on')
            took = int(c.info('eventloop_duration_sum'))
            assert took < 2 * (time.monotonic() - begin + 1) * 1e6, took


def test_latency_of_one_is_not_the_batch_of_another():
    with Server(threads=1) as s:
        with s.client() as bulk, s.client() as one:
            stop = threading.Event()

            def load():
                while not stop.is_set():
                    bulk.send(Client.encode('SET', 'k', 'v' * 100) * 2000)
                    for _ in range(2000):
                        bulk.reply()
            t = threading.Thread(target=load)
            t.start()
            for _ in range(200):
                equal(one.call('PING'), 'PONG')
            stop.set()
            t.join()


def test_an_invalidation_counts_what_it_removed_while_others_write():
    """Keys that came to be are those that invalidations counted and those that are there still, to the last one."""
    with Server(threads=2) as s:
        over = threading.Event()

        def write(seed):
            made, at = 0, seed
            with s.client() as c:
                while not over.is_set():
                    c.send(b''.join(Client.encode('SETNX', 'k%d' % (at * 7919 % 5000 + i), 'v') for i in range(50)))
                    made += sum(c.reply() for _ in range(50))
                    at += 1
            return made

        def invalidate(digit):
            with s.client() as c:
                return sum(c.call('CACHE', 'INVALIDATE', 'k%d*' % (digit + i % 5), 'WAIT') for i in range(50))

        def invalidate_all(digits):
            try:
                removed.extend(invalidate(d) for d in digits)
            finally:
                over.set()

        removed, made = [], []
        in_threads([lambda n=n: made.append(write(n)) for n in (1, 2)] + [lambda: invalidate_all((1, 3, 5))])
        with s.client() as c:
            equal(sum(removed) + c.call('DBSIZE'), sum(made))
            equal(c.info('cache_invalidated_keys'), str(sum(removed)))
            equal(c.info('cache_invalidations'), '150')
