"""A save, a warm-up and an end at the same time: a preloaded library (faults.c) holds a warm-up at its next read of a file, a rate
limit holds a save, so each case is at the moment that it is about."""
import errno
import os
import signal
import socket
import struct
import time

import native
from larder import Client, Server, Skip, equal, until
from test_faults import Faults
from test_saving import Redis, every_type, fill, lift, pipeline, saved, slowed
from test_warming import Folder, populate, state, warmed

KEYS = 30000


class Held:
    """Reads of files called `dump.` stop at the fourth from now on (the first ones look what it is), until it is let go."""

    def __init__(self, faults, reads=4):
        self.faults = faults
        self.before = faults.failed('hold')
        faults.set('hold', reads)

    def reached(self):
        until(lambda: self.faults.failed('hold') > self.before, 'the warm-up is held')

    def go(self):
        self.faults.set('hold', 0)


def in_folder(d, f, *more):
    return Server('--dir', d.path, '--save', '', '--enable-protected-configs', 'yes', *more, env=f.env)


def held_warm(c, f, *words):
    h = Held(f)
    equal(c.call('CACHE', 'WARM', *words), 'Warming started')
    h.reached()
    return h


def keys_in(path, db=0):
    with Redis(path) as r:
        r.call('SELECT', db)
        return r.call('DBSIZE')


def test_saves_while_a_file_is_loaded():
    """Any file but that one may be saved to meanwhile; that one can be scheduled."""
    with Folder() as d, Faults() as f:
        populate(d, KEYS, name='dump.other')
        with in_folder(d, f) as s, s.client() as c:
            equal(c.call('SET', 'mine', 1), 'OK')
            h = held_warm(c, f, 'dump.other')
            equal(c.call('CACHE', 'WARM', 'dump.other'), 'ERR A warm-up is already in progress')
            for words in (('BGSAVE',), ('BGSAVE', 'SCHEDULE')):
                equal(c.call(*words), 'Background saving started')
                equal(saved(c), 'ok')
            equal(c.call('SAVE'), 'OK')
            equal(c.info('rdb_saves'), '3')
            os.mkdir(d.file('elsewhere'))
            equal(c.call('CONFIG', 'SET', 'dir', d.file('elsewhere'), 'dbfilename', 'dump.rdb'), 'OK')
            equal(c.call('SAVE'), 'OK')
            equal(keys_in(d.file('elsewhere/dump.rdb')), 1)
            before = d.bytes('dump.other')
            equal(c.call('CONFIG', 'SET', 'dir', d.path, 'dbfilename', 'dump.other'), 'OK')
            for words in (('SAVE',), ('BGSAVE',)):
                equal(str(c.call(*words)), 'ERR Not saved: that file is still being loaded')
            saves = int(c.info('rdb_saves'))
            equal(c.call('BGSAVE', 'SCHEDULE'), 'Background saving scheduled')
            equal(c.call('BGSAVE', 'SCHEDULE'), 'Background saving scheduled')
            equal(state(c)['state'], b'running')
            equal(d.bytes('dump.other'), before)
            h.go()
            equal(warmed(c)['loaded'], KEYS)
            until(lambda: c.info('rdb_saves') == str(saves + 1), 'what was scheduled is saved, once')
            equal(saved(c), 'ok')
            digest = c.call('DEBUG', 'DIGEST')
        with in_folder(d, f, '--dbfilename', 'dump.other') as s, s.client() as c:
            equal(warmed(c)['loaded'], KEYS + 1)
            equal(c.call('DEBUG', 'DIGEST'), digest)


def test_loading_while_a_save_runs():
    """The save has what there was when it began, and nothing of what is loaded."""
    with Folder() as d:
        populate(d, 100000, name='dump.other', more=[('SET', 'fill:1', 'of the file')])
        with slowed('--dbfilename', 'dump.rdb', '--warm-dir', d.path, '--save', '') as s, s.client() as c:
            fill(c)
            equal(c.call('BGSAVE'), 'Background saving started')
            equal(c.call('CACHE', 'WARM', 'dump.other', 'REPLACE'), 'Warming started')
            equal(c.call('BGSAVE', 'SCHEDULE'), 'ERR Background save already in progress')
            lift(c)
            equal(saved(c), 'ok')
            equal(warmed(c)['loaded'], 100001)
            equal(c.call('GET', 'fill:1'), b'of the file')
            path = os.path.join(s.dir, 'dump.rdb')
            with Redis(path) as r:
                equal(r.call('DBSIZE'), 30000)
                equal(len(r.call('GET', 'fill:1')), 100)
            equal(c.call('SAVE'), 'OK')
            with Redis(path) as r:
                equal(r.call('DBSIZE'), 130000)


