"""The examples of utils/examples do what they say."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request

from agent import HERE, Daemon, Skip
from test_package import build_dir, library, sanitized

EXAMPLES = os.path.join(HERE, '..', '..', 'utils', 'examples')
FLAGS = ['-I' + os.path.join(HERE, '..', '..', 'src', 'l1'), '-L' + build_dir(), '-llarder', '-Wl,-rpath,' + build_dir()]


def test_service(kind):
    """One thread: the database alone answers 50 times a second; warm, it is hardly asked at all. Where the machine stands still for longer
    than the library waits for an answer, the database is asked more often, and rightly so: then it is tried again."""
    for attempt in range(4):
        try:
            service(kind)
            return
        except AssertionError:
            if attempt == 3:
                raise


def service(kind):
    with Daemon(kind) as d:
        said = subprocess.run([os.path.join(build_dir(), 'example-service'), d.url, '1', '4'], capture_output=True, text=True, timeout=120).stdout
    alone, cold, warm = [[int(n) for n in re.findall(r'(\d+) (?:requests/s|queries|failures)', line)] for line in said.splitlines()[:3]]
    assert alone[0] == alone[1] and alone[2] == cold[2] == warm[2] == 0, said
    # One for each of 100 products, and a few again: with Redis a load is void if what was told meanwhile might have been about its key.
    assert cold[1] + warm[1] <= 110 and warm[0] > 5 * alone[0], said


class Node:
    def __init__(self):
        if not shutil.which('node'):
            raise Skip('no node')
        if sanitized():
            raise Skip('a build with sanitizers')
        library()
        self.dir = tempfile.TemporaryDirectory()
        self.addon = os.path.join(self.dir.name, 'larder.node')
        done = subprocess.run([os.path.join(EXAMPLES, 'node', 'build'), self.addon, '-Werror', *FLAGS], capture_output=True, text=True)
        if done.returncode == 77:
            raise Skip(done.stderr)
        assert done.returncode == 0, done.stderr
        self.env = {**os.environ, 'LARDER_ADDON': self.addon}


def test_node(kind):
    node = Node()
    with Daemon(kind) as d:
        done = subprocess.run(['node', os.path.join(EXAMPLES, 'node', 'test.js'), d.url], capture_output=True, text=True, env=node.env, timeout=120)
    good, planned = len(re.findall(r'^ok ', done.stdout, re.M)), re.search(r'^1\.\.(\d+)', done.stdout, re.M)
    assert done.returncode == 0 and planned and good == int(planned.group(1)), done.stdout + done.stderr


def ask(port, path, method='GET', body=None):
    request = urllib.request.Request(f'http://127.0.0.1:{port}{path}', method=method, data=json.dumps(body).encode() if body else None)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def test_web_back_end(kind):
    """Two back ends: what one writes the other shows; the database is asked once for each product."""
    node = Node()
    with Daemon(kind) as d:
        servers = [subprocess.Popen(['node', os.path.join(EXAMPLES, 'node', 'server.js'), '0', d.url], stdout=subprocess.PIPE, text=True, env=node.env)
                   for _ in range(2)]
        try:
            ports = [int(s.stdout.readline().split()[-1]) for s in servers]
            for _ in range(10):
                for port in ports:
                    assert ask(port, '/products/7')['name'] == 'Product 7'
            assert sum(ask(port, '/stats')['queries'] for port in ports) == 1
            ask(ports[0], '/products/7', 'PUT', {'name': 'new', 'price': 5})
            assert ask(ports[0], '/products/7')['name'] == 'new'
            assert ask(ports[0], '/products', 'DELETE')['gone'] == 1
        finally:
            for s in servers:
                s.terminate()
            codes = [s.wait(60) for s in servers]
            for s in servers:
                s.stdout.close()
        assert codes == [0, 0], codes
