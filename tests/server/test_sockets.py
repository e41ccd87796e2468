import fcntl
import os
import random
import resource
import socket
import stat

from larder import Client, Closed, Server, Skip, equal, raised_files, until


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as s:
            s.bind(('::1', 0))
        return True
    except OSError:
        return False


def test_port_zero_takes_a_free_port_and_says_which():
    with Server() as a, Server() as b:
        assert a.port and b.port and a.port != b.port
        with a.client() as c:
            equal(c.info('tcp_port'), str(a.port))


def test_unix_socket_with_its_mode():
    with Server('--unixsocket', '@DIR@/larder.sock', '--unixsocketperm', '700') as s:
        equal(s.port, None, 'port 0 with another way in: no TCP')
        equal(stat.S_IMODE(os.stat(s.path).st_mode), 0o700)
        with s.client() as c:
            equal(c.call('PING'), 'PONG')
            line = c.call('CLIENT', 'INFO').decode()
            assert 'addr=%s:0 ' % s.path in line and 'laddr=%s:0 ' % s.path in line, line
            assert ' flags=U ' in line, line
        path = s.path
        equal(s.stop(), 0)
        assert not os.path.exists(path), 'removed at the end'


def test_tcp_and_unix_at_once():
    with on_a_port('--unixsocket', '@DIR@/l.sock') as s:
        assert s.port and s.path
        with Client(s.path) as a, s.client() as b:
            a.call('SET', 'x', '1')
            equal(b.call('GET', 'x'), b'1')


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def on_a_port(*args):
    """A daemon with a port beside a Unix socket; somebody else may take the port before it does: then another one."""
    while True:
        try:
            return Server(*args, '--port', str(free_port()))
        except AssertionError as e:
            if 'Address already in use' not in str(e):
                raise


def moved(c, *more):
    """It listens at another port; which."""
    while (reply := c.call('CONFIG', 'SET', *more, 'port', port := free_port())) != 'OK':
        assert 'Unable to listen' in reply, reply
    return port


def test_several_addresses():
    with Server('--bind', '127.0.0.1', '127.0.0.2', '-192.0.2.7') as s:
        for host in ('127.0.0.1', '127.0.0.2'):
            with Client((host, s.port)) as c:
                equal(c.call('PING'), 'PONG')
        try:
            Client(('127.0.0.3', s.port)).close()
            raise AssertionError('listens where nobody asked it to')
        except ConnectionRefusedError:
            pass


def test_ipv6():
    if not has_ipv6():
        raise Skip('no IPv6 here')
    with Server('--bind', '::1', '127.0.0.1') as s:
        with Client(('::1', s.port)) as c:
            equal(c.call('PING'), 'PONG')
            assert ' addr=[::1]:' in c.call('CLIENT', 'INFO').decode()
        with s.client() as c:
            equal(c.call('PING'), 'PONG')