def test_a_warm_up_is_cancelled():
    with Folder() as d, Faults() as f:
        populate(d, KEYS, name='dump.other')
        with in_folder(d, f) as s, s.client() as c:
            h = held_warm(c, f, 'dump.other', 'MATCH', '*')
            equal(c.call('CACHE', 'WARM', 'CANCEL'), 'OK')
            equal(c.call('BGSAVE'), 'Background saving started')
            equal(saved(c), 'ok')
            h.go()
            loaded = warmed(c, b'cancelled')['loaded']
            assert loaded < KEYS, loaded
            equal(c.call('DBSIZE'), loaded)
            equal(str(c.call('CACHE', 'WARM', 'CANCEL')), 'ERR No warm-up is in progress')
            equal(c.call('CACHE', 'WARM', 'dump.other'), 'Warming started')
            equal(warmed(c)['loaded'], KEYS - loaded)


def test_a_file_that_was_given_up_is_kept():
    """What was not loaded is not lost to the next save: it stands beside it, whoever saves. Once it is loaded, or flushed, it does not."""
    with Folder() as d, Faults() as f:
        populate(d, KEYS)
        before = d.bytes('dump.larder')
        kept = ['dump.larder', 'dump.larder.cancelled']

        def cancelled(more=()):
            h = Held(f)
            s = in_folder(d, f, *more)
            c = s.__enter__().client()
            h.reached()
            equal(c.call('CACHE', 'WARM', 'CANCEL'), 'OK')
            equal(str(c.call('BGSAVE')), 'ERR Not saved: that file is still being loaded')
            h.go()
            assert warmed(c, b'cancelled')['loaded'] < KEYS
            equal(c.call('SET', 'mine', 1), 'OK')
            return s, c

        s, c = cancelled()
        with s, c:
            f.set('link', 1, errno.EIO)
            equal(str(c.call('SAVE')), 'ERR')  # what cannot be kept is not replaced
            equal(os.listdir(d.path), ['dump.larder'])
            equal(d.bytes('dump.larder'), before)
            f.set('link', 1, errno.EPERM)  # there are no links: it is moved
            equal(c.call('SAVE'), 'OK')
            f.set('link', 0)
            s.await_line('was not loaded to its end: it is kept as')
            equal(sorted(os.listdir(d.path)), kept)
            equal(d.bytes('dump.larder.cancelled'), before)
            equal(c.call('SAVE'), 'OK')
            equal(sorted(os.listdir(d.path)), kept)
            equal(c.call('CACHE', 'WARM', 'dump.larder.cancelled'), 'Warming started')
            warmed(c)
            equal(c.call('DBSIZE'), KEYS + 1)
            equal(c.call('SAVE'), 'OK')
        whole = d.bytes('dump.larder')
        s, c = cancelled(('--save', '3600', '1'))  # an end saves, too; and the name is taken
        with s, c:
            os.kill(s.pid, signal.SIGTERM)
            equal(s.wait(), 0)
        equal(sorted(os.listdir(d.path)), kept + ['dump.larder.cancelled-2'])
        equal((d.bytes(kept[1]), d.bytes('dump.larder.cancelled-2')), (before, whole))
        d.write('dump.larder', before)
        for name in (kept[1], 'dump.larder.cancelled-2'):
            os.remove(d.file(name))
        for again in (('CACHE', 'WARM', 'dump.larder'), ('FLUSHALL',)):
            s, c = cancelled()
            with s, c:
                assert not c.call(*again).startswith('ERR')
                warmed(c, b'cancelled' if again[0] == 'FLUSHALL' else b'done')
                equal(c.call('SAVE'), 'OK')
                equal(os.listdir(d.path), ['dump.larder'])


