"""A server that says what servers say when they cannot serve yet: -LOADING, or that there are too many clients."""
import os
import socketserver
import tempfile
import threading

UNKNOWN = b'-ERR unknown command\r\n'


class Handler(socketserver.StreamRequestHandler):
    def words(self):
        head = self.rfile.readline()
        return [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))] if head else None

    def handle(self):
        fake = self.server.fake
        if fake.state == 'full':
            self.wfile.write(b'-ERR max number of clients reached\r\n')
            return
        with fake.lock:
            fake.connections.append(self.connection)
        try:
            while words := self.words():
                self.wfile.write(fake.answer(words))
        except OSError:
            pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


class Fake:
    """`with Fake() as f`: f.state is 'well', 'loading' or 'full'; f.data is what has been set."""

    def __init__(self, state):
        self.state, self.data, self.lock, self.connections = state, {}, threading.Lock(), []
        self.dir = tempfile.TemporaryDirectory(prefix='larder-l1-')
        self.url = 'unix://' + os.path.join(self.dir.name, 's')
        self.server = Server(self.url[7:], Handler)
        self.server.fake = self
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, words):
        name = words[0].upper()
        if name == b'HELLO':
            return b'%1\r\n$5\r\nproto\r\n:3\r\n'
        if name in (b'SELECT', b'CLIENT'):
            return b'+OK\r\n'
        if name == b'COMMAND':
            return b'*1\r\n_\r\n'
        if self.state == 'loading':
            return b'-LOADING Redis is loading the dataset in memory\r\n'
        with self.lock:
            if name == b'SET':
                self.data[words[1]] = words[2]
                return b'+OK\r\n'
            value = self.data.get(words[1]) if len(words) > 1 else None
        known = {b'PING': b'+PONG\r\n', b'EXISTS': b':%d\r\n' % (value is not None), b'PTTL': b':-1\r\n' if value else b':-2\r\n',
                 b'GET': b'$%d\r\n%s\r\n' % (len(value), value) if value else b'_\r\n'}
        return known.get(name, UNKNOWN)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.server.shutdown()
        self.server.server_close()
        self.dir.cleanup()
