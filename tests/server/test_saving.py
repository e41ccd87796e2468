"""Saves: what is in the files, and what happens to them when things go wrong. Where a file's contents matter, redis-server reads it."""
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from larder import Client, ReplyError, Server, Skip, equal, until

LONG = os.environ.get('LARDER_LONG') == '1'
RDB = ('--dbfilename', 'dump.rdb', '--save', '')


class Redis:
    """A redis-server that has loaded a file."""

    def __init__(self, path):
        if not shutil.which('redis-server'):
            raise Skip('there is no redis-server')
        self.dir = tempfile.mkdtemp(prefix='larder-redis-')
        shutil.copy(path, os.path.join(self.dir, 'dump.rdb'))
        self.log = open(os.path.join(self.dir, 'log'), 'w+')
        sock = os.path.join(self.dir, 's')
        self.proc = subprocess.Popen(['redis-server', '--port', '0', '--unixsocket', sock, '--dir', self.dir, '--save', '',
                                      '--enable-debug-command', 'yes'], stdout=self.log, stderr=self.log)
        try:
            until(lambda: self.connects(sock), 'redis-server starts')
            until(lambda: self.client.call('PING') == 'PONG', 'redis-server has loaded')
        except BaseException:
            self.log.seek(0)
            print('# ' + self.log.read().replace('\n', '\n# '))
            self.close()
            raise

    def connects(self, sock):
        assert self.proc.poll() is None, 'redis-server does not start'
        try:
            self.client = Client(sock)
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def close(self):
        self.proc.kill()
        self.proc.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.client

    def __exit__(self, *_):
        self.close()


def pipeline(c, commands, size=500):
    for i in range(0, len(commands), size):
        c.send(b''.join(Client.encode(*w) for w in commands[i:i + size]))
        for w in commands[i:i + size]:
            reply = c.reply()
            assert not isinstance(reply, ReplyError), '%r: %s' % (w, reply)


def every_type(c, n=300):
    """Keys of all types, small and large, in two databases, some with a TTL."""
    commands = []
    for i in range(n):
        commands.append(('SET', 'string:%d' % i, 'v' * (i * 7 % 500)))
        commands.append(('SET', 'number:%d' % i, i * 1000003))
        commands.append(('SET', 'text:%d' % i, ('line %d of a text that is kept packed\n' % i) * (10 + i * 10)))
        commands.append(('SET', 'ttl:%d' % i, 'x', 'EX', 1000 + i))
        commands.append(('HSET', 'hash:%d' % i, 'field', i, 'other', 'v' * (i % 100)))
        commands.append(('RPUSH', 'list:%d' % i, 'a', i, 'c' * (i % 90)))
        commands.append(('SADD', 'set:%d' % i, i, i + 1, 'member' if i % 2 else 7))
        commands.append(('ZADD', 'zset:%d' % i, i / 3, 'one', -i, 'two'))
    for i in range(5000):
        commands.append(('HSET', 'large:hash', 'f%d' % i, 'value %d' % i))
        commands.append(('RPUSH', 'large:list', 'element %d' % i))
        commands.append(('SADD', 'large:set', 'member %d' % i))
        commands.append(('ZADD', 'large:zset', i, 'member %d' % i))
    commands.append(('SET', 'large:string', os.urandom(50000) * 20))
    commands.append(('SETBIT', 'bitmap', 100000, 1))
    commands.append(('PFADD', 'hll') + tuple('m%d' % i for i in range(200)))
    commands.append(('SELECT', 7))
    commands += [('SET', 'seventh:%d' % i, i) for i in range(100)]
    commands.append(('SELECT', 0))
    pipeline(c, commands)


def saved(c):
    """Waits for a save under way; how it ended."""
    until(lambda: c.info('rdb_bgsave_in_progress') == '0', 'the save is over')
    return c.info('rdb_last_bgsave_status')


