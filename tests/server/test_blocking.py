"""Clients that wait for keys, on several threads: every element goes to one of them, in order, and nobody is forgotten."""
import os
import random
import signal
import subprocess
import sys
import threading
import time

from larder import Client, Closed, Server, equal, in_threads, raised_files, until


def blocked(c):
    return int(c.info('blocked_clients'))


def wait_in_turn(clients, control, *request):
    """Each of them is waiting before the next one asks."""
    for n, c in enumerate(clients, blocked(control) + 1):
        c.send(Client.encode(*request))
        until(lambda: blocked(control) == n, 'client %d waits' % n)


def test_first_come_first_served_across_threads():
    with Server(threads=3) as s, s.client() as control:
        clients = [s.client() for _ in range(30)]
        wait_in_turn(clients, control, 'BLPOP', 'q', 0)
        producers = [s.client() for _ in range(3)]
        for i in range(30):
            equal(producers[i % 3].call('RPUSH', 'q', i), 1)
        for i, c in enumerate(clients):
            equal(c.reply(), [b'q', str(i).encode()])
        equal(control.call('EXISTS', 'q'), 0)
        equal(control.info('total_blocking_keys'), '0')


def test_one_command_serves_thousands():
    """More than are served under the locks at once: the order is the same."""
    n = 2500
    raised_files(n + 100)
    with Server(threads=2) as s, s.client() as control:
        clients = [s.client() for _ in range(n)]
        for c in clients:
            equal(c.call('PING'), 'PONG')
        for at in range(0, n, 250):
            for c in clients[at:at + 250]:
                c.send(Client.encode('BLPOP', 'q%d' % (at // 250), 0))
        until(lambda: blocked(control) == n, 'all of them wait')
        equal(control.info('total_blocking_keys'), '10')
        for q in range(10):
            equal(control.call('RPUSH', 'q%d' % q, *range(300)), 300)
        for q in range(10):
            got = [int(c.reply()[1]) for c in clients[q * 250:q * 250 + 250]]
            equal(sorted(got), list(range(250)), 'each element went to one of them')
            equal(control.call('LLEN', 'q%d' % q), 50)
        for c in clients:
            c.send(Client.encode('BLPOP', 'one', 0))
        until(lambda: blocked(control) == n, 'all of them wait again')
        equal(control.call('RPUSH', 'one', *range(n)), n)
        equal(sorted(int(c.reply()[1]) for c in clients), list(range(n)))
        equal(control.call('EXISTS', 'one'), 0)


def test_every_element_reaches_one_consumer():
    lists, producers, consumers, each = 4, 4, 12, 400
    with Server(threads=3) as s:
        got = [[] for _ in range(consumers)]

        def produce(number):
            with s.client() as c:
                rng = random.Random(number)
                for i in range(0, each, 4):
                    batch = [Client.encode(rng.choice(['RPUSH', 'LPUSH']), 'q%d' % rng.randrange(lists), '%d:%d' % (number, i + k))
                             for k in range(4)]
                    c.send(b''.join(batch))
                    for _ in batch:
                        assert isinstance(c.reply(), int)

        def consume(number):
            with s.client() as c:
                rng = random.Random(1000 + number)
                while True:
                    keys = ['q%d' % k for k in rng.sample(range(lists), rng.randrange(1, lists + 1))] + ['end']
                    if number % 3 == 0:
                        key, values = c.call('BLMPOP', 0, len(keys), *keys, 'LEFT', 'COUNT', 3)
                    else:
                        key, *values = c.call(rng.choice(['BLPOP', 'BRPOP']), *keys, 0)
                    if key == b'end':
                        return
                    got[number] += values

        workers = [threading.Thread(target=consume, args=(i,)) for i in range(consumers)]
        for w in workers:
            w.start()
        in_threads([lambda i=i: produce(i) for i in range(producers)])
        with s.client() as c:
            until(lambda: c.call('EXISTS', *['q%d' % k for k in range(lists)]) == 0, 'all is taken')
            for w in workers:
                c.call('RPUSH', 'end', *range(len(workers) * 3))
                w.join()
            want = sorted(b'%d:%d' % (p, i) for p in range(producers) for i in range(each))
            equal(sorted(sum(got, [])), want)
            until(lambda: blocked(c) == 0, 'nobody waits')
            equal(c.info('total_blocking_keys'), '0')


def test_rings_of_movers():
    """Tokens go round several lists, each moved by two clients: no deadlock, and as many as there were."""
    keys, rounds, tokens = 5, 120, 3
    with Server(threads=3) as s, s.client() as control:
        for i in range(tokens):
            control.call('RPUSH', 'r0', 'token%d' % i)

        def go_round(number):
            with s.client() as c:
                here = number % keys
                for _ in range(rounds):
                    reply = c.call('BLMOVE', 'r%d' % here, 'r%d' % ((here + 1) % keys), 'LEFT', 'RIGHT', 20)
                    assert reply is None or reply.startswith(b'token'), reply

        def disturb():
            with s.client() as c:
                for i in range(200):
                    equal(c.call('LPOP', 'nothing'), None)
                    c.call('RENAMENX', 'r%d' % (i % keys), 'r%d' % ((i + 2) % keys))

        # Whoever has done its rounds leaves the others fewer hands, so one more mover for each list goes on until all are done.
        helpers, done = [], threading.Event()

        def help_on(number):
            with s.client() as c:
                while not done.is_set():
                    c.call('BLMOVE', 'r%d' % number, 'r%d' % ((number + 1) % keys), 'LEFT', 'RIGHT', 0.02)
        for k in range(keys):
            helpers.append(threading.Thread(target=help_on, args=(k,)))
            helpers[-1].start()
        in_threads([lambda i=i: go_round(i) for i in range(2 * keys)] + [disturb])
        done.set()
        for h in helpers:
            h.join()
        found = sum((control.call('LRANGE', 'r%d' % k, 0, -1) for k in range(keys)), [])
        equal(sorted(found), [b'token%d' % i for i in range(tokens)])
        until(lambda: blocked(control) == 0, 'nobody waits')
        equal(control.info('total_blocking_keys'), '0')


def test_a_reliable_queue():
    """BRPOPLPUSH into a list of work under way, LREM when it is done."""
    n = 300
    with Server(threads=2) as s, s.client() as control:
        done = []

        def work(number):
            with s.client() as c:
                mine = 'doing%d' % number
                while True:
                    job = c.call('BRPOPLPUSH', 'jobs', mine, 0)
                    equal(c.call('LREM', mine, 0, job), 1)
                    if job.startswith(b'stop'):
                        return
                    done.append(job)
        workers = [threading.Thread(target=work, args=(i,)) for i in range(6)]
        for w in workers:
            w.start()
        for i in range(n):
            control.call('LPUSH', 'jobs', 'job%d' % i)
        for i in range(6):
            control.call('LPUSH', 'jobs', 'stop%d' % i)
        for w in workers:
            w.join()
        equal(sorted(done), sorted(b'job%d' % i for i in range(n)))
        equal(control.call('DBSIZE'), 0)


def test_times_are_over_in_time():
    with Server(threads=2) as s, s.client() as control:
        clients = [s.client() for _ in range(40)]
        start = time.monotonic()
        for i, c in enumerate(clients):
            c.send(Client.encode('BZPOPMIN', 'z%d' % (i % 7), 0.02 + i % 5 * 0.02))
        for i, c in enumerate(clients):
            equal(c.reply(), None)
            assert time.monotonic() - start >= 0.02 + i % 5 * 0.02, 'too early'
        equal(control.info('total_blocking_keys'), '0')
        equal(control.info('clients_in_timeout_table'), '0')
        equal(control.call('ZADD', 'z0', 1, 'a'), 1)
        equal(control.call('ZCARD', 'z0'), 1)


CHILD = '''
import sys
sys.path.insert(0, sys.argv[1])
from larder import Client
clients = [Client(('127.0.0.1', int(sys.argv[2]))) for _ in range(20)]
for i, c in enumerate(clients):
    c.send(Client.encode('BLMOVE', 'q', 'other', 'LEFT', 'LEFT', 0) if i % 3 == 0 else Client.encode('BLPOP', 'x', 'q', 0))
clients[0].reply()
'''


def test_clients_that_are_killed_leave_nothing():
    with Server(threads=2) as s, s.client() as control:
        child = subprocess.Popen([sys.executable, '-c', CHILD, os.path.dirname(os.path.abspath(__file__)), str(s.port)])
        try:
            until(lambda: blocked(control) == 20, 'all of them wait')
            with s.client() as last:
                last.send(Client.encode('BLPOP', 'q', 0))
                until(lambda: blocked(control) == 21, 'one more waits')
                child.send_signal(signal.SIGKILL)
                child.wait()
                until(lambda: blocked(control) == 1, 'the others are gone')
                equal(control.info('total_blocking_keys'), '1')
                equal(control.call('RPUSH', 'q', 'a', 'b'), 2)
                equal(last.reply(), [b'q', b'a'])
                equal(control.call('LRANGE', 'q', 0, -1), [b'b'])
        finally:
            child.kill()
            child.wait()


def test_client_kill_from_another_thread():
    """From the reply on nothing goes to who was killed."""
    with Server(threads=2) as s, s.client() as control:
        for round_ in range(20):
            with s.client() as victim, s.client() as other:
                number = victim.call('CLIENT', 'ID')
                victim.send(Client.encode('BLPOP', 'q%d' % round_, 0))
                until(lambda: blocked(control) == 1, 'it waits')
                equal(other.call('CLIENT', 'KILL', 'ID', number), 1)
                equal(control.call('RPUSH', 'q%d' % round_, 'x'), 1)
                equal(control.call('LLEN', 'q%d' % round_), 1)
                equal(victim.at_end(), b'')


def test_unblock_from_another_thread():
    with Server(threads=2) as s, s.client() as control:
        for error in (False, True) * 5:
            with s.client() as c:
                number = c.call('CLIENT', 'ID')
                c.send(Client.encode('BLPOP', 'q', 0) + Client.encode('PING'))
                until(lambda: blocked(control) == 1, 'it waits')
                equal(control.call('CLIENT', 'UNBLOCK', number, 'ERROR' if error else 'TIMEOUT'), 1)
                equal(c.reply(), 'UNBLOCKED client unblocked via CLIENT UNBLOCK' if error else None)
                equal(c.reply(), 'PONG')
        equal(control.call('RPUSH', 'q', 'a'), 1)
        equal(control.call('LLEN', 'q'), 1)


def test_waiting_costs_no_cpu():
    with Server(threads=2) as s, s.client() as control:
        clients = [s.client() for _ in range(100)]
        for i, c in enumerate(clients):
            c.send(Client.encode('BLPOP', 'q%d' % i, i % 2 * 1000))
        until(lambda: blocked(control) == 100, 'all of them wait')

        def cpu():
            with open('/proc/%d/stat' % s.pid) as f:
                fields = f.read().rsplit(')', 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
        before = cpu()
        time.sleep(0.3)
        used = cpu() - before
        assert used < 0.15, '%.2f s of CPU in 0.3 s' % used
        for i, c in enumerate(clients):
            control.call('RPUSH', 'q%d' % i, 'x')
            equal(c.reply(), [b'q%d' % i, b'x'])


def test_a_shutdown_with_waiters():
    with Server(threads=2) as s:
        clients = [s.client() for _ in range(10)]
        with s.client() as control:
            for i, c in enumerate(clients):
                c.send(Client.encode('BLMOVE', 'q', 'r', 'LEFT', 'LEFT', 0) if i % 2 else Client.encode('BLPOP', 'q', 'r', 's', 100))
            until(lambda: blocked(control) == 10, 'all of them wait')
            control.send(Client.encode('SHUTDOWN', 'NOSAVE'))
            for c in clients:
                try:
                    equal(c.reply(), 'nothing')
                except (Closed, ConnectionResetError):
                    pass
            equal(s.wait(), 0)
