"""Applications written against redis-py, run unchanged against larderd and against redis-server (their ports: argv[1], argv[2]).

Each plays a story and notes what it sees; both servers must show it the same. Nothing that is noted depends on the time of day:
the applications are handed the time that their story has. TAP.
"""
import itertools
import random
import threading
import time

import redis

import stories


class SessionStore:
    """Sessions of a web application: a hash each, that goes by itself when nobody comes for a while; a set of them by user."""

    def __init__(self, r, idle_ms=1800_000):
        self.r, self.idle_ms = r, idle_ms

    @staticmethod
    def key(sid):
        return f'session:{sid}'

    def create(self, sid, user, **fields):
        with self.r.pipeline(transaction=False) as p:
            p.hset(self.key(sid), mapping={'user': user, 'hits': 0, **fields})
            p.pexpire(self.key(sid), self.idle_ms)
            p.sadd(f'user:{user}:sessions', sid)
            return p.execute()

    def load(self, sid):
        """The session, as fresh as if it had just begun; None if it is over."""
        with self.r.pipeline(transaction=False) as p:
            p.hincrby(self.key(sid), 'hits', 1) if self.r.exists(self.key(sid)) else p.echo('gone')
            p.hgetall(self.key(sid))
            p.pexpire(self.key(sid), self.idle_ms)
            _, fields, there = p.execute()
        return fields if there else None

    def update(self, sid, put=None, drop=()):
        with self.r.pipeline(transaction=False) as p:
            if put:
                p.hset(self.key(sid), mapping=put)
            if drop:
                p.hdel(self.key(sid), *drop)
            p.hlen(self.key(sid))
            return p.execute()

    def fields(self, sid, *names):
        return self.r.hmget(self.key(sid), *names)

    def of_user(self, user):
        return sorted(sid for sid in self.r.smembers(f'user:{user}:sessions') if self.r.exists(self.key(sid)))

    def end(self, sid):
        user = self.r.hget(self.key(sid), 'user')
        with self.r.pipeline(transaction=False) as p:
            p.delete(self.key(sid))
            if user is not None:
                p.srem(f'user:{user}:sessions', sid)
            return p.execute()

    def end_all(self, user):
        return [self.end(sid) for sid in self.of_user(user)]


class Leaderboard:
    def __init__(self, r, name):
        self.r, self.name = r, name

    def key(self, week):
        return f'board:{self.name}:{week}'

    def won(self, week, player, points):
        return self.r.zincrby(self.key(week), points, player)

    def top(self, week, n):
        return self.r.zrevrange(self.key(week), 0, n - 1, withscores=True)

    def place(self, week, player):
        rank, score = self.r.zrevrank(self.key(week), player), self.r.zscore(self.key(week), player)
        return None if rank is None else (rank + 1, score)

    def around(self, week, player, n):
        """The player and the n above and below."""
        rank = self.r.zrevrank(self.key(week), player)
        if rank is None:
            return []
        first = max(0, rank - n)
        return [(first + i + 1, *line)
                for i, line in enumerate(self.r.zrevrange(self.key(week), first, rank + n, withscores=True))]

    def between(self, week, low, high, start=0, n=10):
        return self.r.zrangebyscore(self.key(week), low, high, start=start, num=n, withscores=True)

    def season(self, weeks, weights=None):
        """All weeks together; later ones may count for more."""
        keys = {self.key(w): 1 if not weights else weights[i] for i, w in enumerate(weeks)}
        return self.r.zunionstore(self.key('season'), keys)

    def best_week(self, weeks):
        return self.r.zunionstore(self.key('best'), [self.key(w) for w in weeks], aggregate='MAX')

    def always_there(self, weeks):
        return self.r.zinter([self.key(w) for w in weeks], withscores=True)

    def newcomers(self, week, before):
        return self.r.zdiff([self.key(week), *(self.key(w) for w in before)])

    def cut(self, week, keep):
        return self.r.zremrangebyrank(self.key(week), 0, -keep - 1)


class RateLimiter:
    """A window that slides: at most `most` in any `window` seconds."""

    def __init__(self, r, most, window):
        self.r, self.most, self.window, self.numbers = r, most, window, itertools.count()

    def allow(self, who, now):
        key, member = f'rate:{who}', f'{now:.6f}:{next(self.numbers)}'
        with self.r.pipeline(transaction=False) as p:
            p.zremrangebyscore(key, '-inf', now - self.window)
            p.zcard(key)
            p.zadd(key, {member: now})
            p.expire(key, int(self.window) + 1)
            gone, count, _, _ = p.execute()
        if count < self.most:
            return True, gone, count
        self.r.zrem(key, member)
        oldest = self.r.zrange(key, 0, 0, withscores=True)[0][1]
        return False, gone, round(oldest + self.window - now, 6)


