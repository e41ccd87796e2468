"""waiting: random commands on several connections at once, most of which wait for keys that others make.

After each command the servers are asked how many clients are blocked, until both say the same; then the connections whose
replies have come, and the replies, must be the same. Lists and sorted sets have keys of their own: where both are waited for
under one name, redis-server 7.0 changes the order of waiters. Nothing waits by time here.
"""
import random

NAMES = ['one', 'two', 'three', 'four', 'five', 'six', 'seven']
LISTS, ZSETS = ['l0', 'l1', 'l2', 'l3'], ['z0', 'z1']


class Waiting:
    def __init__(self, pair, seed, arrived):
        self.pair, self.random, self.arrived = pair, random.Random(f'waiting:{seed}'), arrived
        self.blocked, self.value = [], 0

    def begin(self):
        self.blocked = []
        for name in NAMES[-2:]:
            self.command(name, ['SELECT', 1])

    # -- what is asked -----------------------------------------------------------------------------------------------------
    def keys(self, names):
        return [self.random.choice(names) for _ in range(self.random.randint(1, 3))]

    def values(self):
        self.value += 1
        return [f'v{self.value}', *(f'v{self.value}.{i}' for i in range(self.random.choice([0, 0, 0, 1, 2])))]

    def end(self):
        return self.random.choice(['LEFT', 'RIGHT'])

    def destination(self):
        return self.random.choice([*LISTS, *LISTS, 's', 'z0'])

    def waits(self):
        r, c = self.random, self.random.choice
        keys, zsets = self.keys(LISTS), self.keys(ZSETS)
        return r.choices([
            [c(['BLPOP', 'BRPOP']), *keys, 0],
            ['BLMOVE', c(LISTS), self.destination(), self.end(), self.end(), 0],
            ['BRPOPLPUSH', c(LISTS), self.destination(), 0],
            ['BLMPOP', 0, len(keys), *keys, self.end(), 'COUNT', r.randint(1, 3)],
            [c(['BZPOPMIN', 'BZPOPMAX']), *zsets, 0],
            ['BZMPOP', 0, len(zsets), *zsets, c(['MIN', 'MAX']), 'COUNT', r.randint(1, 3)],
        ], [8, 10, 3, 3, 3, 2])[0]

    def goes_on(self):
        r, c = self.random, self.random.choice
        members = [w for v in self.values() for w in (r.randint(-3, 3), v)]
        return r.choices([
            [c(['RPUSH', 'LPUSH']), c(LISTS), *self.values()],
            ['ZADD', c(ZSETS), *members],
            ['LMOVE', c(LISTS), self.destination(), self.end(), self.end()],
            ['RENAME', c(LISTS), c(LISTS)],
            ['RENAMENX', c(LISTS), c(LISTS)],
            ['COPY', c(LISTS), c(LISTS), *c([['REPLACE'], ['DB', 1], []])],
            ['MOVE', c(LISTS + ZSETS), r.randint(0, 1)],
            ['ZRANGESTORE', c(ZSETS), c(ZSETS), 0, r.randint(0, 2)],
            ['ZUNIONSTORE', c(ZSETS), 2, *ZSETS],
            ['DEL', c(LISTS + ZSETS)],
            ['LRANGE', c(LISTS), 0, -1],
            ['LPOP', c(LISTS)],
            ['SET', 's', 'x'],
            ['DEL', 's'],
        ], [24, 6, 5, 3, 2, 3, 4, 1, 1, 6, 3, 3, 1, 1])[0]

    # -- one step ------------------------------------------------------------------------------------------------------------
    def command(self, name, words, may_wait=False):
        self.pair.name = name
        words = [str(w).encode() for w in words]
        if may_wait:
            self.pair.waiting(words)
            self.blocked.append(name)
        else:
            self.pair.command(words)

    def settle(self):
        """Both servers have answered the same connections, and the same to each."""
        pair, counts = self.pair, []

        def same():
            counts[:] = [pair.blocked(0), pair.blocked(1)]
            return counts[0] == counts[1]
        pair.until(same)
        if counts[0] != counts[1]:
            pair.note('(how many wait)', str(counts[0]), str(counts[1]))
        answered = []
        for server in (0, 1):
            def those():
                return [n for n in self.blocked if self.arrived(pair.connections[n][server])]
            pair.until(lambda: len(those()) >= len(self.blocked) - counts[server])
            answered.append(those())
        if answered[0] != answered[1]:
            pair.note('(whose replies have come)', str(answered[0]), str(answered[1]))
        for name in answered[0]:
            if name in answered[1]:
                pair.name = name
                pair.more()
        self.blocked = [n for n in self.blocked if n not in answered[0] + answered[1]]

    def step(self):
        r = self.random
        idle = [n for n in NAMES if n not in self.blocked]
        if self.blocked and (not idle or r.random() < 0.06):
            name = r.choice(self.blocked)
            if r.random() < 0.4:
                self.pair.name = name
                self.pair.hang_up()
                self.blocked.remove(name)
            else:
                self.command('main', ['CLIENT', 'UNBLOCK', '{id:%s}' % name, r.choice(['ERROR', 'TIMEOUT'])])
        elif r.random() < 0.45:
            self.command(r.choice(idle), self.waits(), True)
        else:
            self.command(r.choice(idle), self.goes_on())
        self.settle()


def run(pair, proto, seed, steps, arrived):
    """Yields (title, differences), as other random families; `arrived` says whether a connection has a reply to read."""
    made, chunk = Waiting(pair, f'{seed}:{proto}', arrived), 100
    for at in range(0, steps, chunk):
        if at == 0 or pair.differences:
            pair.fresh(proto)
            made.begin()
        pair.differences = []
        left = min(chunk, steps - at)
        for n in range(left):
            made.step()
            if pair.differences:
                break  # what follows would only say it again
        pair.state()
        yield f'random waiting, RESP{proto}, seed {seed}, steps {at + 1}-{at + left}', pair.differences
