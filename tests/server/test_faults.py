"""Snapshots on a disk that does not do what it is asked: every call that can fail does, by a library that is preloaded (faults.c)."""
import contextlib
import errno
import mmap
import os
import re
import resource
import shutil
import struct
import subprocess
import tempfile

from larder import Server, Skip, daemon_path, equal, until
from test_saving import left_in, pipeline, saved, warm_status

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ('create', 'write', 'short write', 'sync', 'close', 'rename', 'open folder', 'sync folder', 'read', 'hold', 'link')


class Faults:
    """Whatever is preloaded; `with` makes one for one daemon."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix='larder-faults-')
        library, table = os.path.join(self.folder, 'faults.so'), os.path.join(self.folder, 'table')
        done = subprocess.run([os.environ.get('CC', 'cc'), '-shared', '-fPIC', '-o', library, os.path.join(HERE, 'faults.c'), '-ldl'],
                              capture_output=True, text=True)
        equal(done.returncode, 0, done.stderr)
        with open(table, 'wb') as f:
            f.write(bytes(4096))
        with open(table, 'r+b') as f:
            self.table = mmap.mmap(f.fileno(), 4096)
        sanitizers = ':'.join(filter(None, (os.environ.get('ASAN_OPTIONS'), 'verify_asan_link_order=0')))
        self.env = {'LD_PRELOAD': library, 'LARDER_FAULTS': table, 'ASAN_OPTIONS': sanitizers}
        return self

    def __exit__(self, *_):
        self.table.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def set(self, kind, count, error=0):
        at = KINDS.index(kind) * 12
        self.table[at + 4:at + 8] = struct.pack('i', error)
        self.table[at:at + 4] = struct.pack('i', count)

    def failed(self, kind):
        at = KINDS.index(kind) * 12
        return struct.unpack('i', self.table[at + 8:at + 12])[0]


def contents(path):
    with open(path, 'rb') as f:
        return f.read()


def more_keys(c, name):
    pipeline(c, [('SET', '%s:%d' % (name, i), os.urandom(300)) for i in range(2000)])


def fails(s, c, path, error, replaced=False):
    """A save that cannot be is told everywhere, and nothing but that has happened."""
    old, last, saves = contents(path), c.call('LASTSAVE'), c.info('rdb_saves')
    for how, reply in (('BGSAVE', 'Background saving started'), ('SAVE', 'ERR')):
        said = len(s.lines)
        equal(str(c.call(how)), reply)
        equal(saved(c), 'err')
        s.await_line('Background saving error: cannot write .*: ' + re.escape(os.strerror(error)), said)
        equal(c.call('LASTSAVE'), last)
        equal(c.info('rdb_saves'), saves)
        assert replaced or contents(path) == old, 'the old file was touched'
        equal(left_in(os.path.dirname(path), os.path.basename(path)), [])
        equal(c.call('SET', 'x', how), 'OK', 'it serves on')
        equal(c.call('GET', 'x'), how.encode())


def succeeds(c):
    equal(c.call('BGSAVE'), 'Background saving started')
    equal(saved(c), 'ok')
    equal(c.call('SAVE'), 'OK')


FAULTS = (
    ('create', 1, errno.EACCES), ('create', 1, errno.EIO), ('create', 1, errno.EMFILE), ('write', 1, errno.EIO), ('write', 3, errno.ENOSPC),
    ('write', 4, errno.EDQUOT), ('sync', 1, errno.EIO), ('close', 1, errno.EIO), ('rename', 1, errno.EACCES), ('open folder', 1, errno.EMFILE),
)


def test_every_call_of_a_save_fails():
    with Faults() as f:
        for name in ('dump.larder', 'dump.rdb'):
            with Server('--dbfilename', name, '--save', '', env=f.env) as s, s.client() as c:
                path = os.path.join(s.dir, name)
                more_keys(c, 'first')
                equal(c.call('SAVE'), 'OK')
                more_keys(c, 'second')
                for kind, count, error in FAULTS:
                    before = f.failed(kind)
                    f.set(kind, count, error)
                    fails(s, c, path, error)
                    assert f.failed(kind) > before, '%s was never called' % kind
                    f.set(kind, 0)
                    equal(c.call('SAVE'), 'OK')
                # here the new file stands already; it only may not outlive a crash of the machine
                f.set('sync folder', 1, errno.EIO)
                fails(s, c, path, errno.EIO, replaced=True)
                f.set('sync folder', 1, errno.EINVAL)  # a file system that knows no such thing
                succeeds(c)
                f.set('sync folder', 0)
                f.set('short write', 1)
                succeeds(c)
                f.set('short write', 0)
                assert f.failed('short write') > 2
                equal(left_in(s.dir, name), [])
                digest = c.call('DEBUG', 'DIGEST')
                equal(c.call('DEBUG', 'RELOAD', 'NOSAVE'), 'OK')
                equal(c.call('DEBUG', 'DIGEST'), digest)


def test_no_descriptor_to_be_had():
    with Server('--save', '') as s, s.client() as c:
        path = os.path.join(s.dir, 'dump.larder')
        more_keys(c, 'key')
        equal(c.call('SAVE'), 'OK')
        limits = resource.prlimit(s.pid, resource.RLIMIT_NOFILE)
        highest = max(int(n) for n in os.listdir('/proc/%d/fd' % s.pid))
        free = [n for n in range(highest) if not os.path.lexists('/proc/%d/fd/%d' % (s.pid, n))]
        resource.prlimit(s.pid, resource.RLIMIT_NOFILE, ((free + [highest + 1])[0], limits[1]))
        fails(s, c, path, errno.EMFILE)
        resource.prlimit(s.pid, resource.RLIMIT_NOFILE, limits)
        succeeds(c)


@contextlib.contextmanager
def unprivileged(*args, **kw):
    """A daemon that modes of files mean something to, and a folder of its own: (server, folder)."""
    folder = tempfile.mkdtemp(prefix='larder-nobody-')
    before = ()
    try:
        os.chmod(folder, 0o755)
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
            before = ('setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups')
            if not shutil.which('setpriv') or subprocess.run([*before, daemon_path(), '--version'], capture_output=True).returncode:
                raise Skip('nobody may run %s' % daemon_path())
        with Server('--dir', folder, *args, before=before, **kw) as s:
            yield s, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_permission_denied():
    with unprivileged('--save', '') as (s, folder), s.client() as c:
        path = os.path.join(folder, 'dump.larder')
        more_keys(c, 'key')
        equal(c.call('SAVE'), 'OK')
        os.chmod(folder, 0o555)
        fails(s, c, path, errno.EACCES)
        os.chmod(folder, 0o755)
        succeeds(c)


def test_what_may_not_be_read_is_not_saved_over():
    with unprivileged('--save', '') as (s, folder), s.client() as c:
        path = os.path.join(folder, 'dump.larder')
        more_keys(c, 'key')
        equal(c.call('SAVE'), 'OK')
        old = contents(path)
        os.chmod(path, 0)
        before = s.argv[:s.argv.index(daemon_path())]
        with Server('--dir', folder, '--save', '', before=before) as t, t.client() as d:
            t.await_line('Cannot load dump.larder: Permission denied')
            equal(warm_status(d)['state'], b'failed')
            equal(str(d.call('SAVE')), 'ERR Not saved: that file could not be read: move it away first')
            equal(contents(path) if os.geteuid() == 0 else old, old)
            os.rename(path, path + '.away')
            equal(d.call('SAVE'), 'OK')


def test_a_read_only_file_system():
    if subprocess.run(['unshare', '-rm', 'true'], capture_output=True).returncode:
        raise Skip('no namespaces may be made')
    folder = tempfile.mkdtemp(prefix='larder-ro-')
    script = 'mount --bind %s %s && exec "$@"' % (folder, folder)
    try:
        with Server('--dir', folder, '--save', '', before=('unshare', '-rm', 'sh', '-c', script, 'sh')) as s, s.client() as c:
            more_keys(c, 'key')
            equal(c.call('SAVE'), 'OK')

            def mount(how):
                done = subprocess.run(['nsenter', '-t', str(s.pid), '-U', '-m', '--preserve-credentials', 'mount', '-o', 'remount,bind,' + how,
                                       folder], capture_output=True, text=True)
                if done.returncode:
                    raise Skip('cannot mount again: ' + done.stderr.strip())
            mount('ro')
            fails(s, c, os.path.join(folder, 'dump.larder'), errno.EROFS)
            mount('rw')
            succeeds(c)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_no_writes_until_a_save_succeeds():
    """stop-writes-on-bgsave-error, where there are save points: as in Redis."""
    with Faults() as f, Server('--save', '3600 1000000', '--stop-writes-on-bgsave-error', 'yes', '--shutdown-on-sigterm', 'nosave',
                            env=f.env) as s, s.client() as c:
        equal(c.call('SET', 'k', 'v'), 'OK')
        f.set('write', 1, errno.EIO)
        equal(c.call('BGSAVE'), 'Background saving started')
        equal(saved(c), 'err')
        assert str(c.call('SET', 'k', 'w')).startswith('MISCONF '), 'from the moment on in which it is known'
        for words in (('DEL', 'k'), ('PING',), ('CACHE', 'INVALIDATE', 'k*')):
            reply = str(c.call(*words))
            assert reply.startswith('MISCONF Redis is configured to save RDB snapshots, but it\'s currently unable to persist to disk.'), (words, reply)
        equal(c.call('GET', 'k'), b'v', 'reads are served')
        equal(c.call('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no'), 'OK')
        equal(c.call('SET', 'k', 'x'), 'OK')
        equal(c.call('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'yes'), 'OK')
        assert str(c.call('SET', 'k', 'w')).startswith('MISCONF ')
        f.set('write', 0)
        equal(c.call('BGSAVE'), 'Background saving started')
        equal(saved(c), 'ok')
        equal(c.call('SET', 'k', 'y'), 'OK', 'writes are taken again')
        f.set('write', 1, errno.EIO)
        for _ in range(20):
            equal(c.call('SAVE'), 'ERR')
            assert str(c.call('SET', 'k', 'z')).startswith('MISCONF ')
            f.set('write', 0)
            equal(c.call('SAVE'), 'OK')
            equal(c.call('SET', 'k', 'z'), 'OK')
            f.set('write', 1, errno.EIO)
        f.set('write', 0)
        equal(c.call('PING'), 'PONG')


def test_a_last_save_that_fails():
    """The daemon does not end, unless it is forced to; the file stays."""
    with Faults() as f, Server('--save', '3600 1', '--stop-writes-on-bgsave-error', 'no', env=f.env) as s, s.client() as c:
        path = os.path.join(s.dir, 'dump.larder')
        equal(c.call('SET', 'k', 'v'), 'OK')
        equal(c.call('SAVE'), 'OK')
        old = contents(path)
        f.set('sync', 1, errno.EIO)
        equal(c.call('SHUTDOWN'), 'ERR Errors trying to SHUTDOWN. Check logs.')
        equal(c.call('SET', 'k', 'w'), 'OK')
        c.send(c.encode('SHUTDOWN', 'FORCE'))
        c.at_end()
        equal(s.wait(), 0)
        s.await_line('asked to exit all the same')
        equal(contents(path), old)
        equal(left_in(s.dir, 'dump.larder'), [])


def test_reading_fails_while_it_is_loaded():
    for name in ('dump.larder', 'dump.rdb'):
        with Faults() as f:
            folder = tempfile.mkdtemp(prefix='larder-eio-')
            try:
                args = ('--dir', folder, '--dbfilename', name, '--save', '', '--rdbcompression', 'no')
                with Server(*args) as s, s.client() as c:
                    pipeline(c, [('SET', 'key:%d' % i, os.urandom(1000)) for i in range(5000)])
                    equal(c.call('SAVE'), 'OK')
                    keys = c.call('DBSIZE')
                f.set('read', 8 if name == 'dump.larder' else 5, errno.EIO)
                with Server(*args, env=f.env) as s, s.client() as c:
                    until(lambda: warm_status(c)['state'] != b'running', 'the warm-up is over')
                    status = warm_status(c)
                    s.await_line('Input/output error')
                    assert 0 < status['loaded'] < keys, status
                    equal(c.call('DBSIZE'), status['loaded'], 'what could be read is there')
                    equal(c.call('SET', 'x', 1), 'OK')
                    if name == 'dump.rdb':
                        equal((status['state'], status['error']), (b'failed', b'Input/output error'))
                        equal(str(c.call('SAVE')), 'ERR Not saved: that file could not be read: move it away first')
                    else:
                        equal(status['state'], b'done')
                        assert status['damaged'] > 0
                        s.await_line(r'the block at offset \d+ cannot be read: Input/output error')
                    # once more, from a disk that works again
                    f.set('read', 0)
                    equal(c.call('CACHE', 'WARM', name), 'Warming started')
                    until(lambda: warm_status(c)['state'] != b'running', 'the warm-up is over')
                    equal(warm_status(c)['state'], b'done')
                    equal(c.call('DBSIZE'), keys + 1)
            finally:
                shutil.rmtree(folder, ignore_errors=True)


def test_a_file_that_cannot_be_read_at_all():
    for how in ('--warm-blocking', '--warm-strict'):
        with Faults() as f:
            folder = tempfile.mkdtemp(prefix='larder-eio-')
            try:
                with Server('--dir', folder, '--save', '') as s, s.client() as c:
                    more_keys(c, 'key')
                    equal(c.call('SAVE'), 'OK')
                old = contents(os.path.join(folder, 'dump.larder'))
                f.set('read', 1, errno.EIO)
                with Server('--dir', folder, '--save', '', env=f.env) as s, s.client() as c:
                    s.await_line('Cannot load dump.larder: Input/output error')
                    equal(str(c.call('SAVE')), 'ERR Not saved: that file could not be read: move it away first')
                with Server('--dir', folder, '--save', '', how, 'yes', env=f.env, ready=False, crash=True) as s:
                    equal(s.wait(), 1)
                equal(contents(os.path.join(folder, 'dump.larder')), old)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