class JobQueue:
    """A list of what is to be done, one of what is being done, so that nothing is lost with a worker, and a zset of what is for
    later."""

    def __init__(self, r, name):
        self.r = r
        self.todo, self.doing, self.later, self.dead = (f'jobs:{name}:{x}' for x in ('todo', 'doing', 'later', 'dead'))

    def push(self, *jobs):
        return self.r.lpush(self.todo, *jobs)

    def push_later(self, job, when):
        return self.r.zadd(self.later, {job: when}, nx=True)

    def due(self, now):
        moved = []
        for job in self.r.zrangebyscore(self.later, '-inf', now):
            if self.r.zrem(self.later, job):  # whoever takes it away owns it
                self.r.lpush(self.todo, job)
                moved.append(job)
        return moved

    def take(self):
        return self.r.lmove(self.todo, self.doing, 'RIGHT', 'LEFT')

    def take_waiting(self, seconds):
        return self.r.blmove(self.todo, self.doing, seconds, 'RIGHT', 'LEFT')

    def done(self, job):
        return self.r.lrem(self.doing, 1, job)

    def failed(self, job, most):
        tries = self.r.hincrby(f'{self.todo}:tries', job, 1)
        with self.r.pipeline(transaction=False) as p:
            p.lrem(self.doing, 1, job)
            p.lpush(self.dead if tries >= most else self.todo, job)
            return p.execute()

    def recover(self):
        """What a worker left undone goes first again."""
        n = 0
        while self.r.lmove(self.doing, self.todo, 'LEFT', 'RIGHT'):
            n += 1
        return n

    def state(self):
        return [self.r.lrange(key, 0, -1) for key in (self.todo, self.doing, self.dead)]


# -- stories: what each notes must be the same on both servers ------------------------------------------------------------------


def play_sessions(r, note):
    store = SessionStore(r)
    for i in range(40):
        note(store.create(f's{i}', f'user{i % 7}', agent=f'browser {i % 3}', lang='de' if i % 2 else 'en'))
    note(store.load('s1'))
    assert store.load('s1')['hits'] == '2'
    assert 1790 <= r.ttl('session:s1') <= 1800
    note(store.load('nobody'))
    note(store.update('s1', put={'cart': '{"items": [1, 2]}', 'lang': 'fr', 'note': 'ünï ☃'}, drop=('agent', 'missing')))
    note(store.fields('s1', 'lang', 'agent', 'cart', 'note'))
    note(sorted(store.load('s1').items()))
    note(store.update('s2', drop=('user', 'hits', 'agent', 'lang')))  # the last field takes the session with it
    note(r.exists('session:s2'), store.load('s2'))
    note(store.of_user('user1'), store.of_user('user2'))
    note(store.end('s8'), store.end('s8'), store.of_user('user1'))
    note(store.end_all('user3'), r.exists('user:user3:sessions'))
    large = {f'field {i}': 'x' * i for i in range(300)}  # beyond what is kept compact
    note(store.create('large', 'user9', **large), r.hlen('session:large'), r.object('encoding', 'session:large'))
    note(sorted(store.load('large').items()))
    note(store.update('large', drop=tuple(large)), r.hlen('session:large'))
    brief = SessionStore(r, idle_ms=40)
    brief.create('brief', 'user5', x='1')
    end = time.monotonic() + 60
    while r.exists('session:brief'):
        assert time.monotonic() < end, 'it does not expire'
    note(brief.load('brief'), 'brief' in r.smembers('user:user5:sessions'), brief.of_user('user5'))
    note(sorted(r.scan_iter(match='session:*', count=7)))


def play_leaderboard(r, note):
    board, dice = Leaderboard(r, 'chess'), random.Random(5)
    players = [f'player{i:03}' for i in range(300)]
    for week in (1, 2, 3):
        for _ in range(900):
            note(board.won(week, dice.choice(players[:100 * week]), dice.choice((1, 2, 3, 0.5, 0.1, -1))))
        note(r.object('encoding', board.key(week)))
    for week in (1, 2, 3):
        note(board.top(week, 10), board.top(week, 1000))
        note([board.place(week, p) for p in players[::9]], board.place(week, 'nobody'))
        note([board.around(week, p, 3) for p in players[::13]], board.around(week, 'nobody', 3))
        note(board.between(week, 5, '+inf'), board.between(week, '(2', '(7.5', 3, 20), board.between(week, 9, 2))
        note(r.zcount(board.key(week), 0, 10), r.zcard(board.key(week)))
    top = board.top(3, 1000)
    assert [score for _, score in top] == sorted((score for _, score in top), reverse=True)
    note(board.season([1, 2, 3]), board.top('season', 20))
    note(board.season([1, 2, 3], [1, 1.5, 2.25]), board.top('season', 500), r.object('encoding', board.key('season')))
    note(board.best_week([1, 2, 3, 4]), board.top('best', 500))
    note(board.always_there([1, 2, 3]), sorted(board.newcomers(3, [1, 2])))
    note(board.cut(1, 10), board.top(1, 100), board.cut(1, 10))
    note(r.zpopmax(board.key(1), 3), r.zpopmin(board.key(1)), r.zrandmember('nothing'))
    note(r.zadd(board.key(9), {p: 7 for p in players[:20]}), board.top(9, 30))  # equal scores: by name
    note(r.zadd(board.key(9), {'player003': 8, 'player004': 6, 'new': 5}, gt=True, ch=True), board.top(9, 5))