def both_at_once(d, f, end):
    """A daemon that is loading one file, and saving to another, is told to end."""
    s = in_folder(d, f, '--dbfilename', 'dump.rdb', '--snapshot-rate-limit', '100kb', '--rdbcompression', 'no')
    with s, s.client() as c, s.client() as e:
        fill(c)
        h = held_warm(c, f, 'dump.other')
        equal(c.call('BGSAVE'), 'Background saving started')
        equal(c.call('SET', 'last', 'words'), 'OK')
        equal(c.info('rdb_bgsave_in_progress'), '1')
        equal(state(c)['state'], b'running')
        end(s, c, e)
        h.go()
        equal(s.wait(), 0)


def test_an_end_during_a_save_and_a_warm_up():
    with Folder() as d, Faults() as f:
        populate(d, KEYS, name='dump.other')
        other = d.bytes('dump.other')

        def without(s, c, e):
            e.send(Client.encode('SHUTDOWN', 'NOSAVE'))

        def by_signal(s, c, e):
            os.kill(s.pid, signal.SIGTERM)

        def with_it(s, c, e):
            e.send(Client.encode('SHUTDOWN', 'SAVE'))
            s.await_line('Saving was given up')
            until(lambda: c.info('rdb_bgsave_in_progress') == '1', 'the last one begins')
            equal(c.call('GET', 'last'), b'words')
            lift(c)

        for end in (without, by_signal):
            both_at_once(d, f, end)
            equal(sorted(os.listdir(d.path)), ['dump.other'])
        both_at_once(d, f, with_it)
        equal(sorted(os.listdir(d.path)), ['dump.other', 'dump.rdb'])
        equal(d.bytes('dump.other'), other)
        with Redis(d.file('dump.rdb')) as r:
            equal(r.call('GET', 'last'), b'words')
            assert r.call('DBSIZE') >= 30001


def test_an_end_waits_for_its_own_file():
    """What is not loaded yet belongs to the last snapshot. An end that saves nothing waits for nothing."""
    with Folder() as d, Faults() as f:
        populate(d, KEYS)
        before = d.bytes('dump.larder')
        for how in ('NOSAVE', 'SAVE'):
            h = Held(f)
            with in_folder(d, f) as s, s.client() as c, s.client() as e:
                h.reached()
                pipeline(c, [('SET', 'new', 1), ('DEL', 'key:7')])
                e.send(Client.encode('SHUTDOWN', how))
                if how == 'SAVE':
                    s.await_line('The final snapshot waits for the warm-up')
                h.go()
                equal(s.wait(), 0)
            equal(d.bytes('dump.larder') == before, how == 'NOSAVE')
        with in_folder(d, f) as s, s.client() as c:
            equal(warmed(c)['loaded'], KEYS)
            equal(c.call('EXISTS', 'new', 'key:7'), 1)


def members(key, kind, n):
    """A command that makes a collection of n members, which compress well: a file of it is far shorter than it is in memory."""
    command = {'hash': 'HSET', 'set': 'SADD', 'zset': 'ZADD', 'list': 'RPUSH'}[kind]
    words = []
    for i in range(n):
        words += {'hash': ['field %d' % i, 'x' * 200], 'zset': [i, 'member %d ' % i + 'x' * 200]}.get(kind, ['member %d ' % i + 'x' * 200])
    return (command, key, *words)


def test_what_is_too_large_is_left_out_alone():
    """A collection is built member by member, and given up when maxmemory is reached; what comes behind it is loaded."""
    limit = 10 << 20
    with Folder() as d:
        for name in ('dump.larder', 'dump.rdb'):
            with Server('--dir', d.path, '--dbfilename', name, '--save', '') as s, s.client() as c:
                large = [members(kind, kind, 60000) for kind in ('hash', 'set', 'zset')]
                small = [members('small:' + kind, kind, 5) for kind in ('hash', 'set', 'zset', 'list')]
                pipeline(c, small + large + [members('middle', 'hash', 1000)], size=1)
                equal(c.call('DEBUG', 'POPULATE', 5000, 'key', 100), 'OK')
                equal(c.call('SAVE'), 'OK')
            for threads in ('1', '2'):
                more = ('--maxmemory', str(limit), '--maxmemory-policy', 'allkeys-lru', '--warm-threads', threads)
                with Server('--dir', d.path, '--dbfilename', name, '--save', '', *more) as s, s.client() as c:
                    st = warmed(c)
                    equal((st['no-room'], st['loaded'], st['damaged']), (3, 5005, 0), '%s, %s threads' % (name, threads))
                    assert int(c.info('used_memory_peak')) <= limit, c.info('used_memory_peak')
                    equal(c.call('EXISTS', 'hash', 'set', 'zset'), 0)
                    equal(c.call('HLEN', 'middle'), 1000)
                    equal(c.info('evicted_keys'), '0')


