"""Frames of hashes, between the library and a daemon that is not quite what it expects: a middleman changes what they say."""
import os
import random
import socket
import tempfile
import threading

from agent import Agent, Daemon, near_until


class Middleman:
    """Everything passes through it. `ask` may answer a request for hashes itself, `answer` change the reply; `say` pushes bytes to who listens."""

    def __init__(self, daemon, ask=None, answer=None):
        self.daemon, self.ask, self.answer = daemon, ask, answer
        self.dir = tempfile.TemporaryDirectory(prefix='larder-l1-')
        self.path = os.path.join(self.dir.name, 's')
        self.url = 'unix://' + self.path
        self.listener, self.asked = None, []
        self.door = socket.socket(socket.AF_UNIX)
        self.door.bind(self.path)
        self.door.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.door.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.daemon.path)
            threading.Thread(target=self.pump, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, False), daemon=True).start()

    def pump(self, source, to, request):
        try:
            while data := source.recv(65536):
                if request and b'FEED' in data:
                    self.asked.append(data)
                    self.listener = source
                    if self.ask and b'HASHED' in data:
                        source.sendall(self.ask)
                        continue
                if not request and self.answer and b'epoch' in data:
                    data = self.answer(data)
                to.sendall(data)
        except OSError:
            pass
        for s in (source, to):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        source.close()

    def say(self, data):
        self.listener.sendall(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.door.shutdown(socket.SHUT_RDWR)
        self.door.close()
        self.dir.cleanup()


def follow(d, a):
    for i in range(20):
        d.call('SET', 'k', str(i))
        a.until('get k', {f'OK {i}', f'OK l1 {i}'})
        near_until(a, 'k', i)


def test_hashes_are_asked_for():
    with Daemon('larder') as d, Middleman(d) as m, Agent(m.url, prefixes='k,j') as a:
        follow(d, a)
        assert len(m.asked) == 1 and b'HASHED' in m.asked[0], m.asked


def test_a_daemon_without_hashes():
    with Daemon('larder') as d, Middleman(d, ask=b'-ERR syntax error\r\n') as m, Agent(m.url) as a:
        follow(d, a)
        assert [b'HASHED' in asked for asked in m.asked] == [True, False], m.asked
        assert a.stats()['feed'] == 1


def test_hashes_that_are_not_known():
    """Another hash, or a seed that cannot be read: keys are asked for instead."""
    for mark, new in ((b'xxh3', b'xxh9'), (b'$16\r\n', b'$16\r\n~')):
        def change(data, mark=mark, new=new):
            at = data.find(mark)
            return data if at < 0 else data[:at] + new + data[at + len(new):]
        with Daemon('larder') as d, Middleman(d, answer=change) as m, Agent(m.url) as a:
            follow(d, a)
            assert [b'HASHED' in asked for asked in m.asked] == [True, False], m.asked


def test_broken_hashes_empty_it():
    """What cannot be read may mean anything: the near store is emptied, and that is all."""
    r = random.Random(5)
    bad = [b'', b'\0', b'\x20\0\0\0\0', b'\0\xff\xff\xff\xff', b'\x1f\x02\0\0\0' + b'\xff' * 8, b'\0\x08\0\0\0\xff', b'\x10\x03\0\0\0' + b'\xff' * 6]
    bad += [bytes([r.randrange(33, 256)]) + r.randbytes(r.randrange(40)) for _ in range(20)]
    with Daemon('larder') as d, Middleman(d) as m, Agent(m.url) as a:
        follow(d, a)
        seq = 1 << 50
        for packed in bad:
            for mark in (b'h* ',) if r.randrange(4) else (b'h0 ', b'x* ', b'h*', b'h'):
                near_until(a, 'k', 19)
                flushes = a.stats()['flushes']
                m.say(b'>4\r\n$4\r\nfeed\r\n:%d\r\n:%d\r\n*1\r\n$%d\r\n%s%s\r\n' % (seq, seq, len(mark + packed), mark, packed))
                a.wait('flushes', '>', flushes)
        follow(d, a)
        m.say(b'>4\r\n$4\r\nfeed\r\n:1\r\n:2\r\n*1\r\n$8\r\nh* \0\0\0\0\0\r\n')  # none at all is none
        flushes = a.stats()['flushes']
        follow(d, a)
        assert a.stats()['flushes'] == flushes
