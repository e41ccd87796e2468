"""redis-py listening: messages, keyspace events and CLIENT TRACKING, at larderd and at redis-server (their ports: argv[1], argv[2]).

Each story notes what it hears; both servers must say the same, in the same order. Debian's redis-py knows RESP2 only, so invalidations are
redirected to a connection that has subscribed to them. TAP.
"""
import time

import redis

import stories


def connect(port):
    return redis.Redis(port=port, decode_responses=True)


def hear(pubsub, n, seconds=60):
    """The next n messages, as (type, pattern, channel, data)."""
    end, heard = time.monotonic() + seconds, []
    while len(heard) < n:
        m = pubsub.get_message(timeout=0.05)
        if m:
            heard.append((m['type'], m['pattern'], m['channel'], m['data']))
        assert time.monotonic() < end, f'{len(heard)} of {n} messages: {heard}'
    return heard


def quiet(pubsub):
    return pubsub.get_message(timeout=0.1) is None


def play_messages(r, note):
    p = r.pubsub()
    p.subscribe('news', 'weather')
    p.psubscribe('n*', '?ews')
    note(hear(p, 4))
    note(r.publish('news', 'one'), r.publish('weather', 'sun'), r.publish('nothing', 'x'), r.publish('else', 'y'))
    note(sorted(hear(p, 3), key=str), hear(p, 2), quiet(p))  # which pattern comes first is nobody's promise
    note(sorted(r.pubsub_channels()), r.pubsub_numsub('news', 'else'), r.pubsub_numpat())
    large = 'large' * 100000
    r.publish('weather', large)
    note(hear(p, 1) == [('message', None, 'weather', large)])
    p.unsubscribe('news')
    p.punsubscribe()
    note(sorted(hear(p, 3)))
    r.publish('weather', 'rain')
    note(hear(p, 1), quiet(p))
    p.close()


def play_events(r, note):
    r.config_set('notify-keyspace-events', 'AKE')
    note(r.config_get('notify-keyspace-events'))
    p = r.pubsub()
    p.psubscribe('__key*@0__:*')
    hear(p, 1)
    r.set('session', 'x', px=20)
    time.sleep(0.05)
    note(r.get('session'))
    r.rpush('queue', 'a', 'b')
    note(r.lpop('queue', 2))
    r.hset('user', mapping={'name': 'x', 'age': 3})
    r.hincrby('user', 'age', 1)
    r.rename('user', 'person')
    r.zadd('board', {'x': 1})
    r.zincrby('board', 2, 'x')
    with r.pipeline(transaction=False) as pipe:
        pipe.sadd('tags', 'a').expire('tags', 100).persist('tags').delete('tags', 'person', 'missing')
        note(pipe.execute())
    note(hear(p, 30), quiet(p))
    r.config_set('notify-keyspace-events', '')
    r.set('quiet', 1)
    note(quiet(p))
    p.close()


class Cached:
    """Reads of a Redis, kept until they are said to be invalid."""

    def __init__(self, r, *how):
        self.port = r.connection_pool.connection_kwargs['port']
        self.ears = r.pubsub()
        self.ears.subscribe('__redis__:invalidate')
        hear(self.ears, 1)
        target = max(int(c['id']) for c in r.client_list(_type='pubsub'))
        self.r = redis.Redis(port=self.port, decode_responses=True, single_connection_client=True)
        assert self.r.execute_command('CLIENT', 'TRACKING', 'ON', 'REDIRECT', target, *how) == 'OK'
        assert self.r.execute_command('CLIENT', 'GETREDIR') == target
        self.kept, self.asked = {}, 0

    def get(self, key):
        if key not in self.kept:
            self.kept[key], self.asked = self.r.get(key), self.asked + 1
        return self.kept[key]

    def invalid(self, n):
        """Hears of n invalidations: what they say."""
        heard = [data for _, _, _, data in hear(self.ears, n)]
        for keys in heard:
            for key in self.kept.copy() if keys is None else keys:
                self.kept.pop(key, None)
        return heard

    def close(self):
        self.ears.close()
        self.r.close()


def play_tracking(r, note):
    for i in range(10):
        r.set(f'k{i}', i)
    c = Cached(r)
    note([c.get(f'k{i % 10}') for i in range(100)], c.asked)
    r.set('k3', 'new')
    r.delete('k4')
    r.expire('k5', 0)
    note(sorted(c.invalid(3)), [c.get(f'k{i}') for i in range(10)], c.asked)
    r.flushall()
    note(c.invalid(1), c.get('k0'), c.asked)
    c.close()
    prefixed = Cached(r, 'BCAST', 'PREFIX', 'user:', 'NOLOOP')
    r.mset({'user:2': 1, 'user:1': 2, 'other': 3})
    note(prefixed.invalid(1))
    prefixed.r.set('user:3', 1)
    r.set('user:4', 1)
    note(prefixed.invalid(1), quiet(prefixed.ears))
    prefixed.close()
    chosen = Cached(r, 'OPTIN')
    chosen.r.get('a')
    chosen.r.execute_command('CLIENT', 'CACHING', 'YES')
    chosen.r.get('b')
    r.mset({'a': 1, 'b': 2})
    note(chosen.invalid(1), quiet(chosen.ears))
    chosen.close()


def play(story, port):
    r, seen = connect(port), []
    r.flushall()
    story(r, lambda *what: seen.append(what))
    r.close()
    return seen


stories.tell('listening (redis-py)', play, [play_messages, play_events, play_tracking])
