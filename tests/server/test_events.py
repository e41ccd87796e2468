"""Keyspace events of a daemon with several threads: none is missed, none comes twice, and those of a key come in their order."""
from larder import Client, Server, equal, in_threads, until


class Ears:
    """A subscriber to all events; `take` is what has come since the last time."""
    END = b'__key-end__:'

    def __init__(self, server, control):
        self.c, self.control = server.client(), control
        self.c.call('PSUBSCRIBE', '__key*__:*')

    def take(self):
        self.control.call('PUBLISH', self.END, '')
        events = []
        while (message := self.c.reply())[2] != self.END:
            events.append((message[2].split(b':', 1)[1], message[3]))
        return events


def at_once(s, jobs):
    """Runs each job with a client of its own, all at once; raises what one of them has raised."""
    def with_client(job):
        with s.client() as c:
            job(c)
    in_threads([lambda job=job: with_client(job) for job in jobs])


def test_events_of_a_key_come_in_order():
    with Server('--notify-keyspace-events', 'Eg$n', threads=3) as s, s.client() as control:
        ears = [Ears(s, control) for _ in range(3)]
        deleted = []

        def change(c):
            for _ in range(60):
                c.send((Client.encode('SET', 'k', 1) + Client.encode('DEL', 'k')) * 10)
                deleted.append(sum(c.reply() == 1 for _ in range(20)))
        at_once(s, [change] * 4)
        for e in ears:
            turns = [event for event, key in e.take() if event in (b'new', b'del')]
            equal(turns, [b'new', b'del'] * sum(deleted), 'a key is made and deleted in turns')


def test_events_of_expiry_and_eviction():
    with Server('--notify-keyspace-events', 'Exeg', '--maxmemory-policy', 'allkeys-lru', threads=2) as s, s.client() as c:
        ears = Ears(s, c)
        want = {b'k%d' % i for i in range(3000)}
        c.send(b''.join(Client.encode('SET', k, 1, 'PX', 30) for k in sorted(want)))
        for _ in want:
            equal(c.reply(), 'OK')
        until(lambda: c.call('DBSIZE') == 0, 'all keys are gone')
        heard = [key for event, key in ears.take() if event == b'expired']
        equal(len(heard), len(want))
        equal(set(heard), want)
        c.send(b''.join(Client.encode('SET', k, 'x' * 100) for k in sorted(want)))
        for _ in want:
            equal(c.reply(), 'OK')
        c.call('CONFIG', 'SET', 'maxmemory', '1')
        until(lambda: c.call('DBSIZE') == 0, 'all keys are gone')
        heard = [key for event, key in ears.take() if event == b'evicted']
        equal((len(heard), set(heard)), (len(want), want))


def test_events_are_published_before_the_reply():
    """What a client was replied to is before what it publishes itself, and before what another one then publishes."""
    with Server('--notify-keyspace-events', 'E$', threads=3) as s:
        clients = [s.client() for _ in range(6)]
        ears = [Ears(s, clients[0]) for _ in range(3)]
        for i in range(120):
            clients[i % 6].call('SET', 'k%d' % i, 1)
            clients[(i + 1) % 6].call('PUBLISH', '__key-own__:now', i)
        for e in ears:
            equal(e.take(), [x for i in range(120) for x in ((b'set', b'k%d' % i), (b'now', b'%d' % i))])
