import os
import re
import resource
import threading

from larder import Client, Server, Skip, equal, raised_files, until


def test_connections_go_to_the_thread_with_the_fewest():
    with Server(threads=2) as s:
        clients = [s.client() for _ in range(8)]
        for c in clients:
            equal(c.call('PING'), 'PONG')
        equal(clients[0].info('connected_clients'), '8')
        listed = clients[3].call('CLIENT', 'LIST').decode().strip().split('\n')
        equal(len(listed), 8, 'CLIENT LIST shows those of all threads')
        for c in clients[1:]:
            c.close()
        until(lambda: clients[0].info('connected_clients') == '1', 'the others are gone')


SPARE = 80 # descriptors for everything but connections


def many_connections(n):
    raised_files(n + SPARE)
    with Server('--maxclients', str(n + 16)) as s:
        with s.client() as first:
            if int(first.call('CONFIG', 'GET', 'maxclients')[1]) < n + 16:
                raise Skip('the daemon may not open that many files')
            clients = []
            try:
                for i in range(n):
                    clients.append(Client(('127.0.0.1', s.port)))
                    if i % 500 == 499:
                        equal(clients[-1].call('PING'), 'PONG')
                for c in clients:
                    c.send(b'PING\r\n')
                for c in clients:
                    equal(c.reply(), 'PONG')
                equal(first.info('connected_clients'), str(n + 1))
                idle = int(first.info('mem_clients_normal'))
                assert idle < n * 4096, 'an idle connection takes %d bytes' % (idle // n)
            finally:
                for c in clients:
                    c.close()
            until(lambda: first.info('connected_clients') == '1', 'all are gone')


def test_nine_thousand_connections():
    many_connections(9000)


def test_twenty_thousand_connections():
    """Or as many as the limit of open files lets one process have, where that cannot be raised."""
    try:
        raised_files(20000 + SPARE)
        n = 20000
    except Skip:
        n = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE
    many_connections(n)


def test_over_maxclients_one_is_told_and_closed():
    with Server('--maxclients', '3') as s:
        clients = [s.client() for _ in range(3)]
        for c in clients:
            equal(c.call('PING'), 'PONG')
        with s.client() as fourth:
            equal(fourth.at_end(), b'-ERR max number of clients reached\r\n')
        equal(clients[0].info('rejected_connections'), '1')
        clients.pop().close()
        until(lambda: clients[0].info('connected_clients') == '2', 'there is room again')
        with s.client() as c:
            equal(c.call('PING'), 'PONG')
            equal(clients[0].call('CONFIG', 'SET', 'maxclients', '10'), 'OK')
            with s.client() as d:
                equal(d.call('PING'), 'PONG')


def test_idle_connections_are_closed_after_timeout():
    with Server('--timeout', '1') as s:
        def served_and_closed():  # at once, where a second goes by before its request comes: then another one
            with s.client() as c:
                try:
                    c.send(b'PING\r\n')
                except (BrokenPipeError, ConnectionResetError):
                    pass
                got = c.at_end()
                assert got in (b'', b'+PONG\r\n'), got
                return got != b''
        until(served_and_closed, 'it is served and then closed')


def test_quit_and_the_peer_leaving():
    with Server() as s:
        with s.client() as c:
            c.send(b'SET a 1\r\nQUIT\r\nSET a 2\r\n')
            equal(c.at_end(), b'+OK\r\n+OK\r\n')
        with s.client() as c:
            equal(c.call('GET', 'a'), b'1', 'nothing behind QUIT is executed')
            for _ in range(50):
                d = s.client()
                d.send(b'GET a\r\n' * 100)
                d.close()
            until(lambda: c.info('connected_clients') == '1', 'those who left are gone')


def test_half_closed_connections_get_their_replies():
    with Server() as s:
        with s.client() as c:
            c.send(b'SET a 1\r\nGET a\r\n')
            import socket
            c.sock.shutdown(socket.SHUT_WR)
            equal(c.at_end(), b'+OK\r\n$1\r\n1\r\n')
        with s.client() as c:
            c.call('DEBUG', 'POPULATE', '50000')
            c.send(b'KEYS *7\r\nPING\r\n')
            c.sock.shutdown(socket.SHUT_WR)
            got = c.at_end()
            assert got.startswith(b'*5000\r\n'), got[:40]


def test_kill_across_threads():
    with Server(threads=2) as s:
        clients = [s.client() for _ in range(8)]
        ids = [c.call('CLIENT', 'ID') for c in clients]
        for i in range(1, 8):
            equal(clients[0].call('CLIENT', 'KILL', 'ID', ids[i]), 1)
            equal(clients[i].at_end(), b'')
        until(lambda: clients[0].info('connected_clients') == '1', 'all are gone')
        clients[0].send(Client.encode('CLIENT', 'KILL', 'ID', ids[0], 'SKIPME', 'no'))
        equal(clients[0].at_end(), b':1\r\n', 'its own: after the reply')


def test_pause_holds_all_threads_and_loses_nothing():
    with Server(threads=2) as s:
        a, b, c, admin = s.client(), s.client(), s.client(), s.client()
        equal(admin.call('CLIENT', 'PAUSE', '3600000', 'WRITE'), 'OK')
        for i, x in enumerate((a, b)):
            x.send(Client.encode('SET', 'k%d' % i, 'v') + Client.encode('GET', 'k%d' % i) + Client.encode('PING'))
        equal(c.call('GET', 'k0'), None, 'reads go on')
        equal(c.call('GET', 'k1'), None)
        assert a.silent() and b.silent(), 'writes wait, and what is behind them'
        gone = s.client()
        gone.send(Client.encode('SET', 'gone', 'v'))
        until(lambda: admin.info('connected_clients') == '5', 'it is there')
        gone.close()
        until(lambda: admin.info('connected_clients') == '4', 'one that leaves while it is held is gone')
        equal(admin.call('CLIENT', 'UNPAUSE'), 'OK')
        for x in (a, b):
            equal([x.reply(), x.reply(), x.reply()], ['OK', b'v', 'PONG'])
        equal(admin.call('GET', 'gone'), None)
        equal(admin.call('CLIENT', 'PAUSE', '50', 'ALL'), 'OK')
        equal(a.call('PING'), 'PONG', 'a pause ends by itself')


def test_one_blocked_by_wait_leaves():
    with Server() as s:
        with s.client() as c, s.client() as d:
            c.send(Client.encode('WAIT', '3', '0'))
            until(lambda: 'cmd=wait' in d.call('CLIENT', 'LIST').decode(), 'it waits')
            c.close()
            until(lambda: d.info('connected_clients') == '1', 'it is gone')
            equal(d.call('WAIT', '1', '20'), 0)


def test_many_clients_of_two_threads_count_right():
    with Server(threads=2) as s:
        def work(n):
            with s.client() as c:
                for _ in range(50):
                    c.send(Client.encode('INCR', 'n') * 20)
                    for _ in range(20):
                        c.reply()
        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        with s.client() as c:
            equal(c.call('GET', 'n'), b'8000')


def test_monitor_sees_other_threads():
    with Server(threads=2) as s:
        m, a, b = s.client(), s.client(), s.client()
        equal(m.call('MONITOR'), 'OK')
        a.call('SET', 'x', '1')
        b.call('GET', 'x')
        seen = sorted(re.sub(r'^[\d.]+ \[0 [\d.:]+\] ', '', m.reply()) for _ in range(2))
        equal(seen, ['"GET" "x"', '"SET" "x" "1"'])


def test_threads_have_names():
    with Server(threads=3) as s:
        def names():
            for t in os.listdir('/proc/%d/task' % s.pid):
                with open('/proc/%d/task/%s/comm' % (s.pid, t)) as f:
                    yield f.read().strip()
        until(lambda: {'larder-1', 'larder-2'} <= set(names()), 'each names itself')
