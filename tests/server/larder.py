"""A real larderd in a folder of its own, a client that sees every byte, and a small runner of cases.

Nothing here waits by the clock for something to have happened: it reads the line, the reply or the end that it waits for.
DEADLINE only says when a test gives up; it is long enough for a machine that has ten times as much to do as it can.
"""
import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

DEADLINE = 120
BAD = re.compile(r'Sanitizer|runtime error:|BUG REPORT START|Assertion')


def daemon_path():
    return os.environ.get('LARDERD') or os.path.join(os.environ.get('top_builddir', '.'), 'larderd')


class Skip(Exception):
    pass


class Server:
    """larderd with the given arguments; `with` stops it and looks at what it said and how it ended."""

    def __init__(self, *args, threads=2, conf=None, env=None, ready=True, popen=None, crash=False,
                 before=()):
        self.dir = tempfile.mkdtemp(prefix='larder-')
        self.lines, self.more = [], threading.Condition()
        self.closed = False
        self.crash = crash
        argv = list(before) + [daemon_path()]
        if conf is not None:
            self.conf = os.path.join(self.dir, 'larder.conf')
            with open(self.conf, 'w') as f:
                f.write(conf.replace('@DIR@', self.dir))
            argv.append(self.conf)
        given = ' '.join(args) + ' ' + (conf or '')
        for name, value in (('port', '0'), ('threads', str(threads)), ('dir', self.dir),
                            ('enable-debug-command', 'yes')):
            if not re.search(r'(^|\s)(--)?%s\s' % name, given):
                argv += ['--' + name, value]
        argv += [a.replace('@DIR@', self.dir) for a in args]
        self.argv = argv
        environ = dict(os.environ, **(env or {}))
        environ.pop('NOTIFY_SOCKET', None) if not env or 'NOTIFY_SOCKET' not in env else None
        self.stderr = open(os.path.join(self.dir, 'stderr'), 'w+')
        self.proc = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=self.stderr, stdin=subprocess.DEVNULL,
                                     env=environ, **(popen or {}))
        self.pid = self.proc.pid
        threading.Thread(target=self._read, daemon=True).start()
        self.port, self.path = None, None
        if ready:
            try:
                self.await_ready()
            except BaseException:
                self.kill()
                raise

    def _read(self):
        for line in self.proc.stdout:
            with self.more:
                self.lines.append(line.decode(errors='replace').rstrip('\n'))
                self.more.notify_all()
        with self.more:
            self.closed = True
            self.more.notify_all()

    def await_line(self, pattern, since=0):
        """The first line that matches, from the `since`th on; fails once the daemon has ended without one."""
        end = time.monotonic() + DEADLINE
        with self.more:
            while True:
                for line in self.lines[since:]:
                    m = re.search(pattern, line)
                    if m:
                        return m
                if self.closed or time.monotonic() > end:
                    raise AssertionError('no line %r in:\n%s' % (pattern, self.said()))
                self.more.wait(1)

    def await_ready(self):
        m = self.await_line(r'Ready to accept connections(?: tcp:(\d+))?(?: unix:(\S+))?')
        self.port = int(m.group(1)) if m.group(1) else None
        self.path = m.group(2)

    def said(self):
        if self.proc.poll() is not None:  # then it has said all that it will: the thread that reads comes to the end of it
            with self.more:
                self.more.wait_for(lambda: self.closed, DEADLINE)
        self.stderr.seek(0)
        return '\n'.join(self.lines) + '\n' + self.stderr.read()

    def client(self, **kw):
        if self.port:
            return Client(('127.0.0.1', self.port), **kw)
        return Client(self.path, **kw)

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()

    def wait(self):
        try:
            return self.proc.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError('does not end:\n' + self.said())

    def send_signal(self, number, seen):
        """Sends a signal and waits for what comes of it. The thread sanitizer's runtime now and then takes a signal and
        does not hand it on: there it is sent again, until the daemon says that it has come (a second SIGINT means something else)."""
        told, name = len(self.lines), 'Received ' + signal.Signals(number).name
        if self.proc.poll() is None:
            self.proc.send_signal(number)
        looks = 0

        def condition():  # looks are counted, not seconds: this process and the daemon may have stood still together
            nonlocal looks
            looks += 1
            if looks % 400 == 0 and not seen() and self.proc.poll() is None and self.tsan() and not self.pending(number):
                if not any(name in line for line in self.lines[told:]):
                    self.proc.send_signal(number)
            return seen()
        until(condition, 'what signal %d should do; it said:\n%s' % (number, self.said()))

    def pending(self, number):
        """Has the kernel not handed it on yet?"""
        try:
            with open('/proc/%d/status' % self.pid) as f:
                return int(re.search(r'ShdPnd:\s+(\w+)', f.read()).group(1), 16) >> number - 1 & 1
        except FileNotFoundError:
            return False

    def tsan(self):
        with open(daemon_path(), 'rb') as f:
            return b'__tsan_init' in f.read()

    def stop(self, number=signal.SIGTERM):
        self.send_signal(number, lambda: self.proc.poll() is not None)
        return self.proc.returncode

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            code = self.stop() if self.proc.poll() is None else self.proc.returncode
            with self.more:
                while not self.closed:
                    self.more.wait(1)
            said = self.said()
            if not self.crash and BAD.search(said):
                raise AssertionError('the daemon said:\n' + said)
            if kind is None and not self.crash and code != 0:
                raise AssertionError('ended with %d:\n%s' % (code, said))
        finally:
            self.kill()
            self.stderr.close()
            shutil.rmtree(self.dir, ignore_errors=True)