def play_limiter(r, note):
    limiter, dice, now, allowed = RateLimiter(r, 10, 60), random.Random(6), 1_700_000_000.0, {}
    for _ in range(600):
        now += dice.choice((0, 0.25, 1, 2.5, 9, 0.000001))
        who = f'client{dice.randrange(3)}'
        ok = limiter.allow(who, now)
        note(who, ok)
        if ok[0]:
            times = allowed.setdefault(who, [])
            times.append(now)
            assert sum(t > now - 60 for t in times) <= 10, 'too many were let through'
    note(sorted((k, r.zrange(k, 0, -1, withscores=True)) for k in r.keys('rate:*')))
    assert all(50 <= r.ttl(k) <= 61 for k in r.keys('rate:*'))
    wide = RateLimiter(r, 500, 3600)
    note([wide.allow('busy', now + i) for i in range(520)], r.object('encoding', 'rate:busy'))
    note(wide.allow('busy', now + 3605.5), r.zcard('rate:busy'))


def play_queue(r, note):
    q = JobQueue(r, 'mail')
    note([q.push(f'job{i}') for i in range(5)], q.push('a', 'b', 'c'), q.state())
    note(q.take(), q.take(), q.state())
    note(q.done('job0'), q.done('job0'), q.state())
    note(q.failed('job1', 2), q.state())
    while (job := q.take()) is not None:
        note(job, q.failed(job, 2) if job == 'job1' else q.done(job))
    note(q.state(), q.take(), q.take_waiting(0.01))
    note(q.push(*(f'lost{i}' for i in range(4))), q.take(), q.take(), q.recover(), q.state())
    note([q.push_later(f'at{t}', t) for t in (30, 10, 20, 10)], q.due(5), q.due(20), q.due(20), q.state())
    note(r.llen(q.todo), r.lpos(q.todo, 'at10'), r.delete(q.todo, q.doing, q.later, q.dead))
    many = [f'{i}:' + 'x' * (i % 200) for i in range(3000)]  # beyond what is kept compact
    note(q.push(*many), r.object('encoding', q.todo), r.lrange(q.todo, 1000, 1010), [q.take() for _ in range(50)], q.recover())
    note(r.ltrim(q.todo, 0, 99), q.state())


def play_workers(r, note):
    """Several workers wait for jobs; each job is done once, also the one that a worker took and left."""
    q, finished, wrong, lock = JobQueue(r, 'work'), [], [], threading.Lock()

    def work():
        mine = JobQueue(connect(r.connection_pool.connection_kwargs['port']), 'work')
        try:
            while (job := mine.take_waiting(20)) != 'stop':
                assert job is not None, 'nothing came for 20 s'
                with lock:
                    finished.append(job)
                assert mine.done(job) == 1
            assert mine.done('stop') == 1
        except Exception as e:
            wrong.append(e)

    q.push('first')
    assert q.take() == 'first'  # and here its worker dies
    assert q.recover() == 1
    workers = [threading.Thread(target=work) for _ in range(4)]
    for w in workers:
        w.start()
    for i in range(200):
        q.push(f'job{i}')
    q.push(*['stop'] * len(workers))
    for w in workers:
        w.join(30)
    assert not wrong and not any(w.is_alive() for w in workers), wrong
    note(sorted(finished), r.exists(q.todo), r.exists(q.doing))
    done = r.brpop(['nothing', q.dead], timeout=0.01)
    note(done, r.rpush('other', 'x', 'y'), r.brpop(['nothing', 'other'], timeout=1), r.blpop('other', timeout=1))


def connect(port):
    return redis.Redis(port=port, decode_responses=True)


def play(story, port):
    r, seen = connect(port), []
    r.flushall()
    story(r, lambda *what: seen.append(what))
    return seen


stories.tell('applications (redis-py)', play, [play_sessions, play_leaderboard, play_limiter, play_queue, play_workers])
