"""A save, a warm-up and an end at the same time: a preloaded library (faults.c) holds a warm-up at its next read of a file, a rate
limit holds a save, so each case is at the moment that it is about."""
import os
import signal

from larder import Client, Server, equal, until
from test_faults import Faults
from test_saving import Redis, fill, lift, pipeline, saved, slowed
from test_warming import Folder, populate, state, warmed

KEYS = 30000


class Held:
    """Reads of files called `dump.` stop at the fourth from now on (the first ones look what it is), until it is let go."""

    def __init__(self, faults):
        self.faults = faults
        self.before = faults.failed('hold')
        faults.set('hold', 4)

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


def both_at_once(d, f, end):
    """A daemon that is loading one file, and saving to another, is told to end."""
    s = in_folder(d, f, '--dbfilename', 'dump.rdb', '--snapshot-rate-limit', '1mb', '--rdbcompression', 'no')
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
