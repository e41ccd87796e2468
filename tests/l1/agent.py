"""Daemons that can be killed, stopped and started again in the same place, and agents: processes with liblarder in them (agent.c)."""
import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', '..', 'utils', 'lib'))
sys.dont_write_bytecode = True

from resp import Connection  # noqa: E402
from servers import larderd_path, redis_path  # noqa: E402

DEADLINE = 90
BAD = re.compile(r'Sanitizer|runtime error:|BUG REPORT START|Assertion')


class Skip(Exception):
    pass


class Daemon:
    """`with Daemon('larder')`: d.url is where it is, whatever happens to it."""

    def __init__(self, kind, *options):
        self.kind, self.options = kind, options
        self.dir = tempfile.mkdtemp(prefix='larder-l1-')
        self.path = os.path.join(self.dir, 's')
        self.url = 'unix://' + self.path
        self.log_path = os.path.join(self.dir, 'log')
        self.process = None
        self.killed = False
        self.start()

    def start(self):
        if self.kind == 'redis' and not shutil.which('redis-server'):
            raise Skip('no redis-server')
        program = redis_path() if self.kind == 'redis' else larderd_path()
        argv = [program, '--port', '0', '--unixsocket', self.path, '--dir', self.dir]
        argv += ['--save', ''] if self.kind == 'redis' else ['--threads', '2', '--enable-debug-command', 'yes']
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen([*argv, *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir)
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            try:
                c = Connection(self.path, DEADLINE)
                answer = c.call('PING')
                good = answer.value == b'PONG' or 'NOAUTH' in str(answer.value)
                c.close()
                if good:
                    self.killed = False
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise RuntimeError(f'{self.kind} did not start:\n{self.log()}')

    def log(self):
        with open(self.log_path, errors='replace') as f:
            return f.read()[-4000:]

    def kill(self):
        self.killed = True
        self.process.kill()
        self.process.wait()

    def end(self):
        """The thread sanitizer's runtime now and then takes a signal and does not hand it on: it is sent again."""
        end = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            assert time.monotonic() < end, f'{self.kind} does not end:\n{self.log()}'
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)  # it may answer once more before

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def call(self, *words):
        c = Connection(self.path, DEADLINE)
        try:
            return c.call(*words).value
        finally:
            c.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        bad = ''
        if self.process and not self.killed:
            self.resume()
            if self.process.poll() is not None:
                bad = f'{self.kind} ended by itself:\n{self.log()}'
            self.end()
        if BAD.search(self.log()):
            bad = self.log()
        shutil.rmtree(self.dir, ignore_errors=True)
        if bad and not kind:
            raise AssertionError(bad)


class Agent:
    """`with Agent(url, timeout_ms=100) as a: a('get k')` gives the line that the agent answers."""

    def __init__(self, url, **options):
        program = os.path.join(os.environ.get('top_builddir') or os.path.dirname(larderd_path()), 'l1-agent')
        self.stderr = tempfile.TemporaryFile('w+')
        # Where a case is not about them: times that are not over even if this machine stands still for a while, or has much to do.
        options = {'feed_check_ms': 30000, 'lease_ms': 60000, 'wait_ms': 60000, **options}
        if 'timeout_ms' not in options:
            options.update(timeout_ms=60000, connect_timeout_ms=60000)
        self.process = subprocess.Popen([program, url, *(f'{k}={v}' for k, v in options.items())], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.stderr)
        self.rest = b''
        self.opened = self.line()

    def line(self):
        end = time.monotonic() + DEADLINE
        while b'\n' not in self.rest:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            got = os.read(self.process.stdout.fileno(), 65536) if ready else b''
            if not got:
                raise AssertionError('the agent ' + ('ended' if ready else 'does not answer') + ': ' + self.complaint())
            self.rest += got
        line, self.rest = self.rest.split(b'\n', 1)
        return line.decode(errors='replace')

    def tell(self, command):
        self.process.stdin.write(command.encode() + b'\n')
        self.process.stdin.flush()

    def __call__(self, command):
        self.tell(command)
        return self.line()

    def stats(self):
        return {k: float(v) for k, v in (pair.split('=') for pair in self('stats').split())}

    def rests(self):
        return {k: int(v) for k, v in (pair.split('=') for pair in self('rest').split())}

    def wait(self, field, op, value):
        assert self(f'wait {field} {op} {value}') == 'OK', f'{field} {op} {value} never came: {self.stats()}'

    def until(self, command, wanted):
        """Asks until the answer is `wanted` (a set or a word)."""
        wanted = {wanted} if isinstance(wanted, str) else wanted
        end = time.monotonic() + DEADLINE
        while (got := self(command)) not in wanted:
            assert time.monotonic() < end, f'{command}: {got}, never {wanted}; {self.stats()}'
            time.sleep(0.002)
        return got

    def complaint(self):
        self.stderr.seek(0)
        return self.stderr.read()[-4000:]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        try:
            code = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = 'none: it did not end'
        text = self.complaint()
        self.process.stdout.close()
        self.stderr.close()
        if not kind:
            assert code == (0 if self.opened == 'OPEN' else 1) and not BAD.search(text), f'the agent ended with {code}: {text}'


def near_until(a, key, value):
    """Until it comes from the near store: a write's own invalidation may arrive behind the first read."""
    a.until(f'get {key}', f'OK l1 {value}')


def until(condition, what):
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f'never: {what}'
        time.sleep(0.002)
