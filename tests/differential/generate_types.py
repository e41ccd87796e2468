"""generate_types: seeded random commands on collections and places, by family, and on all types together; see generate.py.

Each family has its own keys and few members, so that commands meet each other's leavings; now and then a key of another family,
and now and then so many or so long members that the encoding changes. What has no right answer (a random member, ranges by bytes
where scores differ, some of those that are equally far away) is not asked.
"""
from generate import Generator

ENDS = ('-inf', '+inf', '(1', '1', '(2.5', '3', '-1', '0', '(0', '10', '(10', 'inf', 'x', '', '(')
LEX = ('-', '+', '[a', '(a', '[m3', '(m3', '[m', '(m9', '[', '(', 'm', '', '[zz')


class TypesGenerator(Generator):
    FAMILIES = ('hashes', 'sortedsets', 'places', 'collections')

    def __init__(self, family, seed):
        super().__init__('strings', f'{family}:{seed}')
        self.make = getattr(self, family)

    # -- pieces ---------------------------------------------------------------------------------------------------------
    def of(self, *keys):
        """One of these keys, or now and then one of another type or none."""
        if self.chance(0.04):
            return self.one('h1', 'l1', 's1', 'z1', 'g1', 'b1', 'str', 'missing')
        return self.one(*keys)

    def hkey(self):
        return self.of('h1', 'h2', 'h3')

    def lkey(self):
        return self.of('l1', 'l2', 'l3')

    def skey(self):
        return self.of('s1', 's2', 's3', 's4')

    def zkey(self):
        return self.of('z1', 'z2', 'z3')

    def gkey(self):
        return self.of('g1', 'g2')

    def name(self):
        r = self.random.random()
        if r < 0.8:
            return f'm{self.random.randrange(12)}'
        if r < 0.9:
            return f'm{self.random.randrange(400)}'
        return self.one('', 'M\x00\xff'.encode('latin-1'), 'm' * 64, 'm' * 65, 'a', 'zz', b'\r\n')

    def names(self, most=5):
        if self.chance(0.03):
            return [f'm{self.random.randrange(1000)}' for _ in range(self.one(100, 130, 300))]
        return [self.name() for _ in range(self.random.randint(1, most))]

    def integer_member(self):
        return self.one(str(self.random.randrange(20)), str(self.random.randint(-70000, 70000)), '-1', '32767', '32768',
            '-2147483649',
                        '9223372036854775807', '-9223372036854775808', '9223372036854775808', '007', '+1', '-0')

    def item(self):
        return self.one(self.name(), self.name(), self.integer_member(), self.value() if self.chance(0.2) else 'x')

    def points(self):
        return self.one('0', '1', '2', '3', '-1', '2.5', '-7.25', '10', '100', '1e3', 'inf', '-inf', '+inf', '0.125', 'nan', 'x',
            '1e300',
                        self.random.randint(-20, 20), self.random.randint(-20, 20), self.random.randint(-80, 80) / 4)

    def index(self):
        return self.one(0, 1, 2, 3, 5, 10, -1, -2, -3, -5, -1, 0, 100, -100,
            self.random.randint(-30, 30), 'x', 9223372036854775807,
                        -9223372036854775808)

    def count(self):
        return self.one(0, 1, 2, 3, 10, -1, 1000, 'x')

    def wrong(self, words):
        """Now and then a word too few or too many, where that does not ask for something random or for what is newer than 7.0."""
        if self.chance(0.02) and words[0] not in ('HRANDFIELD', 'SRANDMEMBER', 'ZRANDMEMBER', 'SPOP', 'ZRANK', 'ZREVRANK'):
            return words[:-1] if self.chance(0.5) and len(words) > 1 else [*words, self.one('x', '1', 'WITHSCORES', 'LIMIT')]
        return words

    def about_a_key(self, key):
        other = self.of(key[:-1] + '1', key[:-1] + '2') if isinstance(key, str) else key
        return self.one(['DEL', key], ['TYPE', key], ['OBJECT', 'ENCODING', key], ['EXISTS', key],
            ['COPY', key, other, 'REPLACE'],
                        ['RENAME', key, other], ['PERSIST', key], ['EXPIRE', key, 1000], ['TTL', key], ['UNLINK', key])

    def numkeys(self, key, most=3):
        n = self.random.randint(1, most)
        return [self.one(n, n, n, n, n, n, n, n, n, 0, -1, n + 1, 'x') if self.chance(0.2) else n, *(key() for _ in range(n))]

    # -- families -------------------------------------------------------------------------------------------------------
    def hashes(self):
        k, m = self.hkey(), self.name
        pairs = [x for name in self.names() for x in (name, self.item())]
        return self.wrong(self.one(
            ['HSET', k, *pairs], ['HSET', k, *pairs], ['HMSET', k, *pairs], ['HSET', k, m(), self.number()],
            ['HSETNX', k, m(), self.item()],
            ['HGET', k, m()], ['HMGET', k, *self.names()], ['HGETALL', k], ['HKEYS', k], ['HVALS', k], ['HLEN', k],
            ['HEXISTS', k, m()],
            ['HDEL', k, *self.names()], ['HDEL', k, m()], ['HSTRLEN', k, m()],
            ['HINCRBY', k, m(), self.one(1, 5, -3, self.number(), 'x')],
            ['HINCRBYFLOAT', k, m(), self.float()], ['HRANDFIELD', k, self.one(0, 2000, 'x')],
            ['HRANDFIELD', k, self.one(0, 2000, 'x'), 'WITHVALUES'], self.about_a_key(k)))

    def queues(self):
        k, e, i = self.lkey(), self.item, self.index
        end = lambda: self.one('LEFT', 'RIGHT', 'left', 'UP') if self.chance(0.1) else self.one('LEFT', 'RIGHT')  # noqa: E731
        many = [e() for _ in range(self.one(1, 1, 2, 3, 5, 40))]
        pos = ['LPOS', k, e()]
        for option in (['RANK', self.one(1, 2, -1, -2, 0, 'x')], ['COUNT', self.count()], ['MAXLEN', self.one(0, 1, 5, -1)]):
            if self.chance(0.4):
                pos += option
        return self.wrong(self.one(
            ['LPUSH', k, *many], ['RPUSH', k, *many], ['RPUSH', k, *many], ['LPUSHX', k, e()], ['RPUSHX', k, e(), e()],
            ['LPOP', k], ['RPOP', k],
            ['LPOP', k, self.count()], ['RPOP', k, self.count()], ['LLEN', k], ['LRANGE', k, i(), i()], ['LRANGE', k, 0, -1],
            ['LINDEX', k, i()], ['LSET', k, i(), e()], ['LINSERT', k, self.one('BEFORE', 'AFTER', 'before', 'x'), e(), e()],
            ['LREM', k, self.one(0, 1, -1, 2, 'x'), e()], ['LTRIM', k, self.one(0, 0, 1, i()), self.one(-1, -2, i())], pos, pos,
            ['LMOVE', k, self.lkey(), end(), end()], ['RPOPLPUSH', k, self.lkey()],
            ['LMPOP', *self.numkeys(self.lkey), end(), *self.one([], ['COUNT', self.count()])], self.about_a_key(k)))

    def groups(self):
        k, m = self.skey(), lambda: self.integer_member() if self.chance(0.5) else self.name()
        some = [m() for _ in range(self.random.randint(1, 4))]
        numbers = self.random.sample(range(-500, 500), self.one(1, 3, 10, 140, 600))  # 7.2 goes by how many are named, too
        keys = [self.skey() for _ in range(self.random.randint(1, 3))]
        return self.wrong(self.one(
            ['SADD', k, *some], ['SADD', k, *some], ['SADD', k, *self.names()], ['SADD', k, *numbers], ['SREM', k, *some],
            ['SREM', k, *numbers],
            ['SCARD', k], ['SISMEMBER', k, m()], ['SMISMEMBER', k, *some], ['SMEMBERS', k], ['SINTER', *keys], ['SUNION', *keys],
            ['SDIFF', *keys], ['SINTERSTORE', k, *keys], ['SUNIONSTORE', k, *keys], ['SDIFFSTORE', k, *keys],
            ['SINTERCARD', *self.numkeys(self.skey), *self.one([], ['LIMIT', self.count()])], ['SMOVE', k, self.skey(), m()],
            ['SPOP', k, 1000000], ['SPOP', k, 0], ['SPOP', k, self.one(-1, 'x')], ['SRANDMEMBER', k, self.one(0, 2000, 'x')],
            self.about_a_key(k)))

    def zadd(self, k):
        options = self.random.sample(['NX', 'XX', 'GT', 'LT', 'CH', 'INCR'], self.one(0, 0, 0, 1, 1, 2, 3))
        return ['ZADD', k, *options, *(x for name in self.names(3) for x in (self.points(), name))]

    def order_range(self, name, k):
        i = self.index
        limit = self.one([], [], ['LIMIT', i(), i()])
        how = self.one([], ['BYSCORE'], ['BYSCORE'], ['REV'], ['BYSCORE', 'REV'])
        ends = [self.one(*ENDS), self.one(*ENDS)] if 'BYSCORE' in how else [i(), i()]
        return [name, k, *ends, *how, *limit] + self.one([], ['WITHSCORES']) * (name == 'ZRANGE')

    def lex(self):
        """Ranges by bytes, on zsets whose scores are all 0: nothing else is done to these keys."""
        k, low, high = self.one('x1', 'x2'), self.one(*LEX), self.one(*LEX)
        limit = self.one([], ['LIMIT', self.index(), self.index()])
        return self.one(
            ['ZADD', k, *(x for name in self.names() for x in ('0', name))], ['ZADD', k, '0', self.name()],
            ['ZREM', k, *self.names()],
            ['ZRANGEBYLEX', k, low, high, *limit], ['ZREVRANGEBYLEX', k, low, high, *limit], ['ZLEXCOUNT', k, low, high],
            ['ZRANGE', k, low, high, 'BYLEX', *self.one([], ['REV']), *limit], ['ZREMRANGEBYLEX', k, low, high],
            ['ZRANGESTORE', 'x3', k, low, high, 'BYLEX', *limit], ['ZRANK', k, self.name()])

    def algebra(self):
        name = self.one('ZUNION', 'ZINTER', 'ZDIFF', 'ZUNIONSTORE', 'ZINTERSTORE', 'ZDIFFSTORE', 'ZINTERCARD')
        keys_of = self.one(self.zkey, self.zkey, self.skey)
        words = [name, *([self.zkey()] if name.endswith('STORE') else []), *self.numkeys(keys_of)]
        keys = len(words) - (3 if name.endswith('STORE') else 2)
        weight = lambda: self.one('1', '2', '-1', '0', '0.5', 'inf', 'x') if self.chance(0.2) else '2'  # noqa: E731
        for option in (['WEIGHTS', *(weight() for _ in range(keys))], ['AGGREGATE', self.one('SUM', 'MIN', 'MAX', 'sum', 'AVG')],
                       ['WITHSCORES'], ['LIMIT', self.count()]):
            if self.chance(0.3):
                words += option
        return words

    def sortedsets(self):
        r = self.random.random()
        if r < 0.15:
            return self.wrong(self.lex())
        if r < 0.35:
            return self.wrong(self.algebra())
        k, m, i = self.zkey(), self.name, self.index
        low, high = self.one(*ENDS), self.one(*ENDS)
        more = self.one([], ['WITHSCORES'], ['LIMIT', i(), i()], ['LIMIT', 1, 3, 'WITHSCORES'])
        return self.wrong(self.one(
            self.zadd(k), self.zadd(k), self.zadd(k), self.zadd(k), ['ZINCRBY', k, self.points(), m()],
            ['ZREM', k, *self.names()],
            ['ZREM', k, m()], ['ZCARD', k], ['ZSCORE', k, m()], ['ZMSCORE', k, *self.names()], ['ZRANK', k, m()],
            ['ZREVRANK', k, m()],
            self.order_range('ZRANGE', k), self.order_range('ZRANGE', k),
            ['ZRANGESTORE', self.zkey(), *self.order_range('', k)[1:]],
            ['ZREVRANGE', k, i(), i(), *self.one([], ['WITHSCORES'])], ['ZRANGEBYSCORE', k, low, high, *more],
            ['ZREVRANGEBYSCORE', k, high, low, *more], ['ZCOUNT', k, low, high], ['ZREMRANGEBYRANK', k, i(), i()],
            ['ZREMRANGEBYSCORE', k, low, high], [self.one('ZPOPMIN', 'ZPOPMAX'), k, *self.one([], [self.count()])],
            ['ZMPOP', *self.numkeys(self.zkey), self.one('MIN', 'MAX', 'x'), *self.one([], ['COUNT', self.count()])],
            ['ZRANDMEMBER', k, self.one(0, 2000, 'x'), *self.one([], ['WITHSCORES'])], self.about_a_key(k)))

    def degrees(self):
        x = self.one(self.random.uniform(-180, 180), self.random.uniform(10, 12), self.random.uniform(178, 182), 0, 'x')
        y = self.one(self.random.uniform(-85, 85), self.random.uniform(50, 52), self.random.uniform(50, 52), 85.1, -85)
        return [x, y]

    def area(self):
        size = lambda: self.one(0, 1, 10, 150.5, 1000, 20000, self.random.uniform(0, 500), -1, 'x') if self.chance(0.1) else \
            self.random.uniform(1, 3000)  # noqa: E731
        unit = self.one('m', 'km', 'KM', 'ft', 'mi', 'mm') if self.chance(0.3) else 'km'
        return self.one(['BYRADIUS', size(), unit], ['BYBOX', size(), size(), unit])

    def places(self):
        k, m = self.gkey(), self.name
        words = self.one(['FROMMEMBER', m()], ['FROMLONLAT', *self.degrees()], ['FROMLONLAT', *self.degrees()]) + self.area()
        for option in (['ASC'], ['DESC'], ['COUNT', self.one(1, 2, 5, 100, 0)], ['ANY']):
            if self.chance(0.25):
                words += option
        shown = [o for o in ('WITHDIST', 'WITHCOORD', 'WITHHASH') if self.chance(0.3)]
        radius = self.area()[1:2] + ['km']
        store = self.one([], [], ['STORE', self.gkey()], ['STOREDIST', 'z1'])
        return self.wrong(self.one(
            ['GEOADD', k, *self.one([], [], ['NX'], ['XX'], ['CH'], ['NX', 'XX']), *self.degrees(), m()],
            ['GEOADD', k, *(x for name in self.names() for x in (self.random.uniform(5, 15), self.random.uniform(45, 55), name))],
            ['GEODIST', k, m(), m(), *self.one([], ['km'], ['FT'], ['x'])], ['GEOHASH', k, *self.names()],
            ['GEOPOS', k, *self.names()],
            ['GEOSEARCH', k, *words, *shown], ['GEOSEARCH', k, *words, *shown], ['GEOSEARCHSTORE', self.gkey(), k, *words],
            ['GEOSEARCHSTORE', 'z1', k, *words, 'STOREDIST'], ['ZREM', k, m()], ['ZSCORE', k, m()],
            [self.one('GEORADIUS', 'GEORADIUS_RO'), k, *self.degrees(), *radius, *shown, *self.one([], ['ASC'], ['COUNT', 3])],
            ['GEORADIUS', k, *self.degrees(), *radius, *store], ['GEORADIUSBYMEMBER', k, m(), *radius, *store],
            [self.one('GEORADIUSBYMEMBER', 'GEORADIUSBYMEMBER_RO'), k, m(), *radius, *shown], self.about_a_key(k)))

    def collections(self):
        """All of them in turn: types meet."""
        return self.one(
            self.hashes, self.hashes, self.queues, self.queues, self.groups, self.groups, self.sortedsets, self.sortedsets,
            self.places, self.strings, self.bitmaps, self.hll,
            lambda: ['SET', self.one('str', 'h1', 'l1', 's1', 'z1'), self.value()],
            lambda: ['DEL', self.one('h1', 'l1', 's1', 'z1', 'g1', 'b1', 'str')],
            lambda: ['RENAME', self.one('h1', 'l1', 's1', 'z1', 'str'), self.one('h2', 'l2', 's2', 'z2')])()
