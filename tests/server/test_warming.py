"""Warming: what a daemon has after it loaded a file, its own or Redis's, and what clients do meanwhile."""
import json
import os
import random
import re
import shutil
import signal
import stat
import struct
import subprocess
import tempfile
import threading

from larder import Client, ReplyError, Server, daemon_path, equal, until
from test_saving import Redis, every_type, pipeline

NATIVE = ('--save', '')


def state(c):
    words = iter(c.call('CACHE', 'WARM', 'STATUS'))
    return {name.decode(): value for name, value in zip(words, words)}


def warmed(c, want=b'done'):
    until(lambda: state(c)['state'] != b'running', 'the warm-up is over')
    equal(state(c)['state'], want, repr(state(c)))
    return state(c)


class Folder:
    """For files that outlive a daemon."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix='larder-warm-')
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, name):
        return os.path.join(self.path, name)

    def bytes(self, name):
        with open(self.file(name), 'rb') as f:
            return f.read()

    def write(self, name, data):
        with open(self.file(name), 'wb') as f:
            f.write(data)


POPULATED = {}


def populate(folder, n=200000, name='dump.larder', more=()):
    """A file with keys `key:0` to `key:n-1`; what they hold. Many cases begin with the same one: it is made once."""
    made = (n, repr(more))
    if made not in POPULATED:
        POPULATED[made] = populate_anew(folder, n, name, more), folder.bytes(name)
    digest, data = POPULATED[made]
    folder.write(name, data)
    return digest


def populate_anew(folder, n, name, more):
    with Server('--dir', folder.path, '--dbfilename', name, '--save', '') as s, s.client() as c:
        equal(c.call('DEBUG', 'POPULATE', n, 'key', 100), 'OK')
        pipeline(c, list(more))
        equal(c.call('SAVE'), 'OK')
        return c.call('DEBUG', 'DIGEST')


def filled_redis(folder, *args):
    """Redis's dump.rdb of every type, with a stream and functions; its digest without those and its number of keys."""
    empty = folder.file('empty.rdb')
    if not os.path.exists(empty):
        folder.write('empty.rdb', b'REDIS0010\xff' + bytes(8))
    with Redis(empty) as r:
        for name, value in args:
            equal(r.call('CONFIG', 'SET', name, value), 'OK')
        every_type(r)
        digest, keys = r.call('DEBUG', 'DIGEST'), r.call('DBSIZE')
        r.call('XADD', 'stream', '1-1', 'field', 'value')
        r.call('XGROUP', 'CREATE', 'stream', 'group', '0')
        r.call('XREADGROUP', 'GROUP', 'group', 'me', 'COUNT', '1', 'STREAMS', 'stream', '>')
        r.call('FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
        equal(r.call('SAVE'), 'OK')
        shutil.copy(os.path.join(r.call('CONFIG', 'GET', 'dir')[1].decode(), 'dump.rdb'), folder.file('dump.rdb'))
    return digest, keys


ENCODINGS = (
    (),
    (('rdbcompression', 'no'),),
    (('hash-max-listpack-entries', '0'), ('zset-max-listpack-entries', '0'), ('set-max-intset-entries', '0'),
     ('list-max-listpack-size', '1'), ('maxmemory-policy', 'allkeys-lru')),
    (('hash-max-listpack-entries', '100000'), ('zset-max-listpack-entries', '100000'), ('set-max-intset-entries', '100000'),
     ('list-max-listpack-size', '-5'), ('maxmemory-policy', 'allkeys-lfu')),
)


def test_a_dump_of_redis_loads_with_equal_content():
    for args in ENCODINGS:
        with Folder() as d:
            digest, keys = filled_redis(d, *args)
            for threads in ('1', '2'):
                with Server('--dir', d.path, '--dbfilename', 'dump.rdb', '--warm-threads', threads, *NATIVE) as s, s.client() as c:
                    st = warmed(c)
                    equal(c.call('DEBUG', 'DIGEST'), digest)
                    equal(c.call('DBSIZE'), keys)
                    equal(st['format'], b'rdb')
                    equal(st['passed-by'], 2)
                    assert 0 < c.call('TTL', 'ttl:5') <= 1005
                    equal(c.info('rdb_last_load_keys_loaded'), str(st['loaded']))


def test_streams_and_functions_can_be_refused():
    with Folder() as d:
        filled_redis(d)
        with Server('--dir', d.path, '--dbfilename', 'dump.rdb', '--warm-foreign', 'refuse', *NATIVE) as s, s.client() as c:
            said = warmed(c, b'failed')['error']
            assert said.startswith(b'it has functions at offset ') and said.endswith(b', and warm-foreign says refuse'), said
            equal(str(c.call('SAVE')), 'ERR Not saved: that file could not be read: move it away first')


def test_from_redis_to_native_and_back():
    with Folder() as d:
        digest, keys = filled_redis(d)
        with Server('--dir', d.path, '--dbfilename', 'dump.larder', '--warm-file', 'dump.rdb', *NATIVE) as s, s.client() as c:
            warmed(c)
            equal(c.call('SAVE'), 'OK')
        with Server('--dir', d.path, *NATIVE) as s, s.client() as c:
            equal(warmed(c)['format'], b'native')
            equal(c.call('DEBUG', 'DIGEST'), digest)
        with Server('--dir', d.path, '--dbfilename', 'back.rdb', '--warm-file', 'dump.larder', *NATIVE) as s, s.client() as c:
            warmed(c)
            equal(c.call('SAVE'), 'OK')
        out = subprocess.run(['redis-check-rdb', d.file('back.rdb')], capture_output=True)
        equal(out.returncode, 0, out.stdout.decode())
        with Redis(d.file('back.rdb')) as r:
            equal(r.call('DEBUG', 'DIGEST'), digest)
            equal(r.call('DBSIZE'), keys)


def test_several_files_at_the_start():
    """A line for each, in their order; what an earlier one brought stays, and one that is not there costs itself alone."""
    with Folder() as d:
        for name, keys in (('dump.larder', 3), ('b.rdb', 5), ('c.larder', 8)):
            populate(d, keys, name=name, more=[('SET', 'from', name)])
        conf = 'dir %s\nsave ""\nwarm-file b.rdb\nwarm-file missing\nwarm-file c.larder\nport 0\n' % d.path
        for conf, args in ((conf, ()), (None, ('--dir', d.path, '--save', '', '--warm-file', 'b.rdb', '--warm-file', 'missing', '--warm-file', 'c.larder'))):
            with Server(*args, conf=conf) as s, s.client() as c:
                equal(c.call('CONFIG', 'GET', 'warm-file'), [b'warm-file', b'b.rdb missing c.larder'])
                for name in ('dump.larder', 'b.rdb', 'c.larder'):
                    s.await_line('Warming from %s: done' % name)
                s.await_line('Cannot load missing: No such file or directory')
                until(lambda: state(c)['state'] != b'running', 'all are loaded')
                equal((c.call('DBSIZE'), c.call('GET', 'from')), (9, b'dump.larder'))
                equal(c.info('warm_file'), 'c.larder')
                if conf:
                    equal(c.call('CONFIG', 'REWRITE'), 'OK')
                    with open(s.conf) as f:
                        equal(f.read().count('warm-file'), 3)


def test_what_clients_do_meanwhile_wins():
    with Folder() as d:
        populate(d)
        with Server('--dir', d.path, *NATIVE) as s, s.client() as c:
            x = random.Random(1)
            touched = {}
            commands = []
            for i in x.sample(range(200000), 20000):
                what = x.randrange(3)
                if what == 0:
                    commands.append(('SET', 'key:%d' % i, 'mine'))
                    touched[i] = b'mine'
                elif what == 1:
                    commands.append(('DEL', 'key:%d' % i))
                    touched[i] = None
                else:
                    commands += [('SET', 'key:%d' % i, 'mine'), ('RENAME', 'key:%d' % i, 'renamed:%d' % i)]
                    touched[i] = None
            pipeline(c, commands)
            equal(c.call('CACHE', 'INVALIDATE', 'key:77*'), 'OK')
            for i in range(0, 10000, 50):
                c.call('SET', 'key:77%d' % i, 'again')
            warmed(c)
            for i in touched:
                if not str(i).startswith('77'):
                    equal(c.call('GET', 'key:%d' % i), touched[i], 'key:%d' % i)
            for i in range(0, 10000, 50):
                equal(c.call('GET', 'key:77%d' % i), b'again')
            equal(c.call('GET', 'key:771'), None)
            assert c.call('GET', 'key:1') in (b'mine', None) or 1 not in touched


def test_flushing_meanwhile():
    with Folder() as d:
        populate(d)
        with Server('--dir', d.path, *NATIVE) as s, s.client() as c:
            equal(c.call('FLUSHALL'), 'OK')
            c.call('SET', 'key:5', 'mine')
            warmed(c)
            equal(c.call('DBSIZE'), 1)
            equal(c.call('GET', 'key:5'), b'mine')


def test_swapping_databases_meanwhile():
    with Folder() as d:
        digest = populate(d, more=[('SELECT', 3), ('SET', 'key:3', 'third'), ('SELECT', 0)])
        with Server('--dir', d.path, *NATIVE) as s, s.client() as c:
            equal(c.call('SWAPDB', 0, 3), 'OK')
            warmed(c)
            equal(c.call('DBSIZE'), 1)
            equal(c.call('GET', 'key:3'), b'third')
            equal(c.call('SWAPDB', 0, 3), 'OK')
            equal(c.call('DEBUG', 'DIGEST'), digest)


def test_blocking_as_redis_does():
    with Folder() as d:
        digest = populate(d)
        with Server('--dir', d.path, '--warm-blocking', 'yes', *NATIVE) as s, s.client() as c:
            loading = 0
            while True:
                reply = c.call('DBSIZE') if loading % 2 else c.call('GET', 'key:0')
                if not isinstance(reply, ReplyError):
                    break
                equal(str(reply), 'LOADING Redis is loading the dataset in memory')
                loading += 1
                c.call('INFO', 'persistence')
            equal(c.info('loading'), '0')
            equal(c.call('DBSIZE'), 200000)
            equal(c.call('DEBUG', 'DIGEST'), digest)


def damage(d, at=0.5, name='dump.larder'):
    data = bytearray(d.bytes(name))
    data[int(len(data) * at)] ^= 0xff
    d.write(name, data)
    return bytes(data)


def test_a_damaged_block_is_lost_alone():
    with Folder() as d:
        populate(d)
        damage(d)
        with Server('--dir', d.path, *NATIVE) as s, s.client() as c:
            st = warmed(c)
            equal(st['damaged'], 1)
            s.await_line(r'the block at offset \d+ is damaged')
            assert 190000 < c.call('DBSIZE') < 200000
            equal(c.info('warm_damaged'), '1')
        with Server('--dir', d.path, '--warm-strict', 'yes', *NATIVE) as s, s.client() as c:
            assert b'is damaged' in warmed(c, b'failed')['error']
            equal(str(c.call('SAVE')), 'ERR Not saved: that file could not be read: move it away first')


def test_what_was_cut_off():
    with Folder() as d:
        populate(d)
        d.write('dump.larder', d.bytes('dump.larder')[:-100000])
        with Server('--dir', d.path, *NATIVE) as s, s.client() as c:
            assert warmed(c)['damaged'] >= 1
            assert c.call('DBSIZE') > 150000


def test_no_save_over_what_could_not_be_read():
    for data, why in ((b'nonsense', 'neither a snapshot of larder'), (b'REDIS0099\xff', 'RDB version 99 cannot be read'),
                      (b'LARDSNAP\x09\0\0\0' + bytes(60), 'version 9.0; this program reads up to version 1'),
                      (b'REDIS0010\x00\x01k\x01v\x1d', 'unknown type 29 at offset 14')):
        with Folder() as d:
            d.write('dump.rdb', data)
            args = ('--dir', d.path, '--dbfilename', 'dump.rdb', '--save', '1 1')
            with Server(*args) as s, s.client() as c:
                until(lambda: state(c)['state'] == b'failed', 'the file is given up')
                s.await_line(why)
                c.call('SET', 'k', 'v')
                for how in ('SAVE', 'BGSAVE'):
                    equal(str(c.call(how)), 'ERR Not saved: that file could not be read: move it away first')
                s.await_line('Nothing is saved for now')
            equal(d.bytes('dump.rdb'), data)
            with Server(*args, '--warm-blocking', 'yes', ready=False, crash=True) as s:
                equal(s.wait(), 1)
                s.await_line('exiting')
            equal(d.bytes('dump.rdb'), data)


def test_it_stops_at_maxmemory():
    with Folder() as d:
        populate(d)
        with Server('--dir', d.path, '--maxmemory', '12mb', '--maxmemory-policy', 'allkeys-lru', *NATIVE) as s, s.client() as c:
            warmed(c, b'full')
            assert int(c.info('used_memory_peak')) <= 12 << 20
            equal(c.info('evicted_keys'), '0')
            assert c.call('DBSIZE') > 30000


def test_the_hottest_first():
    """The file has it from a daemon under an LFU policy where some keys were read often."""
    with Folder() as d:
        with Server('--dir', d.path, '--maxmemory-policy', 'allkeys-lfu', '--maxmemory', '100mb', *NATIVE) as s, s.client() as c:
            c.call('DEBUG', 'POPULATE', 100000, 'key', 100)
            pipeline(c, [('GET', 'key:%d' % i) for _ in range(60) for i in range(1000)])
            equal(c.call('SAVE'), 'OK')
        with Server('--dir', d.path, '--maxmemory', '8mb', '--maxmemory-policy', 'allkeys-lfu', *NATIVE) as s, s.client() as c:
            warmed(c, b'full')
            assert 1000 < c.call('DBSIZE') < 90000
            there = c.call('EXISTS', *['key:%d' % i for i in range(1000)])
            assert there > 980, there
            assert c.call('OBJECT', 'FREQ', 'key:1') > 5


def test_who_waits_is_served():
    with Folder() as d:
        populate(d, 10, more=[('RPUSH', 'queue', 'job')])
        with Server('--warm-dir', d.path, '--dbfilename', 'other', *NATIVE) as s, s.client() as c, s.client() as waits:
            waits.send(Client.encode('BLPOP', 'queue', 0))
            until(lambda: c.info('blocked_clients') == '1', 'it waits')
            equal(c.call('CACHE', 'WARM', 'dump.larder'), 'Warming started')
            equal(waits.reply(), [b'queue', b'job'])


def test_cache_warm():
    with Folder() as d:
        populate(d, 1000, name='one', more=[('SELECT', 2), ('SET', 'second', 'v'), ('SET', 'key:2', 'v'), ('SELECT', 0)])
        os.mkdir(d.file('below'))
        shutil.copy(d.file('one'), d.file('below/two'))
        os.symlink(d.file('one'), d.file('link'))
        os.symlink(d.path, d.file('below/up'))
        with Server('--warm-dir', d.path, *NATIVE) as s, s.client() as c:
            for path, why in (('../x', 'the path leads out of warm-dir'), ('below/../one', 'the path leads out of warm-dir'),
                              ('/etc/passwd', 'the path leads out of warm-dir'), ('link', 'symbolic links are not followed'),
                              ('none', 'No such file or directory'), ('below/up/one', 'Not a directory')):
                equal(str(c.call('CACHE', 'WARM', path)), 'ERR Cannot open the file: ' + why)
            equal(str(c.call('CACHE', 'WARM', 'below')), 'ERR Cannot load the file: Is a directory')
            equal(str(c.call('CACHE', 'WARM', 'CANCEL')), 'ERR No warm-up is in progress')

            def warm(*words):
                equal(c.call('CACHE', 'WARM', *words), 'Warming started')
                return warmed(c)
            equal(warm('one', 'MATCH', 'key:99*')['loaded'], 11)
            equal(warm('below/two', 'DB', '2')['loaded'], 2)
            st = warm(d.file('one'), 'MAXTTL', '100')
            equal((st['loaded'], st['present']), (989, 13))
            assert 0 < c.call('TTL', 'key:1') <= 100
            equal(c.call('TTL', 'key:99'), -1)
            c.call('SET', 'key:1', 'mine')
            equal(warm('one')['loaded'], 0)
            equal(c.call('GET', 'key:1'), b'mine')
            equal(warm('one', 'REPLACE')['loaded'], 1002)
            assert c.call('GET', 'key:1') != b'mine'
            equal(c.call('TTL', 'key:1'), -1)


def test_ending_while_it_loads():
    with Folder() as d:
        populate(d)
        before = d.bytes('dump.larder')
        with Server('--dir', d.path, *NATIVE) as s:
            s.stop(signal.SIGTERM)
        equal(d.bytes('dump.larder'), before)
        # with a save point the last snapshot waits until it has all of it
        with Server('--dir', d.path, '--save', '3600 1') as s, s.client() as c:
            c.call('SET', 'new', 'v')
            c.call('DEL', 'key:7')
            s.stop(signal.SIGTERM)
        with Server('--dir', d.path, *NATIVE) as s, s.client() as c:
            warmed(c)
            equal(c.call('DBSIZE'), 200000)
            equal(c.call('EXISTS', 'key:7'), 0)


def test_packed_values_are_saved_as_they_lie():
    with Folder() as d:
        values = {}
        with Server('--dir', d.path, *NATIVE) as s, s.client() as c:
            for i in range(300):
                values['packed:%d' % i] = (b'{"id":%d,"name":"user"}' % i) * (60 + i * 3)
            values['packed:large'] = b'all work and no play ' * 200000
            values['noise'] = os.urandom(1 << 20)
            pipeline(c, [('SET', k, v) for k, v in values.items()])
            until(lambda: int(c.info('cache_compressed_values')) >= 290, 'they are packed')
            digest, packed = c.call('DEBUG', 'DIGEST'), c.info('cache_compressed_stored_bytes')
            equal(c.call('SAVE'), 'OK')
        with Server('--dir', d.path, '--dbfilename', 'again.rdb', '--warm-file', 'dump.larder', *NATIVE) as s, s.client() as c:
            warmed(c)
            equal(c.call('DEBUG', 'DIGEST'), digest)
            for k, v in values.items():
                equal(c.call('GET', k), v, k)
            equal(c.info('cache_compressed_stored_bytes'), packed)
            equal(c.call('SAVE'), 'OK')
        with Redis(d.file('again.rdb')) as r:
            equal(r.call('DEBUG', 'DIGEST'), digest)


def test_replacing_while_others_watch():
    """Who follows the feed is told of keys that a warm-up replaces."""
    with Folder() as d:
        populate(d, 3000)
        with Server('--warm-dir', d.path, '--dbfilename', 'other', *NATIVE) as s, s.client() as c, s.client() as feed:
            pipeline(c, [('SET', 'key:%d' % i, 'mine') for i in range(3000)])
            feed.send(Client.encode('CACHE', 'FEED'))
            feed.reply()
            equal(c.call('CACHE', 'WARM', 'dump.larder', 'REPLACE', 'MATCH', 'key:77*'), 'Warming started')
            equal(warmed(c)['loaded'], 11)
            while b'key:777' not in repr(feed.reply()).encode():
                pass
            assert c.call('GET', 'key:777') != b'mine'
            equal(c.call('GET', 'key:1'), b'mine')


def test_everything_at_once():
    """Saves, warm-ups, writes, flushes, swaps and invalidations side by side, for the thread sanitizer; and what must hold then."""
    with Folder() as d:
        populate(d, 20000)
        over, wrong = threading.Event(), []

        def beside(act):
            def run():
                try:
                    with s.client() as c:
                        n = 0
                        while not over.is_set():
                            act(c, n)
                            n += 1
                except Exception as e:
                    wrong.append(e)
            t = threading.Thread(target=run)
            t.start()
            return t

        def write(c, n):
            pipeline(c, [('SET', 'key:%d' % (n * 50 + i), 'mine') for i in range(50)] + [('DEL', 'key:%d' % (n * 7)),
                         ('SADD', 'set', *range(n, n + 500)), ('HSET', 'hash', n, 'v' * 100), ('APPEND', 'text', 'word ' * 200)])

        def save(c, n):
            c.call('BGSAVE')
            until(lambda: c.info('rdb_bgsave_in_progress') == '0', 'the save is over')

        def sweep(c, n):
            c.call('CACHE', 'INVALIDATE', 'key:%d*' % (n % 90 + 10))
            c.call(*(('FLUSHALL',), ('SWAPDB', 0, 1), ('FLUSHDB',), ('SWAPDB', 0, 1))[n % 4])
            c.call('DBSIZE')

        with Server('--dir', d.path, '--dbfilename', 'other.larder', '--warm-dir', d.path, *NATIVE) as s, s.client() as c:
            threads = [beside(act) for act in (write, write, save, sweep)]
            for n in range(6):
                equal(c.call('CACHE', 'WARM', 'dump.larder', *(('REPLACE',) if n % 2 else ())), 'Warming started')
                if n == 4:
                    c.call('CACHE', 'WARM', 'CANCEL')
                until(lambda: state(c)['state'] != b'running', 'the warm-up is over')
            over.set()
            for t in threads:
                t.join()
            assert not wrong, wrong
            equal(c.call('DEBUG', 'CHECK'), 'OK')
            until(lambda: c.info('rdb_bgsave_in_progress') == '0', 'the save is over')
            equal(c.call('SAVE'), 'OK')
            digest = c.call('DEBUG', 'DIGEST')
            equal(c.call('DEBUG', 'RELOAD', 'NOSAVE'), 'OK')
            equal(c.call('DEBUG', 'DIGEST'), digest)


def snap(*args, status=0):
    tool = os.path.join(os.path.dirname(daemon_path()), 'larder-snap')
    out = subprocess.run([tool, *args], capture_output=True, text=True)
    equal(out.returncode, status, out.stdout + out.stderr)
    return out.stdout


def test_larder_snap_converts():
    with Folder() as d:
        digest, keys = filled_redis(d)
        snap('convert', d.file('dump.rdb'), d.file('a.larder'))
        snap('convert', d.file('a.larder'), d.file('b.rdb'))
        assert '%d keys, all right' % (keys + 100) in snap('verify', d.file('b.rdb')) + snap('verify', d.file('a.larder'))
        with Redis(d.file('b.rdb')) as r:
            equal(r.call('DEBUG', 'DIGEST'), digest)
        snap('convert', '--match', 'hash:1*', '--db', '0', d.file('a.larder'), d.file('some.rdb'))
        with Redis(d.file('some.rdb')) as r:
            equal(r.call('DBSIZE'), 111)
            equal(r.call('HGET', 'hash:17', 'field'), b'17')


def ended_half_way(d, tool):
    """False: it was done, all of it under its right name, before it could be told to end."""
    convert = subprocess.Popen([tool, 'convert', d.file('long.rdb'), d.file('never')], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def begun():
        return [f for f in os.listdir(d.path) if f.startswith('never')]
    until(lambda: begun() or convert.poll() is not None, 'it begins')
    convert.terminate()
    convert.wait()
    if begun() == ['never']:
        os.remove(d.file('never'))
        return False
    equal((begun(), convert.returncode != 0), ([], True))
    return True


def test_larder_snap_inspects():
    with Folder() as d:
        populate(d, 1000, more=[('SET', 'big', os.urandom(100000)), ('RPUSH', 'list:1', 'a'), ('SET', 'short:1', 'v', 'EX', '60')])
        said = snap('inspect', '--top', '3', d.file('dump.larder'))
        for part in ('1003 keys', 'string', 'list', 'up to a minute', 'key:', 'big', '100003 bytes'):
            assert part in said, said
        damage(d)
        assert 'not all right' in snap('verify', d.file('dump.larder'), status=1)
        d.write('nonsense', b'nonsense')
        snap('verify', d.file('nonsense'), status=1)
        tool = os.path.join(os.path.dirname(daemon_path()), 'larder-snap')
        with open('/dev/full', 'w') as full:
            out = subprocess.run([tool, 'inspect', d.file('dump.larder')], stdout=full, stderr=subprocess.PIPE, text=True)
        equal((out.returncode, out.stderr), (1, 'larder-snap: standard output: No space left on device\n'))
        record = b'\x00\x03new\x01v'
        d.write('small.rdb', b'REDIS0010' + b'\xfc' + struct.pack('<q', 1000) + b'\x00\x03old\x01v' + record + b'\xff' + bytes(8))
        d.write('long.rdb', b'REDIS0010' + b''.join(b'\x00\x0d%013d\x20%032d' % (i, i) for i in range(300000)) + b'\xff' + bytes(8))
        # a device or a pipe is neither read nor replaced; a link leads to where it leads
        os.mkfifo(d.file('pipe'))
        snap('inspect', d.file('pipe'), status=1)
        snap('convert', d.file('small.rdb'), d.file('pipe'), status=1)
        assert stat.S_ISFIFO(os.stat(d.file('pipe')).st_mode)
        os.symlink('to.larder', d.file('link'))
        snap('convert', d.file('small.rdb'), d.file('link'), status=1)
        d.write('to.larder', b'')
        snap('convert', d.file('small.rdb'), d.file('link'))
        assert os.path.islink(d.file('link')) and os.path.getsize(d.file('to.larder')) > 50
        # what is over is counted, and left out of a conversion
        said = json.loads(snap('inspect', '--json', d.file('small.rdb')))
        equal((said['all']['keys'], said['all']['with_ttl'], said['all']['expired']), (2, 1, 1))
        equal(json.loads(snap('verify', '--json', d.file('to.larder')))['keys'], 1)
        # no temporary file stays, whether it cannot be written or is told to end
        out = subprocess.run(['prlimit', '--fsize=1000', tool, 'convert', d.file('long.rdb'), d.file('never')], capture_output=True, text=True)
        assert out.returncode, out
        equal([f for f in os.listdir(d.path) if f.startswith('never')], [])
        until(lambda: ended_half_way(d, tool), 'it is told to end before it is done')
        snap('verify', status=2)
        snap('convert', '--format', 'tar', 'a', 'b', status=2)


def naive(keys, top):
    """What `larder-snap inspect --json` says of (db, key, type, bytes, seconds to live or None)s, counted the plain way."""
    def sums(some):
        some = list(some)
        return {'keys': len(some), 'bytes': sum(k[3] for k in some), 'with_ttl': sum(k[4] is not None for k in some), 'expired': 0}

    def prefix(key):
        return re.match(rb'(.*?[:/.|-])?', key, re.S).group(0)
    limits = [60, 3600, 86400, 604800, 2592000, None]
    lives = [sum(k[4] is not None and (b is None or k[4] <= b) and k[4] > a for k in keys) for a, b in zip([0] + limits, limits)]
    by_prefix = {p: sums(k for k in keys if prefix(k[1]) == p) for p in {prefix(k[1]) for k in keys}}
    return {'all': sums(keys), 'types': {t: sums(k for k in keys if k[2] == t) for t in {k[2] for k in keys}},
            'databases': {str(n): sums(k for k in keys if k[0] == n) for n in {k[0] for k in keys}},
            'ttl': [dict({'keys': n}, **({'up_to_seconds': b} if b else {})) for n, b in zip(lives, limits)],
            'prefixes': sorted((dict(s, prefix=p.decode('latin-1')) for p, s in by_prefix.items()), key=lambda s: -s['bytes'])[:top],
            'largest': sorted(({'key': k[1].decode('latin-1'), 'db': k[0], 'type': k[2], 'bytes': k[3]} for k in keys), key=lambda k: -k['bytes'])[:top]}


def test_larder_snap_counts_right():
    """Beside what is counted the plain way; sizes of collections are larder's own, so they stay out of the sums."""
    x = random.Random(5)
    keys, commands, db = [], [], 0
    for i in range(3000):
        name = x.choice([b'user:', b'session/', b'a.b.', b'x', b'p\xc3\xa4\x00"\\-', b'']) + b'%d' % i
        value = bytes(x.choices(range(256), k=40 + i * 7 % 3001 - len(name)))  # no two sums are equal
        life = x.choice([None, None, 59, 60, 3000, 50000, 500000, 2000000, 9000000])
        if i % 700 == 0:
            db = i // 700 * 3
            commands.append(('SELECT', db))
        commands.append(('SET', name, value) + (('EX', life) if life else ()))
        keys.append((db, name, 'string', len(name) + len(value), life))
    with Folder() as d:
        for name in ('a.larder', 'a.rdb'):
            with Server('--dir', d.path, '--dbfilename', name, '--save', '', '--compression', 'no') as s, s.client() as c:
                pipeline(c, commands)
                equal(c.call('SAVE'), 'OK')
                for some, match in ((keys, ()), ([k for k in keys if k[1].startswith(b'user:')], ('--match', 'user:*')), ([k for k in keys if k[0] == 3], ('--db', '3'))):
                    said = json.loads(snap('inspect', '--json', '--top', '7', *match, d.file(name)))
                    for what, want in naive(some, 7).items():
                        equal(said[what], want, name + ' ' + what)
                    equal((said['right'], said['error'], said['keys'], said['size']), (True, '', len(some), os.path.getsize(d.file(name))))
                    equal(sum(said['heat']), len(some))
            said = json.loads(snap('verify', '--json', d.file(name)))
            equal((said['right'], said['keys'], said['format']), (True, 3000, 'rdb' if name == 'a.rdb' else 'native'))
            d.write('cut', d.bytes(name)[:3000000])
            said = json.loads(snap('verify', '--json', d.file('cut'), status=1))
            equal((said['right'], 0 < said['keys'] < 3000), (False, True))
