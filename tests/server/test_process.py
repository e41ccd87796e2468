import os
import re
import signal
import socket
import subprocess

from larder import Client, Server, equal, until


def test_terminating_signals_end_it_cleanly():
    for number in (signal.SIGTERM, signal.SIGINT):
        with Server() as s:
            with s.client() as c:
                c.call('SET', 'a', '1')
                equal(s.stop(number), 0)
                equal(c.at_end(), b'')
            s.await_line(r'Received %s scheduling shutdown' % number.name)
            s.await_line(r'bye bye')


def test_shutdown_command_from_any_thread():
    for i in range(4):
        with Server(threads=3) as s:
            clients = [s.client() for _ in range(6)]
            for c in clients:
                c.call('PING')
            clients[i].send(Client.encode('SHUTDOWN', 'NOSAVE'))
            equal(s.wait(), 0)
            for c in clients:
                equal(c.at_end(), b'')


def test_shutdown_under_load():
    with Server(threads=2) as s:
        clients = [s.client() for _ in range(20)]
        for c in clients:
            c.send(Client.encode('SET', 'k', 'x' * 1000) * 50 + Client.encode('KEYS', '*') * 3)
        equal(s.stop(), 0)


def test_a_client_that_leaves_in_the_middle_of_a_reply_does_not_kill_it():
    with Server() as s:
        with s.client() as c:
            c.call('SET', 'v', b'x' * 1000000)
            for _ in range(20):
                d = s.client()
                d.send(Client.encode('GET', 'v') * 5)
                d.more()
                d.close()
            equal(c.call('PING'), 'PONG')


def test_pidfile_is_written_and_removed():
    with Server('--pidfile', '@DIR@/larderd.pid') as s:
        path = os.path.join(s.dir, 'larderd.pid')
        with open(path) as f:
            equal(int(f.read()), s.pid)
        equal(s.stop(), 0)
        assert not os.path.exists(path)


def test_daemonize():
    with Server('--daemonize', 'yes', '--pidfile', '@DIR@/d.pid', '--logfile', '@DIR@/log', '--unixsocket', '@DIR@/s',
                ready=False) as s:
        equal(s.wait(), 0, 'the caller gets its prompt back')
        log, pid = os.path.join(s.dir, 'log'), os.path.join(s.dir, 'd.pid')
        until(lambda: os.path.exists(log) and 'Ready to accept' in open(log).read(), 'it is ready')
        number = int(open(pid).read())
        try:
            with Client(os.path.join(s.dir, 's')) as c:
                equal(int(c.info('process_id')), number)
                c.send(Client.encode('SHUTDOWN'))
                equal(c.at_end(), b'')
            until(lambda: not os.path.exists(pid), 'it ends')
            until(lambda: 'bye bye' in open(log).read(), 'it says so')
        finally:
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                pass


def test_errors_before_the_background_are_the_callers():
    with Server() as other:
        with Server('--daemonize', 'yes', '--port', str(other.port), ready=False) as s:
            equal(s.wait(), 1)
            assert 'Address already in use' in s.said(), s.said()
            s.crash = True


def test_sighup_opens_the_log_again():
    with Server('--logfile', '@DIR@/log', '--unixsocket', '@DIR@/s', ready=False) as s:
        log = os.path.join(s.dir, 'log')
        until(lambda: os.path.exists(log) and 'Ready to accept' in open(log).read(), 'it is ready')
        os.rename(log, log + '.1')
        s.send_signal(signal.SIGHUP, lambda: os.path.exists(log) and 'log reopened' in open(log).read())
        assert 'log reopened' not in open(log + '.1').read()
        with Client(os.path.join(s.dir, 's')) as c:
            equal(c.call('PING'), 'PONG')


def notify_socket(where):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(where)
    sock.settimeout(60)
    return sock


def told(sock):
    """The next thing that it is told, but for how it is, which comes every few seconds."""
    while (text := sock.recv(1000).decode()).startswith('STATUS='):
        pass
    return text


def test_systemd_is_told():
    where = '/tmp/larder-notify-%d' % os.getpid()
    try:
        with notify_socket(where) as sock:
            with Server('--supervised', 'auto', env={'NOTIFY_SOCKET': where}) as s:
                first = sock.recv(1000).decode()
                assert 'READY=1' in first and 'STATUS=' in first, first
                s.send_signal(signal.SIGHUP, lambda: any('log reopened' in line for line in s.lines))
                texts = [told(sock), told(sock)]
                assert 'RELOADING=1' in texts[0] and 'MONOTONIC_USEC=' in texts[0], texts
                assert 'READY=1' in texts[1], texts
                equal(s.stop(), 0)
                assert 'STOPPING=1' in told(sock)
    finally:
        os.unlink(where)


def test_process_title():
    with Server() as s:
        with open('/proc/%d/cmdline' % s.pid, 'rb') as f:
            title = f.read().rstrip(b'\0').decode()
        assert title.startswith('larderd ') and title.endswith(':%d' % s.port), title


def test_a_crash_is_told_of():
    with Server(crash=True) as s:
        with s.client() as c:
            c.call('SET', 'a', 'b')
            s.proc.send_signal(signal.SIGSEGV)
            code = s.wait()
        with s.more:
            while not s.closed:
                s.more.wait(1)
        said = s.said()
        if 'Sanitizer' in said:
            from larder import Skip
            raise Skip('a sanitizer tells of crashes itself')
        equal(code, -signal.SIGSEGV, 'the signal has its way')
        for part in ('BUG REPORT START', 'crashed by signal: SIGSEGV', 'STACK TRACE', 'total_commands_processed:',
                     'db0_keys:1', 'BUG REPORT END'):
            assert part in said, 'no %r in:\n%s' % (part, said)


def test_conf_file_and_its_errors():
    with Server(conf='# all mine\nport 0\nmaxmemory 64mb\nthreads 1\n') as s:
        with s.client() as c:
            equal(c.call('CONFIG', 'GET', 'maxmemory'), [b'maxmemory', b'67108864'])
            equal(c.info('config_file'), s.conf)
    with Server(conf='port 0\nmaxmemory lots\n', ready=False, crash=True) as s:
        equal(s.wait(), 1)
        assert re.search(r'larder\.conf.*\b2\b', s.said()), s.said()


def test_rewrite_keeps_the_file():
    with Server(conf='# mine\nport 0\n# not much\nmaxmemory 64mb\n') as s:
        with s.client() as c:
            equal(c.call('CONFIG', 'SET', 'maxmemory', '32mb'), 'OK')
            equal(c.call('CONFIG', 'REWRITE'), 'OK')
        with open(s.conf) as f:
            text = f.read()
        assert text.startswith('# mine\nport 0\n') and 'maxmemory 32mb' in text, text
    with Server() as s:
        with s.client() as c:
            equal(c.call('CONFIG', 'REWRITE'), 'ERR The server is running without a config file')


def test_the_unit_is_hardened():
    from larder import Skip
    unit = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'systemd', 'larderd.service')
    try:
        out = subprocess.run(['systemd-analyze', 'security', '--offline=yes', '--no-pager', unit], capture_output=True,
                             text=True)
    except FileNotFoundError:
        raise Skip('there is no systemd-analyze')
    m = re.search(r'Overall exposure level for \S+: ([\d.]+)', out.stdout)
    if not m and 'unrecognized option' in out.stderr:
        raise Skip('this systemd-analyze cannot look at files')
    assert m, out.stdout + out.stderr
    assert float(m.group(1)) < 2.5, m.group(0)
