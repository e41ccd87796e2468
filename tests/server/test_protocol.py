import os
import random

from larder import Client, Closed, Server, equal

# What a client sends that is wrong, and the whole of what it gets before the connection is closed.
MALFORMED = [
    (b'*1\r\n+4\r\nPING\r\n', b"-ERR Protocol error: expected '$', got '+'\r\n"),
    (b'*abc\r\n', b'-ERR Protocol error: invalid multibulk length\r\n'),
    (b'*9999999999\r\n', b'-ERR Protocol error: invalid multibulk length\r\n'),
    (b'*1\r\n$-7\r\n', b'-ERR Protocol error: invalid bulk length\r\n'),
    (b'*1\r\n$x\r\n', b'-ERR Protocol error: invalid bulk length\r\n'),
    (b'*1\r\n$999999999999\r\n', b'-ERR Protocol error: invalid bulk length\r\n'),
    (b'SET "a b\r\n', b'-ERR Protocol error: unbalanced quotes in request\r\n'),
    (b'x' * 70000, b'-ERR Protocol error: too big inline request\r\n'),
    (b'*' + b'1' * 70000, b'-ERR Protocol error: too big mbulk count string\r\n'),
    (b'*1\r\n$' + b'1' * 70000, b'-ERR Protocol error: too big bulk count string\r\n'),
]


def test_malformed_frames_get_their_error_and_the_end():
    with Server() as s:
        for sent, want in MALFORMED:
            with s.client() as c:
                c.send(b'PING\r\n' + sent)
                got = c.at_end()
                equal(got, b'+PONG\r\n' + want, repr(sent[:30]))


def test_malformed_frames_in_pieces():
    with Server() as s:
        for sent, want in MALFORMED[:7]:
            with s.client() as c:
                try:
                    for i in range(len(sent)):
                        c.send(sent[i:i + 1])
                except (BrokenPipeError, ConnectionResetError):
                    pass
                equal(c.at_end(), want, repr(sent[:30]))


def test_unauthenticated_clients_have_small_limits():
    with Server('--requirepass', 'secret') as s:
        with s.client() as c:
            c.send(b'*11\r\n')
            equal(c.at_end(), b'-ERR Protocol error: unauthenticated multibulk length\r\n')
        with s.client() as c:
            c.send(b'*1\r\n$16385\r\n')
            equal(c.at_end(), b'-ERR Protocol error: unauthenticated bulk length\r\n')
        with s.client() as c:
            equal(c.call('GET', 'x'), 'NOAUTH Authentication required.')
            equal(c.call('AUTH', 'secret'), 'OK')
            equal(c.call('SET', 'x', b'v' * 100000), 'OK')


def test_requests_byte_by_byte():
    with Server() as s:
        with s.client() as c:
            for request in (Client.encode('SET', 'a', 'b' * 40), b'GET a\r\n', b'\r\n\r\n*0\r\n*-1\r\nPING\r\n'):
                for i in range(len(request)):
                    c.send(request[i:i + 1])
            equal([c.reply(), c.reply(), c.reply()], ['OK', b'b' * 40, 'PONG'])


def test_huge_pipelines():
    with Server() as s:
        with s.client() as c:
            n = 50000
            c.send(b''.join(Client.encode('SET', 'k%d' % i, i) for i in range(n)))
            for _ in range(n):
                equal(c.reply(), 'OK')
            c.send(b''.join(Client.encode('GET', 'k%d' % i) for i in range(n)))
            for i in range(n):
                equal(c.reply(), b'%d' % i)


def test_random_cuts_of_a_pipeline():
    random.seed(7)
    with Server() as s:
        with s.client() as c:
            for round in range(20):
                values = [os.urandom(random.choice((0, 1, 10, 1000, 20000, 70000))) for _ in range(20)]
                data = b''.join(Client.encode('SET', 'k%d' % i, v) + Client.encode('GET', 'k%d' % i)
                                for i, v in enumerate(values))
                while data:
                    n = random.choice((1, 7, 100, 5000, 65536, 200000))
                    c.send(data[:n])
                    data = data[n:]
                for v in values:
                    equal(c.reply(), 'OK')
                    equal(c.reply(), v)


def test_large_values_both_ways():
    with Server() as s:
        with s.client() as c, s.client() as d:
            value = os.urandom(1 << 20) * 40
            equal(c.call('SET', 'big', value), 'OK')
            assert d.call('GET', 'big') == value, 'the same bytes come back'
            # A value that is replaced while it is being sent stays whole.
            d.send(Client.encode('GET', 'big'))
            d.more()
            equal(c.call('SET', 'big', 'small'), 'OK')
            assert d.reply() == value
            equal(d.call('GET', 'big'), b'small')


def test_a_slow_reader_gets_everything():
    with Server(threads=1) as s:
        slow = Client(('127.0.0.1', s.port), rcvbuf=4096)
        with s.client() as c:
            c.call('SET', 'v', b'x' * 100000)
            c.call('SET', 'w', b'y' * 100)
            for _ in range(200):
                slow.send(Client.encode('GET', 'v') + Client.encode('GET', 'w'))
            for _ in range(100):
                equal(c.call('PING'), 'PONG', 'others are served meanwhile')
            for _ in range(200):
                equal(slow.reply(), b'x' * 100000)
                equal(slow.reply(), b'y' * 100)


def test_resp3_and_resp2_on_one_daemon():
    with Server() as s:
        with s.client() as a, s.client() as b:
            equal(a.call('HELLO', '3')[b'proto'], 3)
            equal(a.call('GET', 'none'), None)
            b.send(b'GET none\r\n')
            equal(b.line(), b'$-1')
            a.send(b'GET none\r\n')
            equal(a.line(), b'_')
