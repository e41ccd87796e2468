"""Values of 500 MB and collections of ten million members: what saving and loading them takes of memory, with LARDER_LONG=1.

In a short run strings are shorter, so that the cases themselves stay right, and collections are left out."""
import hashlib
import os
import random
import re
import threading
import time

import larder
from larder import Server, Skip, equal, until
from test_saving import LONG, Redis, saved
from test_warming import Folder, warmed

STRING = (500 if LONG else 48) << 20
MEMBERS = 10000000 if LONG else 60000
AT_ONCE = 10000
# What a save or a warm-up may have of its own, whatever the size of the data: blocks being filled, windows, threads.
OWN = 16 << 20
if LONG:
    larder.DEADLINE = 900  # ten million members take a while where others work too


def status(pid, field):
    with open('/proc/%d/status' % pid) as f:
        return int(re.search(r'%s:\s+(\d+)' % field, f.read()).group(1)) * 1024


def forget_peak(pid):
    with open('/proc/%d/clear_refs' % pid, 'w') as f:
        f.write('5')
    return status(pid, 'VmRSS')


def noise(c):
    c.send(b'*3\r\n$3\r\nSET\r\n$5\r\nvalue\r\n$%d\r\n' % STRING)
    for _ in range(STRING >> 20):
        c.send(os.urandom(1 << 20))
    c.send(b'\r\n')
    equal(c.reply(), 'OK')


