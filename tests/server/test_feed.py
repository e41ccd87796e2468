"""Listeners, leases and clients with tracking, on several threads: nothing that has changed is missed."""
import random
import threading
import time

from larder import Client, Closed, Server, equal, until


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


class Listener:
    def __init__(self, server, *words):
        self.c = server.client()
        self.hello = pairs(self.c.call('CACHE', 'FEED', *words))
        self.next, self.lost, self.seen = self.hello[b'seq'], 0, []

    def take(self, frame):
        equal(frame[0], b'feed')
        assert frame[1] == self.next, (frame, self.next)
        self.next = frame[2]
        if frame[3] is None:
            self.lost += 1
        else:
            self.seen += frame[3]

    def barrier(self):
        """All that was acknowledged before is seen."""
        self.c.send(Client.encode('PING', 'now'))
        while (reply := self.c.reply()) != [b'pong', b'now']:
            if reply != [b'pong', b'early']:
                self.take(reply)
        seen, self.seen = self.seen, []
        return seen


def test_feed_resumes():
    with Server(threads=2) as s, s.client() as w:
        a = Listener(s)
        equal(a.hello[b'status'], b'new')
        w.call('SET', 'x', 1)
        equal(a.barrier(), [b'k0 x'])
        a.c.close()
        w.call('SET', 'y', 1)
        w.call('DEL', 'z')
        b = Listener(s, 'FROM', a.next, 'EPOCH', a.hello[b'epoch'])
        equal(b.hello[b'status'], b'resumed')
        equal(b.hello[b'seq'], a.next)
        equal(b.barrier(), [b'k0 y', b'k0 z'])
        far = Listener(s, 'FROM', b.next + 1)
        equal((far.hello[b'status'], far.hello[b'reason']), (b'lost', b'epoch'))
        other = Listener(s, 'FROM', b.next, 'EPOCH', '0' * 40)
        equal((other.hello[b'status'], other.hello[b'reason']), (b'lost', b'epoch'))


def test_feed_of_another_life_is_refused():
    with Server() as s:
        a = Listener(s)
    with Server() as s, s.client() as w:
        Listener(s)
        for i in range(10):
            w.call('SET', i, 1)
        b = Listener(s, 'FROM', a.next)
        equal((b.hello[b'status'], b.hello[b'reason']), (b'lost', b'epoch'))


def test_feed_overrun():
    with Server('--feed-size', '131072', threads=2) as s, s.client() as w:
        stays, goes = Listener(s), Listener(s)
        goes.c.close()
        for i in range(100):
            w.send(b''.join(Client.encode('SET', 'key:%d:%d:%s' % (i, j, 'x' * 50), 1) for j in range(100)))
            for _ in range(100):
                w.reply()
        back = Listener(s, 'FROM', goes.next)
        equal((back.hello[b'status'], back.hello[b'reason']), (b'lost', b'overrun'))
        stays.barrier()
        equal(w.call('PING'), 'PONG')


def test_feed_slow_listener_is_told():
    """It does not read: the daemon keeps the ring and a window, and then says that the rest is lost."""
    with Server('--feed-size', '131072', threads=1) as s, s.client() as w:
        slow = Client(('127.0.0.1', s.port), rcvbuf=4096)
        listener = Listener.__new__(Listener)
        listener.c = slow
        listener.hello = pairs(slow.call('CACHE', 'FEED'))
        listener.next, listener.lost, listener.seen = listener.hello[b'seq'], 0, []
        for i in range(400):
            w.send(b''.join(Client.encode('SET', 'key:%d:%d:%s' % (i, j, 'x' * 100), 1) for j in range(100)))
            for _ in range(100):
                w.reply()
        omem = int(w.call('CLIENT', 'LIST', 'TYPE', 'pubsub').decode().split('tot-mem=')[1].split()[0])
        assert omem < 1 << 20, omem
        seen = listener.barrier()
        assert listener.lost >= 1, len(seen)
        w.call('SET', 'last', 1)
        equal(listener.barrier()[-1], b'k0 last')


def test_feed_is_off_when_nobody_listens():
    with Server('--feed-keep', '0') as s, s.client() as w:
        a = Listener(s)
        a.c.close()

        def idle():
            b = Listener(s, 'FROM', a.next)
            b.c.close()
            return b.hello[b'reason'] == b'idle'
        until(idle, 'recording ends')
        w.call('SET', 'x', 1)