def test_no_room_is_kept_behind_a_warm_up():
    """All of maxmemory is there again for others, whatever size of value was the last to be loaded, or was too large."""
    with Folder() as d:
        for name in ('dump.larder', 'dump.rdb'):
            for large in ([('SET', 'value', os.urandom(4 << 20))], [members('value', 'hash', 8000)], [members('value', 'hash', 60000)]):
                with Server('--dir', d.path, '--dbfilename', name, '--save', '') as s, s.client() as c:
                    until(lambda: state(c)['state'] != b'running', 'the one before is loaded')
                    equal(c.call('FLUSHALL'), 'OK')
                    pipeline(c, large, size=1)
                    equal(c.call('SAVE'), 'OK')
                more = ('--maxmemory', '10mb', '--maxmemory-policy', 'noeviction', '--compression', 'no')
                with Server('--dir', d.path, '--dbfilename', name, '--save', '', *more) as s, s.client() as c:
                    warmed(c)
                    n = 0
                    while c.call('SET', 'key:%d' % n, b'x' * 10000) == 'OK':
                        n += 1
                    assert 9.8 < int(c.info('used_memory')) / 1048576 <= 10, (name, large[0][0], c.info('used_memory'))


def test_what_is_not_asked_for_is_not_built():
    """Collections that MATCH or DB leave out take no room while a file is read."""
    with Folder() as d:
        with Server('--dir', d.path, '--dbfilename', 'dump.rdb', '--save', '') as s, s.client() as c:
            pipeline(c, [members('large', 'hash', 60000), ('SET', 'a', 'x' * 300000), ('SET', 'b', 1), members('c', 'set', 3)], size=1)
            equal(c.call('SAVE'), 'OK')
        more = ('--maxmemory', '10mb', '--maxmemory-policy', 'allkeys-lru', '--warm-dir', d.path)
        with Server('--save', '', *more) as s, s.client() as c:
            equal(c.call('CACHE', 'WARM', 'dump.rdb', 'MATCH', '[bc]'), 'Warming started')
            st = warmed(c)
            equal((st['loaded'], st['filtered'], st['no-room']), (2, 2, 0))
            equal(c.call('SMEMBERS', 'c') != [], True)
            assert int(c.info('used_memory_peak')) < 3 << 20


def test_what_is_told_of_a_warm_up():
    """INFO, CACHE WARM STATUS, the log, and systemd: while it is under way, and behind it."""
    with Folder() as d, Faults() as f:
        populate(d, KEYS)
        where = d.file('notify')
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(where)
            sock.settimeout(60)
            h = Held(f)
            with Server('--dir', d.path, '--save', '', '--supervised', 'systemd', env=dict(f.env, NOTIFY_SOCKET=where)) as s, s.client() as c:
                h.reached()
                size = os.path.getsize(d.file('dump.larder'))
                for name, want in (('loading', '0'), ('async_loading', '1'), ('loading_total_bytes', None), ('loading_loaded_perc', None),
                                   ('loading_eta_seconds', None), ('warm_state', 'running'), ('warm_file', 'dump.larder'), ('warm_format', 'native')):
                    got = c.info(name)
                    assert got == want if want else float(got) >= 0, (name, got)
                assert 0 < int(c.info('loading_total_bytes')) <= size
                equal((state(c)['state'], state(c)['file'], state(c)['format']), (b'running', b'dump.larder', b'native'))
                equal(c.call('SET', 'x', 1), 'OK', 'it serves meanwhile')
                text = ''
                while 'warming from dump.larder: ' not in text:
                    text = sock.recv(1000).decode()
                assert text.startswith('STATUS=') and 'a second, ' in text, text
                h.go()
                equal(warmed(c)['loaded'], KEYS)
                while 'warming' in text:
                    text = sock.recv(1000).decode()
                assert text.startswith('STATUS='), text
                equal((c.info('async_loading'), c.info('warm_state'), c.info('warm_keys_loaded')), ('0', 'done', str(KEYS)))
                s.await_line(r'Warming from dump.larder \(native, \d+ bytes\), \d+ threads')
                s.await_line(r'Warming from dump.larder: done. %d keys in .* seconds' % KEYS)