def left_in(folder, name):
    """What a save has left beside its file."""
    return [f for f in os.listdir(folder) if f.startswith(name) and f != name]


def test_redis_reads_what_was_saved():
    for how in ('SAVE', 'BGSAVE'):
        with Server(*RDB) as s, s.client() as c:
            every_type(c)
            assert not isinstance(c.call(how), ReplyError)
            equal(saved(c), 'ok')
            with Redis(os.path.join(s.dir, 'dump.rdb')) as r:
                equal(r.call('DEBUG', 'DIGEST'), c.call('DEBUG', 'DIGEST'))
                equal(r.call('DBSIZE'), c.call('DBSIZE'))
                assert abs(r.call('PTTL', 'ttl:7') - c.call('PTTL', 'ttl:7')) < 5000
            equal(left_in(s.dir, 'dump.rdb'), [])


class Writers:
    """Threads that raise the number at first:N and then at second:N: at no moment is the second ahead, or more than one behind.
    Beside that, everything is overwritten, moved and deleted at will."""

    def __init__(self, s, threads=2, pairs=2000):
        self.stopped, self.errors, self.rounds = False, [], [0] * threads
        self.pairs = pairs
        self.threads = [threading.Thread(target=self.run, args=(s, i, threads)) for i in range(threads)]
        for t in self.threads:
            t.start()

    def run(self, s, index, step):
        try:
            x = random.Random(index)
            at = [0] * self.pairs
            with s.client() as c:
                while not self.stopped:
                    commands = []
                    for _ in range(200):
                        i = x.randrange(index, self.pairs, step)
                        at[i] += 1
                        value = '%d ' % at[i] + 'v' * (x.randrange(40) if x.randrange(100) else x.randrange(60000))
                        commands += [('SET', 'first:%d' % i, value), ('SET', 'second:%d' % i, value)]
                        noise = 'noise:%d' % x.randrange(2000)
                        commands.append(x.choice([('SET', noise, 'v' * x.randrange(300)), ('DEL', noise), ('PEXPIRE', noise, 100000)]))
                    pipeline(c, commands)
                    self.rounds[index] += 1
        except Exception as e:  # the daemon may be killed under it
            self.errors.append(e)

    def busy(self):
        """All of them have written since."""
        before = list(self.rounds)
        until(lambda: self.errors or all(a > b + 1 for a, b in zip(self.rounds, before)), 'writers write')

    def stop(self):
        self.stopped = True
        for t in self.threads:
            t.join()


def of_one_moment(r, pairs):
    r.send(b''.join(Client.encode('MGET', 'first:%d' % i, 'second:%d' % i) for i in range(pairs)))
    n = 0
    for i in range(pairs):
        first, second = [int(v.split(b' ')[0]) if v else 0 for v in r.reply()]
        assert first >= second >= first - 1, 'pair %d: %d and %d are not of one moment' % (i, first, second)
        n += first > 0
    return n


def test_a_save_is_of_one_moment_while_everything_is_overwritten():
    with Server(*RDB) as s, s.client() as c:
        every_type(c, 50)
        w = Writers(s)
        try:
            w.busy()
            for _ in range(3):
                before = c.call('DBSIZE')
                equal(c.call('BGSAVE'), 'Background saving started')
                equal(saved(c), 'ok')
                with Redis(os.path.join(s.dir, 'dump.rdb')) as r:
                    assert of_one_moment(r, w.pairs) > 100
                    assert r.call('DBSIZE') > before // 2
                w.busy()
        finally:
            w.stop()
        equal(w.errors, [])


def warm_status(c):
    words = iter(c.call('CACHE', 'WARM', 'STATUS'))
    return {name.decode(): value for name, value in zip(words, words)}