def test_a_chosen_port_is_free_on_every_address():
    if not has_ipv6():
        raise Skip('no IPv6 here')
    raised_files(10100)
    taken = []
    try:
        with open('/proc/sys/net/ipv4/ip_local_port_range') as f:
            low, high = (int(word) for word in f.read().split())
        for port in random.sample(range(low, high), min(10000, (high - low) // 2)):
            s = socket.socket()
            taken.append(s)
            try:
                s.bind(('127.0.0.1', port))
                s.listen(1)
            except OSError:
                pass  # somebody else has it: as good
        for _ in range(5):
            with Server('--bind', '::1', '127.0.0.1') as server:
                with server.client() as c:
                    equal(c.call('PING'), 'PONG')
    finally:
        for s in taken:
            s.close()


def test_default_addresses():
    with Server() as s:
        with s.client() as c:
            equal(c.call('CONFIG', 'GET', 'bind'), [b'bind', b'* -::*'])


def test_address_in_use_is_an_error():
    with Server() as s:
        with Server('--port', str(s.port), ready=False) as t:
            equal(t.wait(), 1)
            assert 'Address already in use' in t.said(), t.said()
            t.crash = True  # a status of 1 is what is wanted


def test_port_and_bind_change_while_it_runs():
    with Server() as s:
        with s.client() as c:
            port = moved(c)
            with Client(('127.0.0.1', port)) as d:
                equal(d.call('PING'), 'PONG')
            equal(c.call('PING'), 'PONG', 'who is there stays')
            until(lambda: refused(s.port), 'the old port is closed')
            with Server() as other:
                reply = c.call('CONFIG', 'SET', 'port', other.port)
                assert reply.startswith('ERR CONFIG SET failed'), reply
            equal(c.call('CONFIG', 'GET', 'port'), [b'port', b'%d' % port])
            with Client(('127.0.0.1', port)) as d:
                equal(d.call('PING'), 'PONG')


def test_addresses_change_and_the_others_stay():
    with on_a_port('--bind', '127.0.0.1', '--unixsocket', '@DIR@/s') as s, s.client() as c:
        path = c.call('CONFIG', 'GET', 'unixsocket')[1].decode()

        def answers(port, host='127.0.0.1'):
            with Client((host, port)) as d:
                equal(d.call('PING'), 'PONG')
            with Client(path) as d:
                equal(d.call('PING'), 'PONG')

        first = s.port
        for host in ('127.0.0.2', '127.0.0.3'):
            equal(c.call('CONFIG', 'SET', 'bind', '127.0.0.1 ' + host), 'OK')
            until(lambda: not refused(first, host), 'the added address is open')
            answers(first)
        until(lambda: refused(first, '127.0.0.2'), 'the address that went is closed')
        # Both at once, then both refused: what was is again.
        port = moved(c, 'bind', '127.0.0.1')
        until(lambda: refused(first), 'the old port is closed')
        answers(port)
        reply = c.call('CONFIG', 'SET', 'port', free_port(), 'bind', '192.0.2.1')
        assert reply.startswith("ERR CONFIG SET failed (possibly related to argument 'port')"), reply
        reply = c.call('CONFIG', 'SET', 'bind', '127.0.0.1 127.0.0.4', 'timeout', '5', 'port', 1, 'bind', 'x')
        assert reply.startswith("ERR CONFIG SET failed"), reply
        answers(port)
        equal(c.call('CONFIG', 'GET', 'port'), [b'port', b'%d' % port])
        equal(c.call('CONFIG', 'GET', 'bind'), [b'bind', b'127.0.0.1'])


def refused(port, host='127.0.0.1'):
    try:
        Client((host, port)).close()
        return False
    except ConnectionRefusedError:
        return True


def test_socket_activation():
    path = '/tmp/larder-activation-%d.sock' % os.getpid()
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(('127.0.0.1', 0))
        tcp.listen(8)
        unix.bind(path)
        unix.listen(8)

        def place():
            # As systemd does: from descriptor 3 on. High copies first, so that none is overwritten.
            high = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 100) for s in (tcp, unix)]
            for to, fd in enumerate(high, 3):
                os.dup2(fd, to)
        try:
            with Server('--port', '6379', before=('/bin/sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$0" "$@"'),
                        popen={'preexec_fn': place, 'close_fds': False}) as s:
                equal(s.port, tcp.getsockname()[1], 'not the port of the settings')
                with s.client() as c, Client(path) as d:
                    equal(c.call('SET', 'a', '1'), 'OK')
                    equal(d.call('GET', 'a'), b'1')
                equal(s.stop(), 0)
                assert os.path.exists(path), 'it belongs to whoever made it'
        finally:
            os.unlink(path)


def test_a_burst_of_connections_without_descriptors_left():
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))
    with Server('--maxclients', '10000', popen={'preexec_fn': few}) as s:
        s.await_line(r'maxclients has been reduced to \d+')
        clients = [Client(('127.0.0.1', s.port)) for _ in range(100)]
        with_room, told = 0, 0
        for c in clients:
            try:
                c.send(b'PING\r\n')
                got = c.sock.recv(100)
            except (BrokenPipeError, ConnectionResetError):
                got = b''
            if got == b'+PONG\r\n':
                with_room += 1
            else:
                told += 1
        assert 30 <= with_room <= 80 and told == 100 - with_room, (with_room, told)
        for c in clients:
            c.close()

        def served():
            try:
                with s.client() as c:
                    return c.call('PING') == 'PONG'
            except (Closed, ConnectionError):
                return False
        until(served, 'there is room again')