def test_feed_barrier_on_many_threads():
    """Whoever has the reply of a change knows that every listener behind a barrier has seen it."""
    with Server(threads=4) as s:
        listeners = [Listener(s, *(['PREFIX', 'key:'] if i % 2 else [])) for i in range(8)]
        wrong = []

        def write(n, count=150):
            r = random.Random(n)
            with s.client() as w:
                mine = []
                for i in range(count):
                    key = 'key:%d:%d' % (n, r.randrange(20))
                    w.call(*r.choice([('SET', key, i), ('DEL', key), ('SET', key, i, 'PX', 5), ('APPEND', key, 'x')]))
                    mine.append(key.encode())
                    if i % 5 == 0:
                        with locks[n]:
                            seen = b'|'.join(listeners[n].barrier())
                        if mine and mine[-1] not in seen:
                            wrong.append((n, i, mine[-1], seen))
                        mine = []
        locks = [threading.Lock() for _ in listeners]
        threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not wrong, wrong[:3]


def hashes(changes):
    """Of hashed frames: (the set of hashes, the other changes)."""
    found, others = set(), []
    for c in changes:
        if not c.startswith(b'h* '):
            others.append(c)
            continue
        rest, n, bits = c[3], int.from_bytes(c[4:8], 'little'), ''.join(f'{byte:08b}'[::-1] for byte in c[8:])
        last, at, mine = 0, 0, set()
        for _ in range(n):
            zero = bits.index('0', at)
            last += (zero - at << rest) + int('0' + bits[zero + 1:zero + 1 + rest][::-1], 2)
            at = zero + 1 + rest
            assert last < 1 << 28 and last not in mine, (last, n)
            mine.add(last)
        assert len(c) == 8 + (at + 7) // 8, 'nothing behind'
        found |= mine
    return found, others