def whole(path):
    """Is it a file that was saved whole? (A temporary one never bears this name.)"""
    if path.endswith('.rdb'):
        out = subprocess.run(['redis-check-rdb', path], capture_output=True, text=True)
        return out.returncode == 0 and 'Checksum OK' in out.stdout
    with Server('--dir', os.path.dirname(path), '--save', '', '--warm-blocking', 'yes', '--warm-strict', 'yes') as s, s.client() as c:
        until(lambda: c.call('PING') == 'PONG', 'it is loaded')
        status = warm_status(c)
        return status['state'] == b'done' and status['damaged'] == 0 and status['loaded'] >= 23000


def test_kill_9_at_any_moment_leaves_a_whole_file():
    if not shutil.which('redis-check-rdb'):
        raise Skip('there is no redis-check-rdb')
    folder = tempfile.mkdtemp(prefix='larder-kill-')
    x = random.Random(7)
    during = 0
    try:
        for n in range(200 if LONG else 6):
            name = 'dump.rdb' if n % 2 else 'dump.larder'
            path = os.path.join(folder, name)
            with Server('--dir', folder, '--dbfilename', name, '--save', '', crash=True) as s:
                with s.client() as c:
                    until(lambda: warm_status(c)['state'] != b'running', 'what there is is loaded')
                    pipeline(c, [('SET', 'key:%d' % i, os.urandom(60)) for i in range(3000)])
                    c.call('DEBUG', 'POPULATE', '20000', 'p', '100')
                    if n < 2:
                        equal(c.call('SAVE'), 'OK')
                    w = Writers(s, threads=1, pairs=500)
                    w.busy()
                    c.call('BGSAVE')
                    time.sleep(x.random() * 0.12)
                    running = c.info('rdb_bgsave_in_progress')
                    during += running == '1'
                s.kill()
                w.stop()
            assert whole(path), 'kill %d, during a save: %s' % (n, running)
            # What was being written is swept up by the next save.
            assert len(left_in(folder, name)) <= 1, left_in(folder, name)
        print('# killed during a save: %d of %d' % (during, n + 1))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fails_and_recovers(s, c, path, broken, mended):
    """A save fails: the old file stays, nothing is left beside it, and everything goes on; then it can be saved again."""
    equal(c.call('SAVE'), 'OK')
    with open(path, 'rb') as f:
        old = f.read()
    pipeline(c, [('SET', 'more:%d' % i, os.urandom(100)) for i in range(30000)])
    last = c.call('LASTSAVE')
    broken()
    said = len(s.lines)
    equal(c.call('BGSAVE'), 'Background saving started')
    equal(saved(c), 'err')
    s.await_line('Background saving error: cannot write ', said)
    equal(c.call('LASTSAVE'), last)
    equal(c.call('SAVE'), 'ERR')
    equal(c.call('SET', 'x', 1), 'OK')
    equal(c.call('GET', 'x'), b'1')
    if os.path.exists(path):
        with open(path, 'rb') as f:
            assert f.read() == old, 'the old file was touched'
        equal(left_in(os.path.dirname(path), os.path.basename(path)), [])
    mended()
    equal(c.call('SAVE'), 'OK')
    equal(c.info('rdb_last_bgsave_status'), 'ok')
    with open(path, 'rb') as f:
        assert len(f.read()) > len(old)


def test_a_file_that_may_not_grow():
    for more in ((), RDB):
        with Server(*more) as s, s.client() as c:
            c.call('DEBUG', 'POPULATE', '1000', 'key', '100')
            none = resource.RLIM_INFINITY
            fails_and_recovers(s, c, os.path.join(s.dir, 'dump.rdb' if more else 'dump.larder'),
                               lambda: resource.prlimit(s.pid, resource.RLIMIT_FSIZE, (500000, none)),
                               lambda: resource.prlimit(s.pid, resource.RLIMIT_FSIZE, (none, none)))