def test_how_far_a_large_value_is():
    with Folder() as d, Faults() as f:
        with Server('--dir', d.path, '--dbfilename', 'dump.rdb', '--save', '', '--rdbcompression', 'no') as s, s.client() as c:
            pipeline(c, [members('large', 'hash', 40000)], size=1)
            equal(c.call('SAVE'), 'OK')
        h = Held(f, reads=8)
        with in_folder(d, f, '--dbfilename', 'dump.rdb') as s, s.client() as c:
            h.reached()
            st = state(c)
            assert 2 << 20 < st['bytes-done'] < st['bytes'] and st['loaded'] == 0, st
            assert 20 < float(c.info('loading_loaded_perc')) < 90
            h.go()
            equal(warmed(c)['loaded'], 1)


def short(s):
    return bytes([len(s)]) + s.encode()


def test_hashes_whose_fields_expire():
    """As Redis 7.4 and later and Valkey 9 write them, by files that are made by hand."""
    due = int(time.time() * 1000) + 100000
    files = {
        'REDIS0012': (b'\x18' + short('new') + struct.pack('<Q', due) + b'\x03\x01' + short('a') + short('1') + b'\x00' + short('b') +
                      short('2') + b'\x81' + struct.pack('>Q', 50001) + short('c') + short('3') +
                      b'\x16' + short('old') + b'\x02\x81' + struct.pack('>Q', due) + short('a') + short('1') + b'\x00' + short('b') + short('2')),
        'VALKEY080': b'\x16' + short('theirs') + b'\x02' + short('a') + short('1') + struct.pack('<q', due) + short('b') + short('2') + b'\xff' * 8,
    }
    with Folder() as d, Server('--warm-dir', d.path, '--save', '') as s, s.client() as c:
        for magic, records in files.items():
            d.write(magic, magic.encode() + records + b'\xff' + bytes(8))
            equal(c.call('CACHE', 'WARM', magic), 'Warming started')
            warmed(c)
        for key, want in (('new', [due, -1, due + 50000]), ('old', [due, -1, -2]), ('theirs', [due, -1, -2])):
            equal(c.call('HPEXPIRETIME', key, 'FIELDS', 3, 'a', 'b', 'c'), want, key)
            equal(c.call('HMGET', key, 'a', 'b'), [b'1', b'2'])


def test_what_there_is_no_place_for_is_counted():
    foreign = b'\xf7\x09\x02\x01\x01\x05\x02\x05\x05\x05hello\x00' + b'\x07\x01m\x09\x02\x01\x00' + b'\xf5' + short('#!lua name=x')
    with Folder() as d, Server('--warm-dir', d.path, '--save', '') as s, s.client() as c:
        d.write('foreign', b'REDIS0010' + foreign + b'\x00\x01k\x01v\xff' + bytes(8))
        for magic, why in (('REDIS0013', b"the RDB version 13 cannot be read; known are 1 to 12, and of Valkey's 80 to 80"),
                           ('VALKEY099', b"Valkey's RDB version 99 cannot be read; known are 1 to 12, and of Valkey's 80 to 80")):
            d.write('newer', magic.encode() + b'\xff' + bytes(8))
            equal(c.call('CACHE', 'WARM', 'newer'), 'Warming started')
            equal(warmed(c, b'failed')['error'], why)
        native = bytearray(populate(d, 1, name='native') and d.bytes('native'))
        native[8:12] = struct.pack('<HH', 7, 3)
        d.write('newer', native)
        equal(str(c.call('CACHE', 'WARM', 'newer')), 'ERR Cannot load the file: its format is of version 7.3; this program reads up to version 1')
        equal(c.call('CACHE', 'WARM', 'foreign'), 'Warming started')
        st = warmed(c)
        equal((st['loaded'], st['passed-by']), (1, 3))
        equal(c.call('CONFIG', 'SET', 'warm-foreign', 'refuse'), 'OK')
        equal(c.call('CACHE', 'WARM', 'foreign'), 'Warming started')
        equal(warmed(c, b'failed')['error'], b"it has a module's data at offset 9, and warm-foreign says refuse")