def test_feed_hashed():
    """Each change is told to a hashed listener as the same hash that its key always has, on all threads, and patterns as they are."""
    with Server(threads=3) as s, s.client() as w:
        plain, hashed = Listener(s), Listener(s, 'HASHED')
        some = Listener(s, 'HASHED', 'PREFIX', 'a:', 'b:')
        equal((hashed.hello[b'hash'], len(hashed.hello[b'seed'])), (b'xxh3-28', 16))
        keys = [b'%s:%d' % (p, i) for p in (b'a', b'b', b'c') for i in range(30)]
        known = {}
        for k in keys:
            w.call('SET', k, 1)
            (one,), others = hashes(hashed.barrier())
            equal(others, [])
            known[k] = one
        equal(len(set(known.values())), len(keys))
        equal(hashes(some.barrier()), ({known[k] for k in keys if k[0] != ord('c')}, []))
        plain.barrier()

        def write(n):
            r = random.Random(n)
            with s.client() as c:
                for i in range(100):
                    c.call(*r.choice([('SET', r.choice(keys), i), ('MSET', *r.sample(keys, 4)), ('DEL', *r.sample(keys, 9))]))
        for turn in range(5):
            threads = [threading.Thread(target=write, args=(turn * 10 + n,)) for n in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            w.call('CACHE', 'INVALIDATE', 'c:*')
            w.call('FLUSHDB')
            told = plain.barrier()
            changed = {c[3:] for c in told if c[:1] == b'k'}
            equal(hashes(hashed.barrier()), ({known[k] for k in changed}, [b'p0 c:*', b'f0 ']))
            equal(hashes(some.barrier()), ({known[k] for k in changed if k[0] != ord('c')}, [b'f0 ']))
            equal((plain.next, plain.next), (hashed.next, some.next))
        w.call('SELECT', 1)
        w.call('SET', keys[0], 1)
        assert hashes(hashed.barrier())[0] not in ({h} for h in known.values()), 'a database has hashes of its own'
        back = Listener(s, 'FROM', plain.next, 'HASHED', 'EPOCH', plain.hello[b'epoch'])
        equal((back.hello[b'status'], len(hashes(back.barrier())[0])), (b'resumed', 1))


def test_feed_hashes_alone():
    """While nobody wants keys, the ring has hashes only. One can go on from any number in it; who wants keys from before cannot."""
    with Server(threads=1) as s, s.client() as w:
        a = Listener(s, 'HASHED')
        first, known = a.next, {}
        for k in ('a', 'b', 'c', 'd'):
            w.call('SET', k, 1)
            (known[k],), others = hashes(a.barrier())
            equal(others, [])
        begin = a.next
        w.call('SET', 'a', 1)
        w.call('CACHE', 'INVALIDATE', 'p*', 'q*')
        w.call('SET', 'b', 1)
        w.call('FLUSHDB')
        w.call('SET', 'c', 1)
        odd = [b'p0 p*', b'p0 q*', b'f0 ']
        equal(hashes(a.barrier()), ({known['a'], known['b'], known['c']}, odd))
        equal(a.next, begin + 6)
        for n, (keys, told) in enumerate((('abc', odd), ('bc', odd), ('bc', odd[1:]), ('bc', odd[2:]), ('c', odd[2:]), ('c', []), ('', []))):
            back = Listener(s, 'FROM', begin + n, 'HASHED')
            equal(back.hello[b'status'], b'resumed')
            equal(hashes(back.barrier()), ({known[k] for k in keys}, told))
        for words in ([], ['HASHED', 'PREFIX', 'a']):
            keys = Listener(s, 'FROM', begin, *words)
            equal((keys.hello[b'status'], keys.hello[b'reason']), (b'lost', b'idle'))
        mid = keys.next
        w.call('SET', 'd', 1)
        equal(Listener(s, 'FROM', first, 'HASHED').hello[b'status'], b'resumed')
        plain = Listener(s, 'FROM', mid)
        equal((plain.hello[b'status'], plain.barrier(), plain.lost), (b'resumed', [b'k0 d'], 0))
        equal(hashes(a.barrier()), ({known['d']}, []))
        back = Listener(s, 'FROM', begin + 1, 'HASHED')  # over both kinds
        equal(hashes(back.barrier()), ({known[k] for k in 'bcd'}, odd))


def test_feed_hashes_fill_blocks():
    """Sixteen thousand to a block: all that fits the ring can be had again, in order with what is no key; the rest is lost."""
    with Server('--feed-size', '196608', threads=1) as s, s.client() as w:
        a = Listener(s, 'HASHED')
        begin, odd = a.next, []

        def write(keys):
            for i in range(0, len(keys), 500):
                w.call('MSET', *(x for k in keys[i:i + 500] for x in (k, 1)))
                if i % 2000 == 0:
                    odd.append(b'p0 p%d*' % len(odd))
                    w.call('CACHE', 'INVALIDATE', odd[-1][3:])
        write(range(30000))
        found, others = hashes(a.barrier())
        assert 29990 <= len(found) <= 30000, len(found)
        equal((others, a.lost, a.next), (odd, 0, begin + 30000 + len(odd)))
        back = Listener(s, 'FROM', begin, 'HASHED')
        equal(back.hello[b'status'], b'resumed')
        equal(hashes(back.barrier()), (found, odd))
        back = Listener(s, 'FROM', begin + 25000, 'HASHED')
        part, others = hashes(back.barrier())
        assert part < found and others == odd[-len(others):] and 0 <= 5000 + len(odd) - len(others) - len(part) < 10, (len(part), others)
        write(range(30000))
        equal(Listener(s, 'FROM', begin, 'HASHED').hello[b'reason'], b'overrun')
        equal(hashes(a.barrier()), (found, odd[15:]))


def test_feed_ends_to_record_keys():
    with Server('--feed-keep', '0', threads=1) as s, s.client() as w:
        hashed, plain = Listener(s, 'HASHED'), Listener(s)
        w.call('SET', 'x', 1)
        equal(plain.barrier(), [b'k0 x'])
        plain.c.close()
        calls = []

        def ended():
            time.sleep(0.05)
            w.call('SET', 'x', 1)
            calls.append(1)
            b = Listener(s, 'FROM', plain.next)
            b.c.close()
            return b.hello[b'reason'] == b'idle'
        until(ended, 'keys are not recorded any more')
        w.call('SET', 'y', 1)
        equal((len(hashes(hashed.barrier())[0]), hashed.lost), (2, 0))


def test_feed_keys_come_and_go():
    """Who wants keys comes and goes in the middle of writes, of which until then there were hashes only: nothing is missed, or it is said."""
    with Server('--feed-keep', '0', threads=4) as s, s.client() as control:
        hashed, stop, known, told = Listener(s, 'HASHED'), threading.Event(), {}, set()
        keys = ['%s:%d' % (p, i) for p in 'ab' for i in range(12)]
        for k in keys:
            control.call('SET', k, 1)
            (known[k],), _ = hashes(hashed.barrier())

        def write(n):
            r = random.Random(n)
            with s.client() as c:
                while not stop.is_set():
                    c.call('MSET', *(x for k in r.sample(keys[:12], 3) for x in (k, n)))
        threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
        for t in threads:
            t.start()
        silent = 0
        for turn in range(16):
            words = [[], ['PREFIX', 'b:'], ['HASHED', 'PREFIX', 'b:', 'a:']][turn % 3]
            a = Listener(s, *words)
            mine = random.Random(turn).sample(keys[12:], 5)
            for k in mine:
                control.call('SET', k, turn)
            seen = a.barrier()
            found = hashes(seen)[0] if 'HASHED' in words else {x[3:].decode() for x in seen}
            wanted = {known[k] for k in mine} if 'HASHED' in words else set(mine)
            assert a.lost or found >= wanted, (words, wanted - found)
            silent += a.lost > 0
            a.c.close()
            told = hashes(hashed.barrier())[0]
            assert told >= {known[k] for k in mine}
            time.sleep(0.03 * (turn % 4))
        stop.set()
        for t in threads:
            t.join()
        equal(hashed.lost, 0)
        assert silent < 16, 'it is not always lost'


def test_feed_many_prefixes():
    """Listeners with all kinds of prefixes are told what one that wants everything says they should be, wherever they stand."""
    with Server(threads=2) as s, s.client() as w:
        r, letters = random.Random(1), 'abc'
        word = lambda n: ''.join(r.choice(letters) for _ in range(n))
        plain, known, others = Listener(s), {}, []
        oracle = Listener(s, 'HASHED')
        names = sorted({word(r.randrange(1, 7)) for _ in range(150)})
        for k in names:
            w.call('SET', k, 1)
            plain.barrier()
            (known[k.encode()],), _ = hashes(oracle.barrier())
        for i in range(60):
            prefixes = [word(r.choice((0, 1, 1, 2, 3, 4, 8))) for _ in range(r.randrange(1, 4))] if i else ['a', 'ab', 'a']
            prefixes = prefixes if i % 7 else ['same']
            others.append((prefixes, i % 2, Listener(s, *['HASHED'] * (i % 2), 'PREFIX', *prefixes)))
        for turn in range(6):
            if turn == 3:  # some leave, and new ones come, with wishes that there were and with others
                for _, _, a in others[:20]:
                    a.c.close()
                others[:20] = [(p, 1, Listener(s, 'HASHED', 'PREFIX', *p)) for p in [o[0] for o in others[10:20]] + [[word(2)] for _ in range(10)]]
                plain.barrier()
            for _ in range(10):
                w.send(b''.join(Client.encode('SET', r.choice(names), 1) for _ in range(60)))
                for _ in range(60):
                    w.reply()
                others[r.randrange(60)][2].c.send(Client.encode('PING', 'early'))  # it is ahead of the others then
            w.call('CACHE', 'INVALIDATE', 'ab*', '*zz')
            if turn % 2:
                w.call('FLUSHDB')
            told = plain.barrier()
            for prefixes, hashed, a in others:
                wanted = [c for c in told if c[:1] == b'f' or c == b'p0 *zz' or
                          any(c[3:].startswith(p.encode()) or (c == b'p0 ab*' and 'ab'.startswith(p[:2])) for p in prefixes)]
                seen, odd = a.barrier(), lambda c: c[:1] != b'k'
                if hashed:
                    equal(hashes(seen), ({known[c[3:]] for c in wanted if not odd(c)}, list(filter(odd, wanted))))
                else:
                    equal(seen, wanted)
                equal((a.lost, a.next), (0, plain.next))


def test_feed_tells_many_in_turn():
    """More listeners than one turn tells, of all kinds, some of which leave in the middle: each hears everything."""
    with Server(threads=1) as s, s.client() as w:
        kinds = [[], ['HASHED'], ['PREFIX', 'key:1'], ['HASHED', 'PREFIX', 'key:1'], ['PREFIX', 'nothing']]
        listeners = [(i % 5, Listener(s, *kinds[i % 5])) for i in range(150)]
        for turn in range(6):
            for _ in range(20):
                w.send(b''.join(Client.encode('SET', 'key:%d:%d' % (j % 3, j), 'x') for j in range(200)))
                for _ in range(200):
                    w.reply()
            for _, left in listeners[:20]:
                left.c.close()
            del listeners[:20]
            for kind, a in listeners:
                seen = a.barrier()
                a.keys = getattr(a, 'keys', set()) | (hashes(seen)[0] if kind in (1, 3) else set(seen))
                equal(len(a.keys), (200, 200, 67, 67, 0)[kind])
                equal(a.lost, 0)
                equal(a.next, listeners[0][1].next)


def test_lease_is_one_at_a_time():
    with Server(threads=4) as s, s.client() as control:
        loads, wrong = [], []

        def caller(n):
            with s.client() as c:
                for i in range(60):
                    key = 'key:%d' % (i // 3)
                    status, value, ms, token = c.call('CACHE', 'FETCH', key, 'LEASE', 20000, 'WAIT', 20000)
                    if status == b'lease':
                        loads.append(key)
                        if not c.call('CACHE', 'FILL', key, token, key + ' loaded'):
                            wrong.append('void')
                    elif status != b'hit' or value != (key + ' loaded').encode():
                        wrong.append((status, value))
        threads = [threading.Thread(target=caller, args=(n,)) for n in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not wrong, wrong[:5]
        equal(sorted(loads), sorted('key:%d' % i for i in range(20)))
        equal(int(control.info('blocked_clients')), 0)


def test_lease_of_who_leaves_goes_on():
    with Server(threads=4) as s, s.client() as control:
        clients = [s.client() for _ in range(10)]
        equal(clients[0].call('CACHE', 'FETCH', 'k')[0], b'lease')
        for n, c in enumerate(clients[1:], 1):
            c.send(Client.encode('CACHE', 'FETCH', 'k', 'WAIT', 60000))
            until(lambda: int(control.info('blocked_clients')) == n, 'it waits')
        for a, b in zip(clients, clients[1:]):
            a.close()
            equal(b.reply()[0], b'lease')
        clients[-1].close()
        until(lambda: control.call('CACHE', 'FETCH', 'k')[0] == b'lease', 'the lease is free')


def test_leases_under_changes():
    """Loads that began before a change are never stored after it."""
    with Server(threads=4) as s:
        truth, lock, stop, wrong = {'v': 0}, threading.Lock(), threading.Event(), []

        def load():
            with s.client() as c:
                while not stop.is_set():
                    status, value, ms, token = c.call('CACHE', 'FETCH', 'k', 'WAIT', 1000)
                    if status == b'lease':
                        with lock:
                            v = truth['v']
                        c.call('CACHE', 'FILL', 'k', token, v)

        def change(n):
            with s.client() as c:
                r = random.Random(n)
                for i in range(200):
                    with lock:
                        truth['v'] += 1
                        now = truth['v']
                    c.call(*r.choice([('DEL', 'k'), ('CACHE', 'INVALIDATE', 'k*'), ('CACHE', 'INVALIDATE', 'a*', '[k]'), ('FLUSHALL', 'ASYNC')]))
                    value = c.call('GET', 'k')
                    if value is not None and int(value) < now:
                        wrong.append((now, value))
        threads = [threading.Thread(target=load) for _ in range(6)]
        writers = [threading.Thread(target=change, args=(n,)) for n in range(2)]
        for t in threads + writers:
            t.start()
        for t in writers:
            t.join()
        stop.set()
        for t in threads:
            t.join()
        assert not wrong, wrong[:5]


class Near:
    """A client with a cache of its own, kept true by CLIENT TRACKING on the same connection."""

    def __init__(self, server, *words):
        self.c, self.cache = server.client(), {}
        self.c.call('HELLO', 3)
        self.c.call('CLIENT', 'TRACKING', 'ON', *words)

    def reply(self):
        while isinstance(r := self.c.reply(), list) and r and r[0] == b'invalidate':
            if r[1] is None:
                self.cache.clear()
            else:
                for k in r[1]:
                    self.cache.pop(k, None)
        return r

    def read(self, *keys):
        self.c.send(Client.encode('MGET', *keys))
        for k, v in zip(keys, self.reply()):
            self.cache[k] = v

    def settle(self):
        self.c.send(Client.encode('PING'))
        self.reply()


def test_tracking_tells_of_what_expires():
    with Server(threads=2) as s, s.client() as w:
        near, ms = Near(s), 50
        while near.cache.get(b'e') is None:  # over before it was read: then longer
            w.call('SET', 'e', 'v', 'PX', ms)
            ms *= 2
            near.settle()
            near.settle()  # what is told of SET itself has arrived
            near.read(b'e')
        until(lambda: w.call('GET', 'e') is None, 'it expires')

        def told():
            near.settle()
            return b'e' not in near.cache
        until(told, 'who read it is told')


def test_tracking_is_never_stale():
    keys = [b'key:%d' % i for i in range(40)]
    for words in ([], ['BCAST'], ['BCAST', 'PREFIX', 'key:'], ['NOLOOP']):
        with Server('--tracking-table-max-keys', '30', threads=4) as s, s.client() as control:
            def read(n):
                r = random.Random(n)
                for _ in range(150):
                    near[n].read(*r.sample(keys, 3))

            def write(n):
                r = random.Random(100 + n)
                with s.client() as c:
                    for i in range(300):
                        k = r.choice(keys)
                        c.call(*r.choice([('SET', k, i), ('SET', k, i), ('APPEND', k, 'x'), ('DEL', k), ('SET', k, i, 'PX', 3), ('RENAME', k, r.choice(keys)),
                                          ('CACHE', 'INVALIDATE', 'key:1*'), ('FLUSHALL',), ('GETEX', k, 'PERSIST'), ('COPY', k, r.choice(keys), 'REPLACE')][:10 if i % 10 == 0 else 6]))
            near = [Near(s, *words) for _ in range(6)]
            threads = [threading.Thread(target=f, args=(n,)) for n in range(6) for f in (read, write)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            for k in keys:
                control.call('PERSIST', k)
            truth = dict(zip(keys, control.call('MGET', *keys)))
            for n in near:  # what was on its way to its thread has arrived once it answers twice
                n.settle()

            def all_true():
                for n in near:
                    n.settle()
                return all(n.cache[k] == truth[k] for n in near for k in n.cache)
            until(all_true, 'caches are true')
            for n in near:
                n.c.close()
            until(lambda: control.info('tracking_clients') == '0' and control.info('tracking_total_items') == '0' and
                  control.info('tracking_total_keys') == '0' and control.info('tracking_total_prefixes') == '0', 'nothing is left behind')


def test_pubsub_in_order_on_many_threads():
    with Server(threads=4) as s:
        subscribers = [s.client() for _ in range(12)]
        for i, c in enumerate(subscribers):
            c.call(*(('SUBSCRIBE', 'news') if i % 2 else ('PSUBSCRIBE', 'n*')))

        def publish(n):
            with s.client() as c:
                for i in range(200):
                    equal(c.call('PUBLISH', 'news', '%d:%d' % (n, i)), 12)
        threads = [threading.Thread(target=publish, args=(n,)) for n in range(3)]
        for t in threads:
            t.start()
        for c in subscribers:
            last = [-1] * 3
            for _ in range(600):
                n, i = map(int, c.reply()[-1].split(b':'))
                equal(i, last[n] + 1)
                last[n] = i
        for t in threads:
            t.join()


def test_pubsub_slow_subscriber_is_closed():
    with Server('--client-output-buffer-limit', 'pubsub', '1mb', '0', '0', threads=2) as s, s.client() as p:
        slow = Client(('127.0.0.1', s.port), rcvbuf=4096)
        slow.call('SUBSCRIBE', 'a')
        for _ in range(200):
            if not p.call('PUBLISH', 'a', 'x' * 100000):
                break
        until(lambda: p.call('PUBSUB', 'NUMSUB', 'a')[1] == 0, 'it is closed')
        equal(p.info('client_output_buffer_limit_disconnections'), '1')


def test_subscribers_come_and_go():
    with Server(threads=4) as s, s.client() as control:
        def come_and_go(n):
            r = random.Random(n)
            for _ in range(25):
                c = s.client()
                for _ in range(r.randrange(1, 6)):
                    c.send(Client.encode(r.choice(['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE', 'UNSUBSCRIBE']), 'c%d' % r.randrange(4)))
                c.send(Client.encode('PING', 'x'))
                try:
                    while c.reply() not in ([b'pong', b'x'], b'x'):
                        pass
                except Closed:
                    pass
                c.close()

        def publish(n):
            with s.client() as c:
                for i in range(300):
                    c.call(*(('PUBLISH' if i % 2 else 'SPUBLISH'), 'c%d' % (i % 4), 'x' * (10 if i % 3 else 9000)))
        threads = [threading.Thread(target=f, args=(n,)) for n in range(4) for f in (come_and_go, publish)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        until(lambda: control.call('PUBSUB', 'CHANNELS') == [] and control.call('PUBSUB', 'NUMPAT') == 0, 'nobody is left')
