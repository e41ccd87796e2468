"""servers: starts redis-server and larderd for tests and measurements, in a temp folder, and takes them down again."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from resp import Connection

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def larderd_path():
    """The program to test: $LARDERD, the build that `make check` runs in, or the newest build below build/."""
    if os.environ.get('LARDERD'):
        return os.path.abspath(os.environ['LARDERD'])
    if os.environ.get('top_builddir'):
        return os.path.join(os.environ['top_builddir'], 'larderd')
    found = [os.path.join(TOP, 'larderd')]
    for name in ('', 'run', 'check-gcc'):
        found.append(os.path.join(TOP, 'build', name, 'larderd'))
    found = [p for p in found if os.access(p, os.X_OK)]
    if not found:
        raise SystemExit('no larderd: build it first (utils/run does), or say where it is with LARDERD=PATH')
    return max(found, key=os.path.getmtime)


def tool_path(name):
    """A program of utils/bench, built beside larderd."""
    return os.path.join(os.path.dirname(larderd_path()), name)


def build(*targets):
    """Builds in build/run, unless somebody built elsewhere: $LARDERD, or `make check`."""
    if not os.environ.get('LARDERD') and not os.environ.get('top_builddir'):
        subprocess.run([os.path.join(TOP, 'utils', 'build'), *targets], check=True, stdin=subprocess.DEVNULL)
        os.environ['LARDERD'] = os.path.join(TOP, 'build', 'run', 'larderd')


def redis_path():
    path = shutil.which('redis-server')
    if not path:
        raise SystemExit('no redis-server: utils/setup check installs it')
    return path


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Server:
    """A running server. `with Server('redis', ...) as s`: s.path is its Unix socket, s.port its TCP port, s.pid its process."""

    def __init__(self, kind, options=(), wrapper=(), tcp=False, env=None, name=None, patience=20):
        self.kind = kind
        self.folder = tempfile.mkdtemp(prefix='larder-test-')
        self.path = os.path.join(self.folder, 'socket')
        program = redis_path() if kind == 'redis' else larderd_path()
        argv = [*wrapper, program, '--unixsocket', self.path, '--dir', self.folder, '--bind', '127.0.0.1']
        if kind == 'redis':
            argv += ['--save', '', '--appendonly', 'no']
        self.argv, self.env = [*argv, *map(str, options)], {**os.environ, **(env or {})}
        self.log_path = os.path.join(self.folder, 'log')
        for last in (False, False, False, True):
            try:
                self.start(free_port() if tcp else 0, 120 if wrapper else patience)
                break
            except BaseException:
                self.stop()
                # Somebody else may have taken the port since it was found to be free.
                if last or not tcp or 'already in use' not in self.log_text():
                    raise

    def start(self, port, patience):
        self.port = port
        self.log = open(self.log_path, 'wb')
        self.process = subprocess.Popen([*self.argv, '--port', str(port)], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env=self.env, cwd=self.folder)
        self.pid = self.process.pid
        self.wait_ready(patience)

    def wait_ready(self, seconds):
        end = time.monotonic() + seconds
        while True:
            try:
                c = self.connect()
                if c.call('PING').value == b'PONG':
                    c.close()
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                raise RuntimeError(f'{self.kind} did not start (exit code {self.process.returncode}):\n{self.log_text()}')
            if time.monotonic() > end:
                raise RuntimeError(f'{self.kind} did not answer in {seconds} s:\n{self.log_text()}')
            time.sleep(0.01)

    def connect(self, timeout=20):
        return Connection(self.path, timeout)

    def log_text(self):
        with open(self.log_path, errors='replace') as f:
            return f.read()[-4000:]

    def complaint(self):
        """What a sanitizer or an assertion said, or ''."""
        text = self.log_text()
        return text if re.search(r'Sanitizer|runtime error:|Assertion .* failed', text) else ''

    def rss(self):
        with open(f'/proc/{self.pid}/status') as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith('VmRSS'))

    def cpu(self):
        """Seconds of CPU so far, user and system."""
        with open(f'/proc/{self.pid}/stat') as f:
            fields = f.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def stop(self):
        """Returns the exit code; a server that had to be killed gives -9."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
