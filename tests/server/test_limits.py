import os
import re

from larder import Client, Server, equal, until, worst_used


def test_output_over_the_hard_limit_closes():
    with Server('--client-output-buffer-limit', 'normal', '1mb', '0', '0') as s:
        with s.client() as c:
            c.call('SET', 'v', b'x' * 100000)
            with Client(('127.0.0.1', s.port), rcvbuf=4096) as slow:
                slow.send(Client.encode('GET', 'v') * 200)
                s.await_line(r'# Client id=\d+ .*scheduled to be closed ASAP for overcoming of output buffer limits')
                until(lambda: c.info('connected_clients') == '1', 'it is gone')
            equal(c.info('client_output_buffer_limit_disconnections'), '1')
            equal(c.call('GET', 'v'), b'x' * 100000, 'others are not touched')


def test_output_over_the_soft_limit_for_too_long_closes():
    with Server('--client-output-buffer-limit', 'normal', '0', '100kb', '1') as s:
        with s.client() as c:
            c.call('SET', 'v', b'x' * 100000)
            with Client(('127.0.0.1', s.port), rcvbuf=4096) as slow:
                slow.send(Client.encode('GET', 'v') * 200)
                s.await_line(r'overcoming of output buffer limits')
                until(lambda: c.info('connected_clients') == '1', 'it is gone')


def test_output_limits_can_change_while_it_runs():
    with Server() as s:
        with s.client() as c:
            c.call('SET', 'v', b'x' * 100000)
            equal(c.call('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 500kb 0 0'), 'OK')
            with Client(('127.0.0.1', s.port), rcvbuf=4096) as slow:
                slow.send(Client.encode('GET', 'v') * 200)
                s.await_line(r'overcoming of output buffer limits')


def test_the_largest_clients_go_when_all_hold_too_much():
    with Server('--maxmemory-clients', '20mb') as s:
        with s.client() as c, s.client() as kept, Client(('127.0.0.1', s.port), rcvbuf=4096) as slow:
            equal(kept.call('CLIENT', 'NO-EVICT', 'on'), 'OK')
            equal(c.call('SET', 'v', b'x' * 10000), 'OK')
            for i in range(60):
                slow.send(Client.encode('GET', 'v') * 100)
            s.await_line(r'Evicting client: id=')
            until(lambda: c.info('connected_clients') == '2', 'the one that holds it is gone')
            equal(c.info('evicted_clients'), '1')
            equal(kept.call('PING'), 'PONG')


def test_query_buffer_limit():
    with Server('--client-query-buffer-limit', '1mb') as s:
        with s.client() as c, s.client() as d:
            try:
                c.send(b'*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2000000\r\n' + b'x' * 2000000)
            except (BrokenPipeError, ConnectionResetError):
                pass
            equal(c.at_end(), b'')
            s.await_line(r'Closing client that reached max query buffer length: id=\d+ .*\(qbuf initial bytes: "')
            equal(d.info('client_query_buffer_limit_disconnections'), '1')
            equal(d.call('SET', 'a', b'x' * 900000), 'OK')


def test_bulk_length_limit():
    with Server('--proto-max-bulk-len', '1mb') as s:
        with s.client() as c:
            c.send(b'*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1048577\r\n')
            equal(c.at_end(), b'-ERR Protocol error: invalid bulk length\r\n')


def test_protected_mode_lets_only_this_machine_in():
    import socket
    own = [a[4][0] for a in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect(('192.0.2.1', 9))
        own.append(probe.getsockname()[0])
    except OSError:
        pass
    probe.close()
    other = [a for a in own if not a.startswith('127.')]
    if not other:
        from larder import Skip
        raise Skip('this machine has no address but the loopback')
    with Server('--bind', '*', '--protected-mode', 'yes') as s:
        with Client((other[0], s.port)) as c:
            got = c.at_end()
            assert got.startswith(b'-DENIED Redis is running in protected mode') and got.endswith(b'\r\n'), got
        with s.client() as c:
            equal(c.call('PING'), 'PONG')
            equal(c.call('CONFIG', 'SET', 'protected-mode', 'no'), 'OK')
            with Client((other[0], s.port)) as d:
                equal(d.call('PING'), 'PONG')
            equal(c.call('CONFIG', 'SET', 'protected-mode', 'yes'), 'OK')
            equal(c.call('CONFIG', 'SET', 'requirepass', 'secret'), 'OK')
            with Client((other[0], s.port)) as d:
                equal(d.call('PING'), 'NOAUTH Authentication required.', 'with a password there is no need of it')


def memory_stays_under(policy):
    limit, noise = 24 << 20, os.urandom(3050)  # nothing to compress
    with Server('--maxmemory', str(limit), '--maxmemory-policy', policy, threads=2) as s:
        def write(n, c):
            for r in range(30):
                c.send(b''.join(Client.encode('SET', 'k%d:%d:%d' % (n, r, i), noise[:50 + (i * 37 + r * 91) % 3000], 'EX',
                                              '1000') for i in range(300)))
                for i in range(300):
                    reply = c.reply()
                    assert reply == 'OK' or (policy == 'noeviction' and reply.startswith('OOM')), reply
        worst = worst_used(s, 4, write)
        assert 0 < worst <= limit, '%d bytes used, %d allowed' % (worst, limit)
        with s.client() as c:
            assert int(c.info('used_memory_peak')) <= limit, c.info('used_memory_peak')
            if policy != 'noeviction':
                assert int(c.info('evicted_keys')) > 0
                assert int(c.info('used_memory')) > limit * 0.7, 'the room is used'


def test_memory_never_passes_the_limit_lru():
    memory_stays_under('allkeys-lru')


def test_memory_never_passes_the_limit_lhd():
    memory_stays_under('allkeys-lhd')


def test_memory_never_passes_the_limit_volatile_ttl():
    memory_stays_under('volatile-ttl')


def test_memory_never_passes_the_limit_noeviction():
    memory_stays_under('noeviction')