class Closed(Exception):
    pass


class ReplyError(str):
    pass


class Client:
    def __init__(self, address, timeout=DEADLINE, rcvbuf=None):
        family = socket.AF_UNIX if isinstance(address, str) else \
            socket.AF_INET6 if ':' in address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        if family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.have, self.at = b'', 0  # bytes that have come; those before `at` are taken

    def send(self, data):
        self.sock.sendall(data)

    @staticmethod
    def encode(*words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in words)

    def more(self):
        data = self.sock.recv(1 << 18)
        if not data:
            raise Closed()
        self.have, self.at = self.have[self.at:] + data, 0

    def line(self):
        while (end := self.have.find(b'\r\n', self.at)) < 0:
            self.more()
        line, self.at = self.have[self.at:end], end + 2
        return line

    def take(self, n):
        parts = [self.have[self.at:self.at + n]]
        got = len(parts[0])
        self.at += got
        while got < n:
            data = self.sock.recv(min(1 << 20, n - got))
            if not data:
                raise Closed()
            parts.append(data)
            got += len(data)
        return b''.join(parts)

    def reply(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b'+':
            return rest.decode()
        if kind == b'-':
            return ReplyError(rest.decode())
        if kind == b':':
            return int(rest)
        if kind == b'$':
            return None if rest == b'-1' else self.take(int(rest) + 2)[:-2]
        if kind in b'*>~':
            return None if rest == b'-1' else [self.reply() for _ in range(int(rest))]
        if kind == b'%':
            return {self.reply(): self.reply() for _ in range(int(rest))}
        if kind == b'_':
            return None
        raise AssertionError('not a reply: %r' % line)

    def call(self, *words):
        self.send(self.encode(*words))
        return self.reply()

    def at_end(self):
        """Everything that comes until the daemon closes."""
        got = [self.have[self.at:]]
        self.have, self.at = b'', 0
        try:
            while True:
                data = self.sock.recv(1 << 18)
                if not data:
                    break
                got.append(data)
        except ConnectionResetError:
            pass
        return b''.join(got)

    def silent(self):
        """Is there nothing to read? To be asked when what could come would already be there."""
        return self.at == len(self.have) and not select.select([self.sock], [], [], 0)[0]

    def close(self):
        self.sock.close()

    def info(self, field):
        text = self.call('INFO', 'everything').decode()
        m = re.search(r'^%s:(.*?)\r?$' % field, text, re.M)
        assert m, 'INFO has no ' + field
        return m.group(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def equal(got, want, what=''):
    if got != want:
        raise AssertionError('%s%r instead of %r' % (what and what + ': ', got, want))


def raised_files(n):
    """Makes room for n descriptors in this process, or skips."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= n:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, max(hard, n)))
    except (ValueError, OSError):
        raise Skip('%d open files are needed, the limit is %d' % (n, hard))


def in_threads(jobs):
    """Runs them all at once; the first exception is raised here."""
    wrong = []

    def run(job):
        try:
            job()
        except BaseException as e:  # a thread's exception would be lost
            wrong.append(e)
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if wrong:
        raise wrong[0]


class LetIn:
    """Are others let in while one request takes long? `served` counts what they were replied meanwhile. Where this process gets no
    processor it may not be able to ask; so the loop's turns are looked at too: it takes one between two slices of what takes long.
    For a daemon with one thread."""

    def __init__(self, client):
        self.client, self.served, self.asked, self.before = client, 0, 0, 0
        self.before = self.turns()

    def turns(self):
        """All turns so far, which INFO has from a tick on that comes a few times a second."""
        self.asked += 1
        first = now = int(self.client.info('eventloop_cycles'))
        while now == first:
            time.sleep(0.005)
            self.asked += 1
            now = int(self.client.info('eventloop_cycles'))
        return now

    def check(self, least, what):
        if self.served < least:
            self.asked = 0
            turns = self.turns() - self.before - self.asked
            assert turns >= least, 'only %d were answered during %s, in %d turns' % (self.served, what, turns)


def until(condition, what):
    """For what has no line or reply to wait for: asks again until it is so."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError('never: ' + what)
        time.sleep(0.005)


def worst_used(s, clients, write):
    """Calls write(n, client) in so many threads at once and returns the most that used_memory was meanwhile."""
    worst, over, failures = [0], threading.Event(), []

    def guarded(what, *args):
        try:
            with s.client() as c:
                what(*args, c)
        except Exception as e:
            failures.append(e)

    def watch(c):
        while not over.is_set():
            worst[0] = max(worst[0], int(c.info('used_memory')))

    threads = [threading.Thread(target=guarded, args=(write, n)) for n in range(clients)]
    watcher = threading.Thread(target=guarded, args=(watch,))
    watcher.start()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    over.set()
    watcher.join()
    assert not failures, failures
    return worst[0]


def main(modules, wanted):
    if not os.path.exists(daemon_path()):
        print('Bail out! there is no %s: build it first' % daemon_path())
        return 1
    cases = [(m, n) for m in modules for n in sorted(vars(m), key=lambda n: getattr(vars(m)[n], '__code__').co_firstlineno
             if hasattr(vars(m)[n], '__code__') else 0) if n.startswith('test_')]
    cases = [(m, n) for m, n in cases if not wanted or any(w in n for w in wanted)]
    print('1..%d' % len(cases))
    failed = 0
    for i, (m, n) in enumerate(cases, 1):
        name, began = n[5:].replace('_', ' '), time.monotonic()
        try:
            vars(m)[n]()
            print('ok %d - %s # %.1f s' % (i, name, time.monotonic() - began))
        except Skip as e:
            print('ok %d - %s # SKIP %s' % (i, name, e))
        except BaseException as e:
            failed += 1
            print('not ok %d - %s' % (i, name))
            for line in traceback.format_exc().splitlines():
                print('  # ' + line)
            if isinstance(e, KeyboardInterrupt):
                break
        sys.stdout.flush()
    return 1 if failed else 0