def test_keys_that_come_twice():
    """The first one stays, in a file as among files; with REPLACE the last."""
    twice = b'\x00' + short('a') + short('1') + b'\x00' + short('b') + short('1') + b'\x02' + short('a') + b'\x01' + short('x') + b'\x00' + short('a') + short('2')
    with Folder() as d, Server('--warm-dir', d.path, '--save', '') as s, s.client() as c:
        d.write('twice', b'REDIS0010' + twice + b'\xff' + bytes(8))
        equal(c.call('CACHE', 'WARM', 'twice'), 'Warming started')
        st = warmed(c)
        equal((st['loaded'], st['present'], st['damaged'], c.call('GET', 'a')), (2, 2, 0, b'1'))
        equal(c.call('CACHE', 'WARM', 'twice', 'REPLACE'), 'Warming started')
        equal(warmed(c)['loaded'], 4)
        equal((c.call('GET', 'a'), c.call('DBSIZE')), (b'2', 2))


def in_the_daemon(c, kind, key):
    if kind == 'string':
        return c.call('GET', key)
    if kind == 'list':
        return c.call('LRANGE', key, 0, -1)
    if kind == 'set':
        return sorted(c.call('SMEMBERS', key))
    words = iter(c.call('HGETALL', key) if kind == 'hash' else c.call('ZRANGE', key, 0, -1, 'WITHSCORES'))
    return sorted((a, b if kind == 'hash' else float(b)) for a, b in zip(words, words))


def test_the_format_is_as_its_page_says():
    """A reader that knows no more than doc/snapshot-format.md finds every key with all that the daemon has of it."""
    if not native.XXH or not native.LZ4:
        raise Skip('there are no libraries to compute sums with')
    with Server('--save', '', '--maxmemory-policy', 'allkeys-lfu') as s, s.client() as c:
        every_type(c)
        pipeline(c, [('HSET', 'fields', 'a', 1, 'b', 2), ('HPEXPIREAT', 'fields', 9999999999999, 'FIELDS', 1, 'b'), ('ZADD', 'ends', '-inf', 'low', 'inf', 'high'),
                     ('SET', 'noise', os.urandom(700000)), ('SET', 'packed:large', b''.join(b'{"id":%d,"name":"some user"}' % (i * 7919) for i in range(60000))),
                     ('SET', b'\x00key\xff', 'v', 'PXAT', 9999999999999), ('SET', '', 'no key')])
        pipeline(c, [members('many:' + kind, kind, 20000) for kind in ('hash', 'set', 'zset', 'list')], size=1)
        pipeline(c, [('RPUSH', 'noise:list', *[os.urandom(100) for _ in range(5000)])], size=1)
        until(lambda: int(c.info('cache_compressed_values')) > 100, 'long strings are packed')
        until(lambda: c.call('MEMORY', 'USAGE', 'packed:large') < 1500000, 'and the longest')
        equal(c.call('SAVE'), 'OK')
        with open(os.path.join(s.dir, 'dump.larder'), 'rb') as f:
            found = native.File(f.read())
        equal(found.used_memory > 1 << 20 and abs(found.now - time.time() * 1000) < 3600000, True)
        seen = set()
        for r in found.records:
            seen.add((r['db'], r['key']))
            equal(c.call('SELECT', r['db']), 'OK')
            want, got = in_the_daemon(c, r['type'], r['key']), r['value']
            if r['type'] == 'hash':
                due = {f: d for f, _, d in got}
                got = [(f, v) for f, v, _ in got]
                if r['key'] == b'fields':
                    equal(due, {b'a': None, b'b': 9999999999999})
            equal(got if r['type'] in ('string', 'list') else sorted(got), want, repr(r['key']))
            equal(c.call('PEXPIRETIME', r['key']), r['due'] or -1)
        equal(len(seen), len(found.records))
        equal(c.call('SELECT', 0), 'OK')
        equal(len(found.records), c.call('DBSIZE') + 100)
        kinds = {(r['type'], 'large' in r, bool(r['plain'])) for r in found.records}
        equal(kinds, {(t, large, False) for t in native.TYPES for large in (False, True)} | {('string', False, True), ('string', True, True)})
        equal({r['use'] is None for r in found.records}, {False})
        digest = c.call('DEBUG', 'DIGEST')
        equal(c.call('DEBUG', 'RELOAD'), 'OK')
        equal(c.call('DEBUG', 'DIGEST'), digest)