def test_a_full_disk():
    """A small tmpfs in a namespace of the daemon's own."""
    sizes = {'broken': 'size=1m', 'mended': 'size=64m'}
    if subprocess.run(['unshare', '-rm', 'true'], capture_output=True).returncode:
        raise Skip('no namespaces may be made')
    folder = tempfile.mkdtemp(prefix='larder-full-')
    script = 'mount -t tmpfs -o size=64m tmpfs %s && exec "$@"' % folder
    try:
        if subprocess.run(['unshare', '-rm', 'sh', '-c', script, 'sh', 'true'], capture_output=True).returncode:
            raise Skip('no tmpfs may be mounted')
        with Server('--dir', folder, before=('unshare', '-rm', 'sh', '-c', script, 'sh')) as s, s.client() as c:
            c.call('DEBUG', 'POPULATE', '1000', 'key', '100')

            def mount(which):
                done = subprocess.run(['nsenter', '-t', str(s.pid), '-U', '-m', '--preserve-credentials', 'mount', '-o',
                                       'remount,' + sizes[which], folder], capture_output=True, text=True)
                if done.returncode:
                    raise Skip('cannot mount again: ' + done.stderr.strip())
            fails_and_recovers(s, c, '/proc/%d/root%s/dump.larder' % (s.pid, folder), lambda: mount('broken'), lambda: mount('mended'))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_folder_that_goes_and_comes():
    folder = tempfile.mkdtemp(prefix='larder-gone-')
    try:
        with Server('--dir', folder) as s, s.client() as c:
            c.call('DEBUG', 'POPULATE', '1000', 'key', '100')
            fails_and_recovers(s, c, os.path.join(folder, 'dump.larder'), lambda: shutil.rmtree(folder), lambda: os.mkdir(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def slowed(*more, **kw):
    """A daemon whose saves take long, on a slow machine too: until the limit is lifted."""
    return Server('--snapshot-rate-limit', '100kb', '--rdbcompression', 'no', *more, **kw)


def fill(c, n=30000):
    pipeline(c, [('SET', 'fill:%d' % i, os.urandom(100)) for i in range(n)])


def lift(c):
    equal(c.call('CONFIG', 'SET', 'snapshot-rate-limit', '0'), 'OK')


def test_one_save_at_a_time():
    with slowed() as s, s.client() as c, s.client() as d:
        fill(c)
        equal(c.call('BGSAVE'), 'Background saving started')
        equal(c.call('BGSAVE'), 'ERR Background save already in progress')
        equal(c.call('BGSAVE', 'SCHEDULE'), 'ERR Background save already in progress')
        equal(c.call('SAVE'), 'ERR Background save already in progress')
        equal(c.info('rdb_bgsave_in_progress'), '1')
        equal(c.call('SET', 'x', 1), 'OK', 'it serves on')
        lift(c)
        equal(saved(c), 'ok')
        equal(c.info('rdb_saves'), '1')
        equal(c.info('rdb_changes_since_last_save'), '1')
        equal(c.call('CONFIG', 'SET', 'snapshot-rate-limit', '100kb'), 'OK')
        d.send(Client.encode('SAVE') + Client.encode('PING'))
        until(lambda: c.info('rdb_bgsave_in_progress') == '1', 'SAVE begins')
        equal(c.call('GET', 'x'), b'1', 'others are served meanwhile')
        assert d.silent()
        lift(c)
        equal(d.reply(), 'OK')
        equal(d.reply(), 'PONG')


def test_save_points():
    with Server('--save', '1 5') as s, s.client() as c:
        for i in range(4):
            c.call('SET', 'k%d' % i, i)
        equal(c.info('rdb_saves'), '0')
        c.call('SET', 'k5', 5)
        until(lambda: c.info('rdb_saves') == '1', 'five changes and a second')
        s.await_line('5 changes in 1 seconds. Saving...')
        equal(c.info('rdb_changes_since_last_save'), '0')


CHANGES = """
    SET a 1; SET a 2; SETNX a 3; SET a 1 NX; DEL nokey; DEL a; MSET a 1 b 2 c 3; MSETNX a 1 z 2; DEL a b c; APPEND s x;
    APPEND s yy; INCR n; INCRBY n 0; INCRBYFLOAT n 1.5; GETSET n 5; GETDEL n; GETDEL n; GETEX s; GETEX s EX 100; GETEX s
    PERSIST; GETEX s PERSIST; SETRANGE s 0 abc; SETEX e 100 v; EXPIRE e 200; EXPIRE nokey 100; EXPIRE e -1; PERSIST s;
    BITFIELD bm GET u8 0; BITOP AND bd bm; BITOP AND bd nokey; BITOP AND bd nokey; LPUSH l a b c;
    LPUSHX nokey a; RPUSH l d; LINSERT l BEFORE a x; LINSERT l BEFORE zz x; LSET l 0 q; LREM l 1 nothere; LREM l 1 a;
    LTRIM l 0 -1; LTRIM l 0 1; LPOP l; LPOP nokey; RPUSH l 1 2 3 4; LPOP l 3; LMPOP 1 l LEFT COUNT 2; RPUSH l 1 2; LMOVE l
    l2 LEFT RIGHT; LMOVE nokey l2 LEFT RIGHT; RPOPLPUSH l l2; SADD st a b c; SADD st a; SADD st a d; SREM st zz; SREM st a
    b; SPOP st; SADD st 1 2 3 4 5 6; SPOP st 3; SMOVE st st2 nothere; SADD st x; SMOVE st st2 x; SINTERSTORE d st nokey;
    SUNIONSTORE d st; SINTERSTORE d st nokey; HSET h1 a 1 b 2; HSET h1 a 1; HSET h1 a 1 c 3; HSETNX h1 a 3; HMSET h1 a 1 b
    2; HDEL h1 zz; HDEL h1 a b; HINCRBY h1 q 1; HINCRBYFLOAT h1 q 1.5; ZADD z 1 a 2 b; ZADD z 1 a; ZADD z 3 a 4 c; ZADD z
    XX 5 qq; ZADD z GT 1 a; ZINCRBY z 1 a; ZREM z zz; ZREM z a; ZADD z 1 a 2 b 3 c 4 d; ZPOPMIN z; ZPOPMAX z 2; ZMPOP 1 z
    MIN; ZADD z 1 a 2 b 3 c; ZREMRANGEBYRANK z 0 1; ZREMRANGEBYSCORE z 100 200; ZUNIONSTORE zd 1 z; ZINTERSTORE zd 1
    nokey; ZRANGESTORE zd2 z 0 -1; ZRANGESTORE zd2 nokey 0 -1; GEOADD g 13.3 38.1 p1 15.0 37.5 p2; GEOADD g 13.3 38.1 p1;
    SORT nokey STORE sd; SORT nokey STORE sd; SET r1 v; RENAME r1 r2; RENAMENX r2 st; RENAME nokey x; COPY r2 r3; COPY r2
    r3; MOVE r2 1; MOVE nokey 1; DUMP s; UNLINK r3 nokey; TOUCH s; SWAPDB 0 1; SWAPDB 0 1; FLUSHDB; SET a 1; SET b 1;
    FLUSHDB; FLUSHDB; SET a 1; SET b 2; FLUSHALL; LPUSH l a; SADD l x
"""


def test_changes_are_counted_as_redis_counts_them():
    """Members and keys, not commands: what changes nothing is no change."""
    empty = tempfile.NamedTemporaryFile(prefix='larder-empty-')
    empty.write(b'REDIS0010\xff' + bytes(8))
    empty.flush()
    with empty, Server('--save', '') as s, s.client() as c, Redis(empty.name) as r:
        before = [0, 0]
        for words in ' '.join(CHANGES.split()).split('; '):
            counted = []
            for i, d in enumerate((c, r)):
                d.call(*words.split())
                n = int(d.info('rdb_changes_since_last_save'))
                counted.append(n - before[i])
                before[i] = n
            equal(counted[0], counted[1], words)
        c.call('CONFIG', 'RESETSTAT')
        equal(int(c.info('rdb_changes_since_last_save')), before[0])
        equal(c.call('SET', 'x', 'v', 'PX', 1), 'OK')
        until(lambda: c.call('EXISTS', 'x') == 0 and c.info('expired_keys') == '1', 'it expires')
        equal(int(c.info('rdb_changes_since_last_save')), before[0] + 1, 'what goes by itself is no change')
        c.call('SAVE')
        equal(c.info('rdb_changes_since_last_save'), '0')


def test_folders_change_while_a_save_runs():
    other = tempfile.mkdtemp(prefix='larder-other-')
    try:
        with slowed('--enable-protected-configs', 'yes') as s, s.client() as c:
            fill(c)
            c.call('BGSAVE')
            equal(c.call('CONFIG', 'SET', 'dir', other, 'dbfilename', 'another.larder'), 'OK')
            lift(c)
            equal(saved(c), 'ok')
            assert os.path.exists(os.path.join(s.dir, 'dump.larder')), 'the save that ran keeps to its own'
            equal(os.listdir(other), [])
            equal(c.call('SAVE'), 'OK')
            equal(os.listdir(other), ['another.larder'])
    finally:
        shutil.rmtree(other, ignore_errors=True)


def test_whole_databases_change_while_a_save_runs():
    with slowed(*RDB) as s, s.client() as c:
        fill(c)
        every_type(c, 50)
        digest = c.call('DEBUG', 'DIGEST')
        size = c.call('DBSIZE')
        c.call('BGSAVE')
        equal(c.call('SWAPDB', 0, 7), 'OK')
        c.call('SELECT', 7)
        equal(c.call('FLUSHDB'), 'OK')
        fill(c, 1000)
        c.call('SELECT', 0)
        equal(c.call('FLUSHDB', 'SYNC'), 'OK')
        lift(c)
        equal(saved(c), 'ok')
        with Redis(os.path.join(s.dir, 'dump.rdb')) as r:
            equal(r.call('DBSIZE'), size)
            equal(r.call('DEBUG', 'DIGEST'), digest, 'as it was when the save began')


def test_flushall_while_a_save_runs():
    with slowed(*RDB) as s, s.client() as c:
        path = os.path.join(s.dir, 'dump.rdb')
        c.call('SET', 'old', 1)
        equal(c.call('SAVE'), 'OK')
        with open(path, 'rb') as f:
            old = f.read()
        fill(c)
        c.call('BGSAVE')
        equal(c.call('FLUSHALL'), 'OK')
        equal(saved(c), 'ok', 'giving it up is no failure')
        s.await_line('Saving was given up')
        with open(path, 'rb') as f:
            assert f.read() == old
        equal(left_in(s.dir, 'dump.rdb'), [])
        fill(c)
        c.call('CONFIG', 'SET', 'save', '3600 1000000')
        c.call('BGSAVE')
        equal(c.call('FLUSHALL'), 'OK')
        until(lambda: c.info('rdb_saves') == '2', 'where there are save points, what is left is saved')
        with Redis(path) as r:
            equal(r.call('DBSIZE'), 0)


def ends(s):
    equal(s.wait(), 0)


def test_the_end_saves_where_there_are_save_points():
    for how in ('SIGTERM', 'SHUTDOWN'):
        with Server('--dbfilename', 'dump.rdb', '--save', '3600 1') as s:
            path = os.path.join(s.dir, 'dump.rdb')
            w = Writers(s, pairs=500)
            w.busy()
            with s.client() as c:
                if how == 'SHUTDOWN':
                    c.send(Client.encode(how))
                    c.at_end()
                else:
                    s.stop(signal.SIGTERM)
                ends(s)
            w.stop()
            with Redis(path) as r:
                assert of_one_moment(r, w.pairs) > 0
    for how in (('SHUTDOWN', 'NOSAVE'), None):
        with Server('--dbfilename', 'dump.rdb', '--save', '3600 1' if how else '') as s:
            with s.client() as c:
                c.call('SET', 'a', 1)
                if how:
                    c.send(Client.encode(*how))
                    c.at_end()
                else:
                    s.stop(signal.SIGTERM)
                ends(s)
            assert not os.path.exists(os.path.join(s.dir, 'dump.rdb'))


def test_what_is_acknowledged_is_in_the_last_save():
    """Writes are held back before the end: who got a reply finds it in the file."""
    with Server('--dbfilename', 'dump.rdb', '--save', '3600 1') as s:
        done = [0, 0]

        def count(index):
            with s.client() as c:
                try:
                    while True:
                        c.send(b''.join(Client.encode('INCR', 'counter:%d' % index) for _ in range(100)))
                        for _ in range(100):
                            done[index] = c.reply()
                except Exception:
                    pass
        threads = [threading.Thread(target=count, args=(i,)) for i in range(2)]
        for t in threads:
            t.start()
        until(lambda: min(done) > 1000, 'both count')
        with s.client() as c:
            c.send(Client.encode('SHUTDOWN'))
            c.at_end()
        ends(s)
        for t in threads:
            t.join()
        with Redis(os.path.join(s.dir, 'dump.rdb')) as r:
            for i in range(2):
                assert int(r.call('GET', 'counter:%d' % i)) >= done[i]


def test_an_end_that_cannot_save_does_not_end():
    folder = tempfile.mkdtemp(prefix='larder-end-')
    try:
        with Server('--dir', folder, '--save', '3600 1', '--stop-writes-on-bgsave-error', 'no') as s:
            with s.client() as c:
                c.call('SET', 'a', 1)
                shutil.rmtree(folder)
                equal(c.call('SHUTDOWN'), 'ERR Errors trying to SHUTDOWN. Check logs.')
                refused = "Error trying to save the DB, can't exit."
                s.await_line(refused)
                told = len(s.lines)
                s.send_signal(signal.SIGTERM, lambda: any(refused in line for line in s.lines[told:]))
                equal(c.call('SET', 'a', 2), 'OK')
                os.mkdir(folder)
                equal(c.call('CONFIG', 'SET', 'shutdown-on-sigterm', 'nosave'), 'OK')
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_shutdown_while_a_save_runs():
    with slowed(*RDB) as s:
        with s.client() as c, s.client() as d:
            fill(c)
            c.call('BGSAVE')
            c.call('SET', 'last', 'words')
            d.send(Client.encode('SHUTDOWN', 'SAVE'))
            s.await_line('Saving was given up')
            until(lambda: c.info('rdb_bgsave_in_progress') == '1', 'the last one begins')
            equal(c.call('GET', 'last'), b'words', 'reads are served to the end')
            lift(c)
            d.at_end()
            ends(s)
        with Redis(os.path.join(s.dir, 'dump.rdb')) as r:
            equal(r.call('GET', 'last'), b'words')
            equal(r.call('DBSIZE'), 30001)


def test_shutdown_can_be_aborted():
    with slowed(*RDB) as s, s.client() as c, s.client() as d:
        fill(c)
        d.send(Client.encode('SHUTDOWN', 'SAVE'))
        until(lambda: c.info('rdb_bgsave_in_progress') == '1', 'it saves')
        equal(c.call('SHUTDOWN', 'ABORT'), 'OK')
        equal(d.reply(), 'ERR Errors trying to SHUTDOWN. Check logs.')
        equal(c.call('SET', 'x', 1), 'OK')
        equal(saved(c), 'ok')


def test_writes_are_held_back_at_the_end_whatever_clients_say():
    """CLIENT UNPAUSE does not let writes go on that the last snapshot would not have."""
    with slowed(*RDB) as s, s.client() as c, s.client() as d, s.client() as w:
        fill(c)
        equal(c.call('CLIENT', 'PAUSE', 100000, 'WRITE'), 'OK')
        d.send(Client.encode('SHUTDOWN', 'SAVE'))
        s.await_line('Saving the final snapshot')
        w.send(Client.encode('PING') + Client.encode('SET', 'late', 1))
        equal(w.reply(), 'PONG')
        for words in (('UNPAUSE',), ('PAUSE', 1, 'WRITE')):
            equal(c.call('CLIENT', *words), 'OK')
            for _ in range(50):  # turns of the loop, while the pause ends
                equal(c.call('GET', 'late'), None)
            assert w.silent()
        equal(c.call('SHUTDOWN', 'ABORT'), 'OK')
        equal(w.reply(), 'OK')
        equal(d.reply(), 'ERR Errors trying to SHUTDOWN. Check logs.')
        equal(saved(c), 'ok')
        d.send(Client.encode('SHUTDOWN', 'SAVE'))
        until(lambda: c.info('rdb_bgsave_in_progress') == '1', 'it saves again')
        w.send(Client.encode('SET', 'late', 2))
        equal(c.call('CLIENT', 'UNPAUSE'), 'OK')
        lift(c)
        d.at_end()
        ends(s)
        equal(w.at_end(), b'')
        with Redis(os.path.join(s.dir, 'dump.rdb')) as redis:
            equal(redis.call('GET', 'late'), b'1')


def peak_since(pid, reset=False):
    if reset:
        with open('/proc/%d/clear_refs' % pid, 'w') as f:
            f.write('5')
    with open('/proc/%d/status' % pid) as f:
        return int(re.search(r'VmHWM:\s+(\d+)', f.read()).group(1)) * 1024


def test_large_values_are_not_copied():
    for more in (('--save', ''), RDB):
        with Server(*more) as s, s.client() as c:
            if re.search(r'__(a|t)san_init', open('/proc/%d/exe' % s.pid, 'rb').read().decode('latin1')):
                raise Skip('sanitizers have memory of their own')
            for i in range(3):
                c.call('SET', 'large:%d' % i, os.urandom(1 << 20) * 60)
            pipeline(c, [('SADD', 'set', *['member %d of a large set' % (i * 1000 + k) for k in range(1000)]) for i in range(500)])
            c.call('CLIENT', 'NO-EVICT', 'ON')
            until(lambda: c.info('mem_clients_normal') and True, 'buffers are back')
            before = peak_since(s.pid, True)
            equal(c.call('SAVE'), 'OK')
            more = peak_since(s.pid) - before
            assert more < 16 << 20, '%d bytes more at the peak' % more


def test_debug_reload():
    for more in (('--save', ''), RDB):
        with Server(*more) as s, s.client() as c:
            every_type(c)
            digest = c.call('DEBUG', 'DIGEST')
            equal(c.call('DEBUG', 'RELOAD'), 'OK')
            equal(c.call('DEBUG', 'DIGEST'), digest)
            c.call('SET', 'number:1', 'changed')
            c.call('SET', 'new', 1)
            equal(c.call('DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH'), 'OK')
            equal((c.call('GET', 'number:1'), c.call('GET', 'new')), (b'changed', b'1'))
            equal(c.call('DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH', 'MERGE'), 'OK')
            equal((c.call('GET', 'number:1'), c.call('GET', 'new')), (b'1000003', b'1'))
            equal(c.call('DEBUG', 'RELOAD', 'NOSAVE'), 'OK')
            equal(c.call('DEBUG', 'DIGEST'), digest)
            os.unlink(os.path.join(s.dir, 'dump.rdb' if more == RDB else 'dump.larder'))
            equal(c.call('DEBUG', 'RELOAD', 'NOSAVE'), 'ERR Error trying to load the RDB dump, check server logs.')
            equal(c.call('DEBUG', 'DIGEST'), digest)
            equal(c.call('DEBUG', 'RELOAD', 'NOSUCH'), 'ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.')
