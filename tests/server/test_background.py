import re
import threading
import time

from larder import Client, Server, equal, until


def test_a_walk_of_a_million_keys_lets_others_in():
    with Server(threads=1) as s:
        with s.client() as walker, s.client() as other:
            equal(walker.call('DEBUG', 'POPULATE', '1000000', 'key', '10'), 'OK')
            walker.send(Client.encode('KEYS', '*') + Client.encode('PING'))
            served = 0
            while walker.silent():
                equal(other.call('GET', 'key:7')[:5], b'value')
                served += 1
            # The reply of a walk comes when it is over; a loop that it held up would have answered one GET, or two.
            assert served >= 20, 'only %d GETs were answered during KEYS' % served
            equal(len(walker.reply()), 1000000)
            equal(walker.reply(), 'PONG', 'what came behind it is answered after it')


def test_walks_of_several_clients_share_the_loop():
    with Server(threads=1) as s:
        clients = [s.client() for _ in range(5)]
        clients[0].call('DEBUG', 'POPULATE', '100000')
        for c in clients:
            c.send(Client.encode('KEYS', '*:1234*') + Client.encode('DBSIZE'))
        for c in clients:
            equal(len(c.reply()), 11)
            equal(c.reply(), 100000)


def test_many_keys_expire_by_themselves():
    with Server(threads=2) as s:
        with s.client() as c, s.client() as d:
            before = int(c.info('used_memory'))
            n = 200000
            at = int(time.time() * 1000) + 2000
            for start in range(0, n, 10000):
                c.send(b''.join(Client.encode('SET', 'k%d' % i, b'v' * 100, 'PXAT', at) for i in range(start, start + 10000)))
                for _ in range(10000):
                    c.reply()
            full = int(c.info('used_memory'))
            until(lambda: d.call('DBSIZE') == 0, 'nobody touches them, and they are gone')
            gone = int(time.time() * 1000)
            assert int(d.info('expired_keys')) == n, d.info('expired_keys')
            until(lambda: int(d.info('used_memory')) < before + (full - before) / 10, 'and so is their memory')
            assert gone - at < 20000, 'it took %d ms' % (gone - at)


def test_expiry_lets_others_in():
    with Server(threads=1) as s:
        with s.client() as c:
            n = 100000
            at = int(time.time() * 1000) + 1500
            for start in range(0, n, 10000):
                c.send(b''.join(Client.encode('SET', 'k%d' % i, b'v' * 50, 'PXAT', at) for i in range(start, start + 10000)))
                for _ in range(10000):
                    c.reply()
            c.call('SET', 'stays', '1')
            seen = set()
            while True:
                equal(c.call('GET', 'stays'), b'1')
                left = c.call('DBSIZE')
                seen.add(left)
                if left == 1:
                    break
            # In slices: between all of them and none of them others were answered.
            assert len(seen) >= 5, 'seen only %r' % sorted(seen)


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
