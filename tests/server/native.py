"""A reader of larder's own snapshots, made of doc/snapshot-format.md alone: plain, slow, and it asserts all that the page says."""
import ctypes
import struct


def library(name):
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


XXH, LZ4 = library('libxxhash.so.0'), library('liblz4.so.1')
TYPES = ('string', 'list', 'set', 'zset', 'hash')
BLOCK = 65536  # of a packed string


def total(data):
    XXH.XXH3_64bits.restype = ctypes.c_uint64
    XXH.XXH3_64bits.argtypes = ctypes.c_char_p, ctypes.c_size_t
    return XXH.XXH3_64bits(bytes(data), len(data))


def unpack_lz4(data, n):
    out = ctypes.create_string_buffer(n)
    assert LZ4.LZ4_decompress_safe(bytes(data), out, len(data), n) == n
    return out.raw


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        assert self.at + n <= len(self.data), 'it ends too early'
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n):
        return int.from_bytes(self.take(n), 'little')

    def length(self):
        first = self.number(1)
        if first < 128:
            return first
        if first < 192:
            return (first & 63) << 8 | self.number(1)
        assert first == 0b11000000
        return self.number(4)

    def text(self):
        return self.take(self.length())

    def rest(self):
        return self.take(len(self.data) - self.at)

    def more(self):
        return self.at < len(self.data)


def plain_of(packed, n):
    b = Bytes(packed)
    assert b.length() == n
    if n <= BLOCK:
        return unpack_lz4(b.rest(), n)
    count, out = -(-n // BLOCK), b''
    for size in [b.number(4) for _ in range(count)]:
        most = min(BLOCK, n - len(out))
        out += b.take(size & 0x7fffffff) if size >> 31 else unpack_lz4(b.take(size), most)
    assert len(out) == n and not b.more()
    return out


def member(b, kind):
    if kind == 'zset':
        score = struct.unpack('<d', b.take(8))[0]
        return b.text(), score
    if kind == 'hash':
        n = b.length()
        due = b.number(6) if n & 1 else None
        return b.take(n // 2), b.text(), due
    return b.text()


def head_of(b):
    """Of a record, up to its key and plain length."""
    tag = b.number(1)
    assert not tag & 0x10
    r = {'type': TYPES[tag & 7], 'db': b.length(), 'due': None, 'plain': 0}
    r['use'] = b.number(1) if tag >> 6 else None
    assert tag >> 6 < 3
    if tag & 0x20:
        r['due'] = b.number(6)
    r['key'] = b.text()
    if tag & 0x08:
        assert r['type'] == 'string'
        r['plain'] = b.length()
    return r


def filled(r, b, count):
    if r['type'] == 'string':
        value = b.rest()
        r['value'] = plain_of(value, r['plain']) if r['plain'] else value
        return r
    r['value'] = [member(b, r['type']) for _ in range(count)]
    assert not b.more()
    return r


class File:
    """records, blocks (of kinds 1 and 2, as the index lists them), now, used_memory."""

    def __init__(self, data):
        assert data[:8] == b'LARDSNAP' and total(data[:56]) == int.from_bytes(data[56:64], 'little')
        major, minor, size, self.now, self.used_memory = struct.unpack('<HHIQQ', data[8:32])
        assert (major, size, data[32:56]) == (1, 64, bytes(24))
        tail = data[-64:]
        magic, first, blocks, zero, self.blocks, count, whole, zeros, checked = struct.unpack('<8sQIIQQQQQ', tail)
        assert (magic, zero, zeros, whole, checked) == (b'LARDTAIL', 0, 0, len(data), total(tail[:56]))
        self.records, chains, index, self.heats = [], {}, b'', []
        at, heads, told = 64, [], 0
        while at < len(data) - 64:
            kind, n, plain = self.block(data, at, chains, heads, first)
            if kind == 3:
                index += plain
                blocks -= 1
            at += 48 + n
        assert at == len(data) - 64 and blocks == 0
        assert index == b''.join(heads) and self.blocks == len(heads)
        for pieces in chains.values():
            assert [p[0] for p in pieces] == list(range(len(pieces))) and [p[1] for p in pieces] == [0] * (len(pieces) - 1) + [1]
            b = Bytes(b''.join(p[2] for p in pieces))
            r = head_of(b)
            n = b.number(8)
            if r['type'] == 'string':
                assert len(b.data) - b.at == n
            self.records.append(dict(filled(r, b, n), large=True))
        assert len(self.records) == count

    def block(self, data, at, chains, heads, first):
        head = data[at:at + 48]
        magic, kind, codec, heat, flags, records, n, plain, piece, chain, stored_sum, head_sum = struct.unpack('<4s4B4IQQQ', head)
        stored = data[at + 48:at + 48 + n]
        assert (magic, head_sum, stored_sum) == (b'LBLK', total(head[:40]), total(stored))
        body = unpack_lz4(stored, plain) if codec == 1 else stored
        assert codec < 2 and len(body) == plain <= 16 << 20 and heat < 8
        if kind == 3:
            assert at >= first and codec == 0
            return kind, n, body
        assert at < first
        heads.append(struct.pack('<QII4BIQ', at, n, records, kind, heat, flags, 0, piece, chain))
        self.heats.append(heat)
        if kind == 2:
            assert chain and records == (piece == 0)
            chains.setdefault(chain, []).append((piece, flags, body))
            return kind, n, body
        assert (kind, flags, piece, chain) == (1, 0, 0, 0)
        b = Bytes(body)
        for _ in range(records):
            r = head_of(b)
            value = b.text()
            v = Bytes(value)
            self.records.append(filled(r, v, v.length() if r['type'] != 'string' else 0))
        assert not b.more()
        return kind, n, body
