"""generate: seeded random commands, by family. The same seed gives the same commands.

Few keys, so that commands meet each other's leavings; values that are numbers, nearly numbers, binary, empty and large; options
in any order, contradicting and unknown ones included. Deadlines are far away or already past, so that it does not matter when
exactly either server looks.
"""
import random

FAR_S = 4102444800  # in 2100


class Generator:
    long_values = False  # a third of all values are long enough to be compressed

    def __init__(self, family, seed):
        self.random = random.Random(f'{family}:{seed}')
        self.make = getattr(self, family)

    def step(self):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in self.make()]
        return self.shuffled_case(words)

    # -- pieces ---------------------------------------------------------------------------------------------------------
    def one(self, *choices):
        return self.random.choice(choices)

    def chance(self, p):
        return self.random.random() < p

    def shuffled_case(self, words):
        return [words[0].lower() if self.chance(0.3) else words[0], *words[1:]]

    def key(self):
        return self.one('a', 'b', 'c', 'd', 'e', 'f', 'key:1', 'key:2', '{t}x', 'k\x00\xff'.encode('latin-1'))

    def keys_list(self, most=4):
        return [self.key() for _ in range(self.random.randint(1, most))]

    def number(self):
        return self.one(0, 1, -1, 7, 10, 100, -100, 2147483647, 9223372036854775807, -9223372036854775808,
                        9223372036854775806, self.random.randint(-10**6, 10**6), self.random.randint(-10**17, 10**17))

    def odd_number(self):
        return self.one('', ' 1', '1 ', '+1', '01', '-0', '1.0', '0x10', '9223372036854775808', '-9223372036854775809', 'abc',
                        '1e3', '99999999999999999999', 'nan', '١')

    def float(self):
        return self.one('0', '1', '0.1', '-0.5', '3.0e3', '1e-5', '10.50', '5.0e2', '1e17', '123456789.123456789', 'inf', '-inf',
                        'nan', '0x1p3', '1e400', ' 1', 'x', '1.', '.5', '1e', f'{self.random.uniform(-1000, 1000):.6f}',
                        str(self.random.randint(-10**9, 10**9)))

    def long_value(self):
        """Words, or bits, that LZ4 makes something of; a few random bytes between them."""
        words = self.one([b'the ', b'quick ', b'"name": ', b'brown ', b'true, ', b'12345 '], [b'\0', b'\0\0\0', b'\xff', b'\x01\xfe'])
        size = self.one(40, 80, 300, 300, 2000, 2000, 4800, 20000, self.one(20000, 65536, 65537, 140000, 300000))
        out = b''.join(self.random.choice(words) for _ in range(min(size, 3000)))
        out = (out + b'%d' % self.random.randrange(10**6)) * (size // len(out) + 1)
        return out[:size]

    def value(self):
        if self.long_values and self.chance(0.4):
            return self.long_value()
        r = self.random.random()
        if r < 0.3:
            return self.number()
        if r < 0.4:
            return self.odd_number()
        if r < 0.5:
            return self.float()
        if r < 0.55:
            return b''
        if r < 0.65:
            return bytes(self.random.randrange(256) for _ in range(self.random.randint(1, 60)))
        if r < 0.7:
            return self.one(b'x' * 44, b'y' * 45, b'z' * 64, b'w' * 1000, b'v' * 20000, b'ab' * 20000)
        return ''.join(self.random.choice('abcdeA ') for _ in range(self.random.randint(1, 20)))

    def offset(self):
        return self.one(0, 1, 2, 3, 5, 10, 100, -1, -2, -3, -5, -100, self.random.randint(-50, 50), 2147483647, -2147483648,
                        9223372036854775807, -9223372036854775808)

    def seconds(self):
        return self.one(0, -1, -100, 10**9, self.odd_number(), 9223372036854775807, 9223372036854775,
                        -9223372036854775808)

    def deadline(self, relative, milliseconds):
        unit = 1000 if milliseconds else 1
        if self.chance(0.1):
            return self.seconds()
        if relative:
            # Hardly ever the same twice: GT and LT would then go by the millisecond in which each server looked.
            return (self.one(100, 1000, 86400, 3600, 5000) + self.random.randint(0, 999)) * unit + self.one(0, 1)
        return self.one(FAR_S, FAR_S + 5, FAR_S - 86400, 1, 1000, 0, -5) * unit

    def expire_option(self, words):
        kind = self.one('EX', 'PX', 'EXAT', 'PXAT')
        return [kind if self.chance(0.9) else kind.lower(), self.deadline(kind in ('EX', 'PX'), kind.startswith('P'))]

    # -- families -------------------------------------------------------------------------------------------------------
    def set(self):
        words = ['SET', self.key(), self.value()]
        options = [['NX'], ['XX'], ['GET'], ['KEEPTTL'], self.expire_option(words), self.expire_option(words), ['xx'], ['get']]
        self.random.shuffle(options)
        for option in options[:self.one(0, 0, 0, 1, 1, 2, 3)]:
            words += option
        if self.chance(0.03):
            words.append(self.one('FOO', 'EX', 'PXAT', '', '10'))
        return words

    def strings(self):
        k, v = self.key, self.value
        choice = self.random.randrange(22)
        if choice < 5:
            return self.set()
        return [
            lambda: ['GET', k()],
            lambda: ['SETNX', k(), v()],
            lambda: [self.one('SETEX', 'PSETEX'), k(), self.deadline(True, True), v()],
            lambda: ['GETSET', k(), v()],
            lambda: ['GETDEL', k()],
            lambda: ['GETEX', k()] + self.one([], ['PERSIST'], self.expire_option([]), ['PERSIST', 'EX', '100'], ['FOO']),
            lambda: ['MGET'] + self.keys_list(6),
            lambda: ['MSET'] + [x for key in self.keys_list() for x in (key, v())],
            lambda: ['MSETNX'] + [x for key in self.keys_list() for x in (key, v())],
            lambda: ['APPEND', k(), v()],
            lambda: ['STRLEN', k()],
            lambda: [self.one('GETRANGE', 'SUBSTR'), k(), self.offset(), self.offset()],
            lambda: ['SETRANGE', k(), self.one(0, 1, 5, 44, 100, 1000, -1, 536870912, self.odd_number()), self.one(v(), '')],
            lambda: self.lcs(),
            lambda: ['OBJECT', 'ENCODING', k()],
            lambda: ['DEL'] + self.keys_list(2),
            lambda: ['MSET', k(), v(), k()] if self.chance(0.3) else ['TYPE', k()],
        ][choice - 5]()

    def lcs(self):
        words = ['LCS', self.key(), self.key()]
        for option in (['LEN'], ['IDX'], ['MINMATCHLEN', self.one(0, 1, 2, 4, -1, 'x')], ['WITHMATCHLEN'], ['BAR']):
            if self.chance(0.3 if option != ['BAR'] else 0.03):
                words += option
        # Two values of 20,000 bytes would be a table of 400 M cells: keep the keys that are compared short.
        return words if self.chance(0.02) else ['LCS', *self.random.sample(['l1', 'l2', 'l3'], 2), *words[3:]]

    def numbers(self):
        k = self.key
        return self.one(
            ['INCR', k()], ['DECR', k()],
            ['INCRBY', k(), self.one(self.number(), self.odd_number())],
            ['DECRBY', k(), self.one(self.number(), self.odd_number())],
            ['INCRBYFLOAT', k(), self.float()],
            ['SET', k(), self.one(self.number(), self.odd_number(), self.float())],
            ['GET', k()], ['OBJECT', 'ENCODING', k()], ['APPEND', k(), self.one('1', '.5', 'e1', ' ')],
            ['DEL', k()], ['STRLEN', k()], ['GETRANGE', k(), self.offset(), self.offset()],
            ['SETRANGE', k(), self.one(0, 1, 2), self.one('1', '9', '-')],
            ['SET', self.one('l1', 'l2', 'l3'), ''.join(self.random.choice('abc') for _ in range(self.random.randint(0, 60)))],
            self.lcs())

    def keys(self):
        k = self.key
        return self.one(
            ['SET', k(), self.value()], ['SET', k(), self.value(), 'EX', '1000'],
            ['DEL'] + self.keys_list(), ['UNLINK'] + self.keys_list(), ['EXISTS'] + self.keys_list(6), ['TOUCH'] + self.keys_list(),
            ['TYPE', k()], ['RENAME', k(), k()], ['RENAMENX', k(), k()],
            ['COPY', k(), k()] + self.one([], ['REPLACE'], ['DB', self.one(0, 1, 15, 16, -1, 'x')], ['DB', '1', 'REPLACE'], ['FOO']),
            ['MOVE', k(), self.one(0, 1, 2, 16, -1, 'x')],
            ['DBSIZE'], ['RANDOMKEY'], ['KEYS', self.one('*', 'key:*', '[a-c]', '?', '[^a]', '\\a', '', 'a*b*', '[', 'k*', '[b-')],
            ['SCAN', '0', 'COUNT', self.one('1', '10', '1000', '0', '-1', 'x')], ['OBJECT', 'ENCODING', k()],
            ['OBJECT', 'REFCOUNT', k()], ['PERSIST', k()], ['GET', k()], ['MGET'] + self.keys_list(6), ['TTL', k()])

    def expiry(self):
        k = self.key
        name = self.one('EXPIRE', 'PEXPIRE', 'EXPIREAT', 'PEXPIREAT')
        when = self.deadline(not name.endswith('AT'), name.startswith('P'))
        return self.one(
            [name, k(), when] + self.one([], [], ['NX'], ['XX'], ['GT'], ['LT'], ['nx'], ['NX', 'XX'], ['GT', 'LT'], ['XX', 'GT'], ['A']),
            [name, k(), when], ['TTL', k()], ['PTTL', k()], ['EXPIRETIME', k()], ['PEXPIRETIME', k()], ['PERSIST', k()],
            ['SET', k(), self.value()], ['SET', k(), self.value()], self.set(), ['EXISTS', k()], ['GET', k()], ['DBSIZE'],
            ['GETEX', k()] + self.one([], ['PERSIST'], self.expire_option([])),
            [self.one('SETEX', 'PSETEX'), k(), self.deadline(True, True), self.value()], ['RENAME', k(), k()],
            ['COPY', k(), k(), 'REPLACE'], ['APPEND', k(), 'x'], ['SETRANGE', k(), '1', 'x'], ['INCR', k()], ['GETSET', k(), '1'],
            ['MSET', k(), '1', k(), '2'], ['GETDEL', k()])

    def databases(self):
        k = self.key
        db = self.one(0, 1, 2, 3)
        return self.one(
            ['SELECT', db], ['SELECT', self.one(db, 15, 16, -1, 'x', '')], ['SWAPDB', self.one(0, 1, 2), self.one(0, 1, 2, 16, 'x')],
            ['MOVE', k(), db], ['COPY', k(), k(), 'DB', db], ['COPY', k(), k(), 'DB', db, 'REPLACE'], ['SET', k(), self.value()],
            ['SET', k(), self.value(), 'EX', '500'], ['GET', k()], ['DBSIZE'], ['KEYS', '*'], ['EXISTS', k(), k()], ['DEL', k()],
            ['RENAME', k(), k()], ['TTL', k()], ['SET', k(), '1'],
            self.one(['FLUSHDB'], ['FLUSHDB', 'ASYNC'], ['FLUSHDB', 'SYNC'], ['FLUSHALL'], ['FLUSHDB', 'X'], ['DBSIZE'], ['DBSIZE']))

    def field(self):
        if self.chance(0.03):
            return self.one(b'', b'\x00\xff', b'q' * 64, b'q' * 65, self.value())
        return f'f{self.random.randint(0, self.one(3, 12, 12, 40, 700))}'

    def pairs(self):
        return [x for _ in range(self.one(1, 1, 1, 2, 3, 8, 8, 60)) for x in (self.field(), self.value())]

    def hash_number(self):
        return self.one(self.number(), self.number(), self.odd_number())

    def hashes(self):
        k, f = self.key, self.field
        if self.chance(0.02):
            return self.one(['HSET', k()], ['HSET', k(), f()], ['HSET', k(), f(), 'v', f()], ['HGET', k()], ['HDEL', k()],
                            ['HMSET', k(), f()], ['HSCAN', k()], ['HSCAN', k(), self.one('x', '-1', '')], ['HGETALL', k(), 'x'],
                            ['HSCAN', k(), '0', 'COUNT', self.one('0', '-1', 'x', '')], ['HSCAN', k(), '0', 'FOO'],
                            ['HRANDFIELD', k(), self.one('x', '', '-9223372036854775808'), 'WITHVALUES'], ['HRANDFIELD', k(), '1', 'x'])
        return self.one(
            lambda: ['HSET', k()] + self.pairs(), lambda: ['HSET', k()] + self.pairs(), lambda: ['HSET', k(), f(), self.value()],
            lambda: ['HMSET', k()] + self.pairs(), lambda: ['HSETNX', k(), f(), self.value()], lambda: ['HGET', k(), f()],
            lambda: ['HGET', k(), f()], lambda: ['HMGET', k()] + [f() for _ in range(self.one(1, 3, 10))],
            lambda: ['HDEL', k()] + [f() for _ in range(self.one(1, 2, 10, 60))], lambda: ['HLEN', k()], lambda: ['HEXISTS', k(), f()],
            lambda: ['HSTRLEN', k(), f()], lambda: [self.one('HGETALL', 'HKEYS', 'HVALS'), k()],
            lambda: ['HINCRBY', k(), f(), self.hash_number()], lambda: ['HINCRBYFLOAT', k(), f(), self.float()],
            lambda: ['HSET', k(), f(), self.hash_number()], lambda: ['OBJECT', 'ENCODING', k()], lambda: ['TYPE', k()],
            lambda: ['HRANDFIELD', k(), self.one('0', '100000', '9223372036854775807')],
            lambda: ['HRANDFIELD', k(), '100000', 'WITHVALUES'],
            lambda: ['HSCAN', k(), '0', 'COUNT', '1000000'] + self.one([], ['MATCH', self.one('f1*', '*', 'f?', '', '[a-f]2')]),
            lambda: ['COPY', k(), k(), 'REPLACE'], lambda: ['RENAME', k(), k()], lambda: [self.one('DEL', 'UNLINK'), k()],
            lambda: ['EXPIRE', k(), '1000'], lambda: ['PERSIST', k()], lambda: ['TTL', k()], lambda: ['GET', k()],
            lambda: ['SET', k(), 'text'] if self.chance(0.3) else ['STRLEN', k()],
            lambda: ['CONFIG', 'SET', self.one('hash-max-listpack-entries', 'hash-max-listpack-value'), self.one(64, 512, 5, 64)])()

    def bit_range(self):
        words = [self.offset()] if self.chance(0.7) else []
        if words and self.chance(0.9):
            words.append(self.offset())
            if self.chance(0.6):
                words.append(self.one('BIT', 'BIT', 'BYTE', 'bit', 'byte', 'FOO') if self.chance(0.95) else self.odd_number())
        return words

    def bit_offset(self):
        if self.chance(0.05):
            return self.one(-1, 4294967296, '#0', self.odd_number(), 2**62)
        return self.one(0, 1, 7, 8, 63, 64, 65, 100, self.random.randint(0, 600), self.random.randint(0, 600), self.random.randint(0, 3000))

    def bitfield(self):
        words = []
        for _ in range(self.one(0, 1, 1, 2, 3, 5)):
            kind = self.one('GET', 'SET', 'INCRBY', 'get', 'incrby')
            width = self.one(1, 2, 3, 5, 8, 16, 31, 32, 33, 62, 63, 64, self.random.randint(1, 64))
            if self.chance(0.3):
                words += ['OVERFLOW', self.one('WRAP', 'SAT', 'FAIL', 'sat', 'fail', 'wrap') if self.chance(0.98) else 'NONE']
            type_ = self.one('i', 'u') + str(width) if self.chance(0.98) else self.one('u64', 'i65', 'i0', 'x8', 'u', '')
            words += [kind, type_, self.bit_offset() if self.chance(0.7) else f'#{self.random.randint(0, 20)}']
            if kind.lower() != 'get':
                words.append(self.number() if self.chance(0.5) else self.random.randint(-2**width, 2**width) % 2**63)
        return words

    def bitmaps(self):
        k = self.key
        return self.one(
            ['SETBIT', k(), self.bit_offset(), self.one(0, 1) if self.chance(0.97) else self.one(2, -1, 'x')],
            ['SETBIT', k(), self.bit_offset(), self.one(0, 1)], ['GETBIT', k(), self.bit_offset()],
            ['BITCOUNT', k()] + self.bit_range(), ['BITCOUNT', k()] + self.bit_range(),
            ['BITPOS', k(), self.one(0, 1) if self.chance(0.97) else self.one(2, 'x')] + self.bit_range(),
            ['BITPOS', k(), self.one(0, 1)] + self.bit_range(),
            ['BITOP', self.one('AND', 'OR', 'XOR', 'and', 'xor'), k()] + self.keys_list(5), ['BITOP', 'NOT', k()] + self.keys_list(1),
            ['BITOP', self.one('NOT', 'FOO', 'AND'), k()] + self.keys_list(2),
            ['BITFIELD', k()] + self.bitfield(), ['BITFIELD', k()] + self.bitfield(), ['BITFIELD_RO', k()] + self.bitfield(),
            ['GET', k()], ['STRLEN', k()], ['OBJECT', 'ENCODING', k()], ['DEL'] + self.keys_list(2),
            ['SET', k(), self.one(b'\xff' * self.random.randint(0, 40), b'\0' * self.random.randint(0, 40), self.value(), self.number())],
            ['SET', k(), self.value(), 'EX', '1000'], ['TTL', k()],
            ['SETRANGE', k(), self.random.randint(0, 100), self.one(b'\xff' * 30, b'\0\x01')])

    def element(self):
        r = self.random.random()
        if r < 0.5:
            return self.one('a', 'b', 'c', 1, 2, -3, 200, 70000, '')
        if r < 0.9:
            return self.value()
        return self.one('long', 'other') * self.random.randint(1, 400)

    def elements(self):
        """Mostly few; now and then enough to fill chunks, to be searched in slices, or one that fills a chunk alone."""
        r = self.random.random()
        if r < 0.7:
            return [self.element() for _ in range(self.random.randint(1, 4))]
        if r < 0.9:
            return [self.element() for _ in range(self.random.randint(1, 300))]
        if r < 0.97:
            return [f'{self.one("job", "user", "x")}:{self.random.randint(0, 9):0>{self.random.randint(1, 1500)}}' for _ in range(100)]
        return [self.one('y', 'z') * self.random.randint(5000, 40000)]

    def end(self):
        return self.one('LEFT', 'RIGHT') if self.chance(0.97) else self.one('UP', 'left', '')

    def rank(self):
        r = self.random.random()
        return self.random.randint(-8, 8) if r < 0.7 else self.random.randint(-700, 700) if r < 0.9 else self.offset() if r < 0.97 else self.odd_number()

    def lpos(self):
        words = ['LPOS', self.key(), self.element()]
        for option in (['RANK', self.one(1, 2, -1, -2, 5, 0, 'x')], ['COUNT', self.one(0, 1, 2, 100, -1)], ['MAXLEN', self.one(0, 1, 3, 200, -1)]):
            if self.chance(0.4):
                words += option
        return words + (['FOO'] if self.chance(0.02) else [])

    def lists(self):
        k = self.key
        count = lambda: self.one(0, 1, 2, 5, 100, 1000) if self.chance(0.95) else self.one(-1, 'x', '9223372036854775808')
        return self.one(
            ['LPUSH', k(), *self.elements()], ['RPUSH', k(), *self.elements()], ['RPUSH', k(), *self.elements()],
            [self.one('LPUSHX', 'RPUSHX'), k(), *self.elements()], [self.one('LPOP', 'RPOP'), k()], [self.one('LPOP', 'RPOP'), k(), count()],
            ['LLEN', k()], ['LINDEX', k(), self.rank()], ['LSET', k(), self.rank(), self.element()], ['LSET', k(), self.rank(), self.elements()[0]],
            ['LRANGE', k(), self.rank(), self.rank()], ['LRANGE', k(), 0, -1], ['LRANGE', k(), 0, -1],
            ['LTRIM', k(), self.one(0, 1, self.rank()), self.one(-1, -2, self.rank())], ['LREM', k(), self.one(0, 1, -1, 3, -3, self.rank()), self.element()],
            ['LREM', k(), self.one(0, 1, -1), self.element()], ['LINSERT', k(), self.one('BEFORE', 'AFTER', 'before', 'UP'), self.element(), self.elements()[0]],
            ['LINSERT', k(), self.one('BEFORE', 'AFTER'), self.element(), self.element()], self.lpos(), self.lpos(),
            ['LMOVE', k(), k(), self.end(), self.end()], ['RPOPLPUSH', k(), k()],
            ['LMPOP', self.one(1, 2, 2, 3), k(), k(), self.end(), *self.one([], ['COUNT', count()])], ['LMPOP', 1, k(), self.end(), *self.one([], ['COUNT', count()])],
            ['OBJECT', 'ENCODING', k()], ['TYPE', k()], ['DEL'] + self.keys_list(2), ['SET', k(), self.value()], ['COPY', k(), k()], ['RENAME', k(), k()])

    def sort_words(self, key, full):
        """Equal texts as weights may come in any order, where redis-server sorts only a part or a hash table: not here."""
        words, by = [], self.one(None, None, 'w_*', 'w_*', 'h_*->w', 'h_*->x', 'nosort' if full else 'w_*', '#' if full else 'none_*')
        limit = self.chance(0.4)
        if by:
            words.append(['BY', by])
        if self.chance(0.4) and not (by and '*' in by and (limit or key[0] != 'l')):
            words.append(['ALPHA'])
        if limit:
            words.append(['LIMIT', self.one(0, 0, 1, 3, -1, 50), self.one(0, 1, 2, 10, -1, 100)])
        if self.chance(0.5):
            words.append([self.one('ASC', 'DESC', 'desc')])
        for _ in range(self.one(0, 0, 0, 1, 2, 3)):
            words.append(['GET', self.one('#', 'w_*', 's_*', 'h_*->w', 'h_*->x', 'nostar', '*', 'w_*->w')])
        self.random.shuffle(words)
        words = [x for group in words for x in group]
        if self.chance(0.3):
            return [self.one('SORT', 'SORT', 'SORT', 'SORT_RO'), key, *words, 'STORE', self.one('l1', 'd', 'd')]
        return [self.one('SORT', 'SORT_RO'), key, *words]

    def sort(self):
        number = lambda: self.one(self.random.randint(-20, 20), self.random.randint(-20, 20), f'{self.random.randint(0, 9)}.5', '1e1')  # noqa: E731
        element = lambda: number() if self.chance(0.97) else self.one('a', 'bb', '', '1x')  # noqa: E731
        some = lambda most: [element() for _ in range(self.random.randint(1, most))]  # noqa: E731
        return self.one(
            ['RPUSH', self.one('l1', 'l2', 'l3')] + some(6), ['RPUSH', self.one('l1', 'l2')] + [number() for _ in range(30)],
            ['DEL', self.one('l1', 'l2', 'l3', 's1', 'z1', 'd')], ['DEL', self.one('l1', 'l2', 'l3', 's1', 'z1', 'd')],
            # A long member, because redis-server makes every sorted set that it sorts a skiplist.
            ['SADD', 's1'] + some(6), ['ZADD', 'z1', 3, '0' * 64 + '7', self.random.randint(0, 5), element(), self.random.randint(0, 5), number()],
            ['SET', f'w_{number()}', self.random.randint(0, 9)], ['SET', f'w_{number()}', self.one(number(), number(), 'x')],
            ['SET', f's_{number()}', self.value()], ['HSET', f'h_{number()}', 'w', number(), 'x', number()],
            ['DEL', f'w_{number()}', f'h_{number()}'], ['SET', number(), 'itself'],
            self.sort_words(self.one('l1', 'l2', 'l3', 'd'), True), self.sort_words(self.one('l1', 'l2'), True), self.sort_words('z1', True),
            self.sort_words('s1', False), self.sort_words(self.one('s1', 'missing', 'w_1', 'h_1', 'd'), False),
            ['SORT', 's1', 'BY', 'nosort', *self.one([], ['LIMIT', 1, 3]), *self.one([], ['DESC']), 'STORE', 'd'],
            ['LRANGE', 'd', 0, -1], ['OBJECT', 'ENCODING', 'l1'], ['TYPE', 'd'])

    def members(self, most, of):
        return [f'm{self.random.randint(1, of)}' for _ in range(self.random.randint(0, most))]

    def element_of_set(self):
        r = self.random.random()
        return (self.random.randint(-20, 20) if r < 0.5 else self.one('a', 'b', 'c', 'd', 'e', '', b'\x00\xff', '01', '-0', '7 ') if r < 0.8
                else self.number() if r < 0.9 else self.one('x' * 64, 'y' * 65, 'z' * 300) if r < 0.93 else self.value())

    def set_members(self):
        r = self.random.random()
        if r < 0.8:
            return [self.element_of_set() for _ in range(self.random.randint(1, 5))]
        if r < 0.9:
            return [self.random.randint(-10**9, 10**9) for _ in range(self.one(100, 200, 600))]
        start = self.random.randint(1, 1000)
        return [f'member:{start + i}' for i in range(self.one(30, 127, 128, 129, 400))]

    def sets(self):
        k = self.key
        return self.one(
            ['SADD', k(), *self.set_members()], ['SADD', k(), *self.set_members()], ['SADD', k(), *self.set_members()], ['SADD', k(), self.element_of_set()],
            ['SREM', k(), *self.set_members()], ['SREM', k(), self.element_of_set(), self.element_of_set()], ['SISMEMBER', k(), self.element_of_set()],
            ['SMISMEMBER', k(), *[self.element_of_set() for _ in range(self.random.randint(1, 5))]], ['SCARD', k()], ['SMEMBERS', k()], ['SMEMBERS', k()],
            ['SPOP', k(), self.one(0, 100000, 100000, -1, 'x')], ['SRANDMEMBER', k(), self.one(0, 1000, -10, -1, self.odd_number())],
            ['SMOVE', k(), k(), self.element_of_set()], ['SMOVE', k(), k(), self.element_of_set()], [self.one('SINTER', 'SUNION', 'SDIFF'), *self.keys_list()],
            [self.one('SINTERSTORE', 'SUNIONSTORE', 'SDIFFSTORE'), k(), *self.keys_list(3)],
            ['SINTERCARD', self.one(1, 2, 2, 3), k(), k(), *self.one([], ['LIMIT', self.one(0, 1, 3, 1000, -1, 'x')], [k()])],
            ['TYPE', k()], ['DEL'] + self.keys_list(2), ['SET', k(), 'x'], ['COPY', k(), k()], ['RENAME', k(), k()])

    def sparse_hll(self):
        """Sparse bytes as Redis's own might be, or with a run too much, or cut off."""
        runs, left = bytearray(), 16384
        while left > 0:
            kind = self.random.randrange(3)
            n = min(left, self.random.randint(1, (64, 4, 3000)[kind])) if self.chance(0.99) else self.random.randint(1, 4)
            value = self.random.randint(1, 32)
            runs += (bytes([n - 1]) if kind == 0 and n <= 64 else bytes([0x80 | value - 1 << 2 | n - 1]) if kind == 1 and n <= 4
                     else bytes([0x40 | n - 1 >> 8, n - 1 & 255]))
            left -= n
        if self.chance(0.05):
            runs = runs[:-1] if runs[-2] & 0xc0 != 0x40 else runs[:-2]  # redis-server reads beyond a run of zeros that is cut off
        card = self.one(b'\0' * 8, b'\0' * 7 + b'\x80', b'\x05' + b'\0' * 7)
        return b'HYLL' + self.one(b'\x01\0\0\0', b'\x01\x07\x08\x09') + card + bytes(runs)

    def hll(self):
        k = lambda: self.one('a', 'b', 'c', 'd', 'e')  # noqa: E731
        return self.one(
            ['PFADD', k()] + self.members(3, 50), ['PFADD', k()] + self.members(5, 10**6), ['PFADD', k()] + self.members(40, 10**7),
            ['PFADD', k()] + [self.value() for _ in range(self.random.randint(0, 3))],
            ['PFADD', self.one('large', k())] + self.members(300, 10**8),
            ['PFCOUNT', k()], ['PFCOUNT', k()], ['PFCOUNT', 'large'], ['PFCOUNT'] + [k() for _ in range(self.random.randint(2, 4))],
            ['PFCOUNT'] + [self.one('large', k(), k()) for _ in range(self.one(2, 24, 25, 40))],
            ['PFMERGE', k()] + [k() for _ in range(self.random.randint(0, 3))],
            ['PFMERGE', k()] + [k() for _ in range(self.one(2, 23, 24, 30))], ['PFMERGE', self.one('large', k()), self.one('large', k())],
            ['PFDEBUG', self.one('GETREG', 'DECODE', 'ENCODING', 'TODENSE', 'encoding', 'decode', 'ENCODING', 'X'), k()],
            ['GET', k()], ['GET', k()], ['GET', k()], ['OBJECT', 'ENCODING', k()], ['STRLEN', k()], ['DEL', k()], ['DEL', k(), 'large'],
            ['SET', k(), self.sparse_hll()], ['SET', k(), self.one(b'x', b'HYLL', b'HYLL\x02' + b'\0' * 20, b'HYLL\0' + b'\0' * 20)],
            ['SET', k(), b'HYLL\0' + b'\0' * 10 + self.one(b'\0', b'\x80') +
             (bytes(self.random.randrange(256) for _ in range(12288)) if self.chance(0.1) else b'\0' * 12287 + b'\xff')])

    def errors(self):
        """Right commands with words taken away, added, or spoilt; no word that would let a key expire while we look."""
        words = [str(w) if not isinstance(w, bytes) else w for w in self.one(
            self.strings, self.numbers, self.keys, self.expiry, self.bitmaps, self.sets)()]
        for _ in range(self.random.randint(1, 2)):
            # What draws by chance gets a word too many: with one less it might be right, and each server would draw its own.
            how = 1 if words[0] in ('SPOP', 'SRANDMEMBER') else self.random.randrange(5)
            if how == 0 and len(words) > 1:
                words.pop()
            elif how == 1:
                words.append(self.one('x', '', '100000', 'NX', 'EX', b'\r\n', 'y' * 200))
            elif how == 2 and len(words) > 1:
                words[self.random.randrange(1, len(words))] = self.one('', '-1', 'x', '1e5', b'\x00', '18446744073709551616', 'GET')
            elif how == 3:
                words[0] = self.one('NOSUCH', 'GETT', 'set ', 'a\nb', "q'uote", 'x' * 300, 'OBJECT', 'SCAN', 'CONFIG', 'CLIENT')
            else:
                at = self.random.randrange(1, len(words) + 1)
                words[at:at] = words[1:2]
        # Nothing that blocks, ends the connection or changes the server for those who come after.
        if str(words[0]).upper() in ('CONFIG', 'CLIENT', 'DEBUG'):
            words = [words[0], 'NOSUCH', *words[2:]]
        return words

    # -- sorted sets ----------------------------------------------------------------------------------------------------
    def zset(self):
        return self.one('z1', 'z2', 'z3', 'z4')

    def member(self):
        return self.one('a', 'b', 'c', '', 'x' * 70, 'y' * 200, f'm{self.random.randint(0, 40)}', f'm{self.random.randint(0, 200)}')

    def score(self):
        # No -0: whether a zset that is restored keeps it depends on when it became a skiplist; cases/zsets.txt has it otherwise.
        if self.chance(0.02):
            return self.float()
        return self.one(0, 1, 1, 2, 3, 'inf', '-inf', '0.1', '1e20', '5e-324', '1.5', '-2.25', self.random.randint(-10, 300),
                        self.random.randint(-10**12, 10**12), 2**31, f'{self.random.uniform(-100, 100)!r}')

    def score_bound(self):
        return ('(' if self.chance(0.3) else '') + str(self.score())

    def lex_bound(self):
        return self.one('-', '+', '[' + self.member(), '(' + self.member(), '[', '(', self.member())

    def limit(self):
        return self.one([], ['LIMIT', self.one(0, 1, 2, 10, -1), self.one(0, 1, 3, 100, -1)])

    def zrange(self, key):
        kind = self.one('rank', 'rank', 'score', 'score', 'lex')
        options = self.limit() + self.one([], ['WITHSCORES']) + self.one([], ['REV'])
        if kind == 'rank':
            return [self.offset(), self.offset()] + options
        if kind == 'score':
            return [self.score_bound(), self.score_bound(), 'BYSCORE'] + options
        return [self.lex_bound(), self.lex_bound(), 'BYLEX'] + options if key[0] == 'l' else ['(1', '+inf', 'BYSCORE'] + options

    def zsets(self):
        k, m, s = self.zset, self.member, self.score
        lex = self.one('l1', 'l2')
        options = [o for o in ('NX', 'XX', 'GT', 'LT', 'CH', 'INCR') if self.chance(0.12)]
        choice = self.random.randrange(27)
        if choice < 7:
            return ['ZADD', k()] + options + [x for _ in range(self.one(1, 1, 1, 2, 5, 40)) for x in (s(), m())]
        if choice < 9:
            return ['ZADD', lex] + [x for _ in range(self.one(1, 1, 5)) for x in (0, m())]
        key = self.one(k(), k(), lex)
        return [
            lambda: ['ZINCRBY', k(), s(), m()],
            lambda: [self.one('ZSCORE', 'ZRANK', 'ZREVRANK', 'ZREM'), key, m()],
            lambda: [self.one('ZMSCORE', 'ZREM'), key, m(), m(), m()],
            lambda: ['ZCARD', key],
            lambda: ['ZCOUNT', k(), self.score_bound(), self.score_bound()],
            lambda: ['ZLEXCOUNT', lex, self.lex_bound(), self.lex_bound()],
            lambda: ['ZRANGE', key] + self.zrange(key),
            lambda: ['ZRANGESTORE', self.zset() if key[0] == 'z' else lex, key] + self.zrange(key),
            lambda: ['ZREVRANGE', key, self.offset(), self.offset()] + self.one([], ['WITHSCORES']),
            lambda: [self.one('ZRANGEBYSCORE', 'ZREVRANGEBYSCORE'), k(), self.score_bound(), self.score_bound()] + self.limit(),
            lambda: [self.one('ZRANGEBYLEX', 'ZREVRANGEBYLEX'), lex, self.lex_bound(), self.lex_bound()] + self.limit(),
            lambda: ['ZREMRANGEBYRANK', key, self.one(0, 1, 5, -3, -1), self.one(0, 2, 5, -3)],
            lambda: ['ZREMRANGEBYSCORE', k(), self.score_bound(), self.one(s(), 0)],
            lambda: ['ZREMRANGEBYLEX', lex, self.lex_bound(), '(m5'],
            lambda: [self.one('ZPOPMIN', 'ZPOPMAX'), key] + self.one([], [self.one(0, 1, 2, 10, -1)]),
            lambda: ['ZMPOP', 2, key, k(), self.one('MIN', 'MAX')] + self.one([], ['COUNT', self.one(1, 3, 20)]),
            lambda: self.one(['DEL', key], ['SET', k(), 'text'], ['OBJECT', 'ENCODING', key], ['COPY', k(), k(), 'REPLACE'],
                             ['ZRANDMEMBER', key, 0], ['RENAME', lex, 'l1'], ['ZRANGE', key, 0, -1, 'WITHSCORES']),
            lambda: ['CONFIG', 'SET', *self.one(('zset-max-listpack-entries', self.one(0, 4, 20, 128)), ('zset-max-listpack-value', self.one(8, 64, 100)))],
        ][choice - 9]()
