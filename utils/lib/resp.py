"""resp: a Redis connection that keeps replies exactly as they came: types, nulls, the order of maps, the text of doubles.

A reply is a Reply(kind, value): kind is the RESP type byte as text. Values: bytes for + - $ = , (; int for :; list of Reply
for * ~ > and, keys and values in turn, for % and |; bool for #; None for _ and for the RESP2 nulls ($-1, *-1).
"""
import collections
import socket

Reply = collections.namedtuple('Reply', 'kind value')


class Closed(Exception):
    """The server closed the connection."""


def quote(word):
    """A word as redis-cli would take it."""
    plain = word and all(33 <= b < 127 and b not in b'"\'\\' for b in word)
    if plain:
        return word.decode()
    names = {10: '\\n', 13: '\\r', 9: '\\t', 7: '\\a', 8: '\\b', 34: '\\"', 92: '\\\\'}
    return '"' + ''.join(names.get(b) or (chr(b) if 32 <= b < 127 else f'\\x{b:02x}') for b in word) + '"'


def split(line):
    """The words of a line as redis-cli quotes them, as bytes."""
    words, at = [], 0
    while True:
        while at < len(line) and line[at].isspace():
            at += 1
        if at == len(line):
            return words
        word = bytearray()
        while at < len(line) and not line[at].isspace():
            c = line[at]
            at += 1
            if c == '"':
                while line[at] != '"':
                    c = line[at]
                    at += 1
                    if c != '\\':
                        word += c.encode('latin-1' if ord(c) < 256 else 'utf-8')
                    elif line[at] == 'x':
                        word.append(int(line[at + 1:at + 3], 16))
                        at += 3
                    else:
                        word += {'n': b'\n', 'r': b'\r', 't': b'\t', 'a': b'\a', 'b': b'\b'}.get(line[at], line[at].encode())
                        at += 1
                at += 1
            elif c == "'":
                end = line.index("'", at)
                word += line[at:end].encode()
                at = end + 1
            else:
                word += c.encode()
        words.append(bytes(word))


def encode(words):
    parts = [b'*%d\r\n' % len(words)]
    for w in words:
        if not isinstance(w, bytes):
            w = str(w).encode()
        parts.append(b'$%d\r\n%s\r\n' % (len(w), w))
    return b''.join(parts)


def show(reply, limit=400):
    """A reply in one line, the same text for the same reply."""
    text = _show(reply)
    return text if len(text) <= limit else text[:limit] + '...'


def _show(r):
    kind, v = r
    if kind == '_':
        return '_'
    if v is None:
        return kind + '-1'
    if kind in '*~>':
        return kind + '[' + ' '.join(_show(x) for x in v) + ']'
    if kind in '%|':
        return kind + '{' + ' '.join(_show(x) for x in v) + '}'
    if kind == '#':
        return '#t' if v else '#f'
    if kind == '$' or kind == '=':
        return kind + quote(v)
    return kind + (v.decode('latin-1') if isinstance(v, bytes) else str(v))


class Connection:
    def __init__(self, address, timeout=20):
        """address: a path (Unix socket) or (host, port)."""
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        self.data = bytearray()
        self.at = 0

    def close(self):
        self.sock.close()

    def send(self, *words):
        self.sock.sendall(encode(words))

    def send_raw(self, data):
        self.sock.sendall(data)

    def call(self, *words):
        self.send(*words)
        return self.read()

    def text(self, *words):
        """The value of a reply that must not be an error."""
        r = self.call(*words)
        if r.kind in '-!':
            raise RuntimeError(f'{words[0]}: {r.value.decode()}')
        return r.value

    def _more(self):
        if self.at > 1 << 20:
            del self.data[:self.at]
            self.at = 0
        try:
            got = self.sock.recv(1 << 18)
        except ConnectionResetError:
            got = b''
        if not got:
            raise Closed
        self.data += got

    def _line(self):
        while True:
            end = self.data.find(b'\r\n', self.at)
            if end >= 0:
                line = bytes(self.data[self.at:end])
                self.at = end + 2
                return line
            self._more()

    def _bytes(self, n):
        while len(self.data) - self.at < n + 2:
            self._more()
        value = bytes(self.data[self.at:self.at + n])
        if self.data[self.at + n:self.at + n + 2] != b'\r\n':
            raise ValueError('a bulk without its line end')
        self.at += n + 2
        return value

    def read(self):
        line = self._line()
        kind, rest = chr(line[0]), line[1:]
        if kind in '+-,(':
            return Reply(kind, rest)
        if kind == ':':
            return Reply(kind, int(rest))
        if kind == '_':
            return Reply(kind, None)
        if kind == '#':
            return Reply(kind, rest == b't')
        if kind in '$=!':
            n = int(rest)
            return Reply(kind, None if n < 0 else self._bytes(n))
        if kind in '*~>%|':
            n = int(rest)
            if n < 0:
                return Reply(kind, None)
            return Reply(kind, [self.read() for _ in range(n * 2 if kind in '%|' else n)])
        raise ValueError(f'not RESP: {line[:60]!r}')

    def read_until_quiet(self, ending, quiet):
        """Raw bytes until they end with `ending`, the server closes, or `quiet` seconds bring nothing: (bytes, closed)."""
        got = bytearray(self.data[self.at:])
        self.data.clear()
        self.at = 0
        before = self.sock.gettimeout()
        self.sock.settimeout(quiet)
        try:
            while not got.endswith(ending):
                try:
                    more = self.sock.recv(65536)
                except ConnectionResetError:
                    more = b''
                except socket.timeout:
                    return bytes(got), False
                if not more:
                    return bytes(got), True
                got += more
            return bytes(got), False
        finally:
            self.sock.settimeout(before)