def text(c):
    c.send(b'*3\r\n$3\r\nSET\r\n$5\r\nvalue\r\n$%d\r\n' % STRING)
    for i in range(STRING >> 20):
        line = ('{"id":%d,"name":"some user","place":%d,"words":"all work and no play"}\n' % (i, i * 7919)).encode()
        c.send((line * (1 + (1 << 20) // len(line)))[:1 << 20])
    c.send(b'\r\n')
    equal(c.reply(), 'OK')


def members(command, words, each):
    """Sends MEMBERS of them, many in one command; `each` is the bytes of number i as they are sent."""
    def fill(c):
        for at in range(0, MEMBERS, AT_ONCE):
            head = b'*%d\r\n$%d\r\n%s\r\n$5\r\nvalue\r\n' % (2 + words * AT_ONCE, len(command), command)
            c.send(head + b''.join([each(i) for i in range(at, at + AT_ONCE)]))
            c.reply()
    return fill


KINDS = {
    'noise': (noise, ('SETRANGE', 'value', '%d', 'edited')),
    'text': (text, ('PEXPIRE', 'value', '1%09d000')),
    'hash': (members(b'HSET', 2, lambda i: b'$10\r\nf%09d\r\n$12\r\nvalue%07d\r\n' % (i, i * 7 % 9999991)), ('HSET', 'value', 'f%09d', 'edited')),
    'set': (members(b'SADD', 1, lambda i: b'$16\r\nmember:%09d\r\n' % i), ('SADD', 'value', 'another:%09d')),
    'zset': (members(b'ZADD', 2, lambda i: b'$7\r\n%07d\r\n$10\r\np%09d\r\n' % (i * 7919 % 9999991, i)), ('ZADD', 'value', '%d', 'p%09d')),
    'noise list': (members(b'RPUSH', 1, lambda i: b'$16\r\n%s\r\n' % hashlib.md5(b'%d' % i).digest()), ('RPUSH', 'value', 'another %d')),
    'list': (members(b'RPUSH', 1, lambda i: b'$16\r\n%016x\r\n' % (i * 0x9e3779b97f4a7c15 & (1 << 64) - 1)), ('RPUSH', 'value', 'another %d')),
}


class Beside:
    """A client that edits the value and one that pings, until it is told to stop."""

    def __init__(self, s, edit):
        self.stopped, self.worst, self.edits, self.failure = False, 0, 0, None
        self.threads = [threading.Thread(target=self.guarded, args=(f, s, edit)) for f in (self.ping, self.edit)]
        for t in self.threads:
            t.start()

    def guarded(self, f, s, edit):
        try:
            with s.client(timeout=600) as c:
                f(c, edit)
        except Exception as e:
            self.failure = e

    def ping(self, c, _):
        while not self.stopped:
            at = time.monotonic()
            c.call('PING')
            self.worst = max(self.worst, time.monotonic() - at)

    def edit(self, c, edit):
        x = random.Random(3)
        while not self.stopped and edit:
            n = x.randrange(min(MEMBERS, STRING))
            reply = c.call(*[w % ((n,) * w.count('%')) for w in edit])
            assert isinstance(reply, int), reply
            self.edits += 1

    def stop(self):
        self.stopped = True
        for t in self.threads:
            t.join()
        assert not self.failure, self.failure


def sanitized(s):
    with open('/proc/%d/exe' % s.pid, 'rb') as f:
        return re.search(b'__(a|t)san_init', f.read())


def digest(c):
    return c.call('DEBUG', 'DIGEST-VALUE', 'value')


def size_of(kind, name):
    fill, edit = KINDS[kind]
    with Folder() as d:
        args = ('--dir', d.path, '--dbfilename', name, '--save', '', '--proto-max-bulk-len', '1gb')
        with Server(*args) as s, s.client(timeout=600) as c:
            if sanitized(s):
                raise Skip('sanitizers have memory of their own')
            fill(c)
            if kind == 'text':
                until(lambda: int(c.info('cache_compressed_values')), 'it is packed')
            data = int(c.info('used_memory_dataset'))
            for what, edit in (('', None), (' edited', edit)):
                before = forget_peak(s.pid)
                b = Beside(s, edit)
                at = time.monotonic()
                equal(c.call('BGSAVE'), 'Background saving started')
                equal(saved(c), 'ok')
                took = time.monotonic() - at
                b.stop()
                more = status(s.pid, 'VmHWM') - before
                print('# %s to %s%s: %d MB of data, %.1f MB more at the peak (%.3f), %.2f s, worst ping %.1f ms, %d edits' % (
                    kind, name, what, data >> 20, more / 1048576, 1 + more / data, took, b.worst * 1000, b.edits), flush=True)
                yield what, more, data
            equal(c.call('SAVE'), 'OK')
            want = digest(c)
        with Server(*args) as s, s.client(timeout=600) as c:
            b = Beside(s, None)
            st = warmed(c)
            b.stop()
            peak, rss = status(s.pid, 'VmHWM'), status(s.pid, 'VmRSS')
            data = int(c.info('used_memory_dataset'))
            print('# %s from %s (%d MB): %d MB of data, resident %d MB, %d MB at the peak (%.3f), %.2f s, worst ping %.1f ms' % (
                kind, name, os.path.getsize(d.file(name)) >> 20, data >> 20, rss >> 20, peak >> 20, peak / rss, st['ms'] / 1000, b.worst * 1000), flush=True)
            equal(digest(c), want)
            yield ' loading', peak - rss, data


def sizes(kind):
    if MEMBERS < 1000000 and kind not in ('noise', 'text'):
        raise Skip('takes minutes: LARDER_LONG=1')
    wrong = []
    for name in ('dump.larder', 'dump.rdb'):
        for what, more, data in size_of(kind, name):
            if more > data * 0.05 + OWN:
                wrong.append('%s, %s%s: %d bytes more for %d of data' % (kind, name, what, more, data))
    assert not wrong, '\n'.join(wrong)


def test_a_long_string_of_noise():
    sizes('noise')


def test_a_long_string_that_is_packed():
    sizes('text')


def test_a_long_string_that_redis_packed():
    """LZF in an RDB file is taken apart while it is read."""
    with Folder() as d:
        d.write('empty.rdb', b'REDIS0010\xff' + bytes(8))
        with Redis(d.file('empty.rdb')) as r:
            r.sock.settimeout(600)
            equal(r.call('CONFIG', 'SET', 'proto-max-bulk-len', 1 << 30), 'OK')
            text(r)
            at = time.monotonic()
            equal(r.call('SAVE'), 'OK')
            print('# redis-server: %.2f s' % (time.monotonic() - at))
            want = digest(r)
            os.rename(os.path.join(r.call('CONFIG', 'GET', 'dir')[1].decode(), 'dump.rdb'), d.file('dump.rdb'))
        assert os.path.getsize(d.file('dump.rdb')) < STRING // 2
        with Server('--dir', d.path, '--dbfilename', 'dump.rdb', '--save', '', '--compression', 'no') as s, s.client(timeout=600) as c:
            warmed(c)
            peak, rss = status(s.pid, 'VmHWM'), status(s.pid, 'VmRSS')
            print('# %d MB, %d MB at the peak' % (rss >> 20, peak >> 20))
            if sanitized(s):
                raise Skip('sanitizers have memory of their own')
            assert peak - rss < STRING * 0.05 + OWN, '%d bytes at the peak, %d behind' % (peak, rss)
            equal(digest(c), want)


def test_a_large_hash():
    sizes('hash')


def test_a_large_set():
    sizes('set')


def test_a_large_sorted_set():
    sizes('zset')


def test_a_large_list():
    sizes('list')


def test_a_large_list_of_noise():
    sizes('noise list')
