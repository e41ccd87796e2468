"""What the library does while the server is killed, stopped, restarted, slow, or writes more than the feed holds."""
import os
import tempfile
import time

from agent import Agent, Daemon, near_until
from fake import Fake
from resp import Connection

READERS = 8
KEYS = 200


def only(*kinds):
    def mark(case):
        case.kinds = kinds
        return case
    return mark


def fill(d, word='v', heard_by=None):
    """heard_by: until that agent has heard of it all, so that no late word of it takes out what is near then."""
    before = heard_by.stats()['invalidations'] if heard_by else 0
    c = Connection(d.path, 60)
    for i in range(KEYS):
        c.call('SET', f'key:{i}', f'{i}={word}')
    c.close()
    if heard_by:
        heard_by.wait('invalidations', '>', before + KEYS - 1)


def feed_connection(d):
    """The id of the agent's connection that listens."""
    for line in d.call('CLIENT', 'LIST').decode().splitlines():
        fields = dict(f.split('=', 1) for f in line.split() if '=' in f)
        if fields['name'] == 'liblarder' and ('t' in fields.get('flags', '') or fields['cmd'] in ('cache|feed', 'ping', 'client|tracking')):
            return fields['id']
    raise AssertionError('nobody listens')


def test_killed_and_restarted_empty(kind):
    """Eight threads read; nobody sees a wrong value, reads fail while it is gone, and go on when it is back, empty."""
    with Daemon(kind) as d, Agent(d.url, timeout_ms=300, feed_check_ms=100, backoff_ms=20, backoff_max_ms=200) as a:
        for _ in range(3):
            fill(d)
            assert a(f'hammer {READERS} {KEYS}') == 'OK'
            a.wait('l1_hits', '>', a.stats()['l1_hits'] + 1000)
            opened = a.stats()['circuit_opened']
            d.kill()
            a.wait('trusted', '=', 0)
            a.wait('circuit_opened', '>', opened)  # by reads that failed
            d.start()
            a.wait('trusted', '=', 1)
            a.wait('circuit', '=', 0)
            a.until('get key:1', 'NOT_FOUND')
            got = a.rests()
            assert got['wrong'] == 0 and got['stale'] == 0 and got['OK'] > 0 and got.get('DOWN', 0) > 0, got
            assert a('get key:2') == 'NOT_FOUND', 'what was near is not given out: the server came back empty'
        assert a.stats()['feed_losses'] >= 3


def test_restarted_with_its_data(kind):
    """It comes back with what it had saved, which is older than what is near: that is what is true then."""
    with Daemon(kind) as d, Agent(d.url, timeout_ms=300, feed_check_ms=100, backoff_ms=20, backoff_max_ms=200) as a:
        fill(d)
        assert d.call('SAVE') == b'OK'
        fill(d, 'w')
        a(f'hammer {READERS} {KEYS}')
        near_until(a, 'key:1', '1=w')
        a.wait('l1_hits', '>', 1000)
        d.kill()
        a.wait('trusted', '=', 0)
        d.start()
        a.wait('trusted', '=', 1)
        for i in range(0, KEYS, 20):
            a.until(f'get key:{i}', {f'OK {i}=v', f'OK l1 {i}=v'})
        got = a.rests()
        assert got['wrong'] == 0 and got['stale'] == 0 and got['OK'] > 1000, got


def test_stopped_and_continued(kind):
    """SIGSTOP: no answers. The near store is not trusted longer than twice the check; the circuit opens; all is well afterwards."""
    with Daemon(kind) as d, Agent(d.url, timeout_ms=200, feed_check_ms=150, backoff_ms=20, backoff_max_ms=100, failures=3) as a:
        fill(d)
        a(f'hammer {READERS} {KEYS}')
        a.wait('l1_hits', '>', 1000)
        d.pause()
        a.wait('trusted', '=', 0)
        a.wait('circuit', '>', 0)
        assert a('get key:1').split()[0] in ('DOWN', 'TIMEOUT')
        d.resume()
        a.wait('trusted', '=', 1)
        a.until('get key:1', {'OK l1 1=v', 'OK 1=v'})
        a.wait('circuit', '=', 0)
        got = a.rests()
        assert got['wrong'] == 0 and got['stale'] == 0, got
        near_until(a, 'key:1', '1=v')


def test_near_values_while_it_is_gone(kind):
    with Daemon(kind) as d, Agent(d.url, stale_if_down_ms=60000, feed_check_ms=100, timeout_ms=200) as a:
        fill(d, heard_by=a)
        near_until(a, 'key:1', '1=v')
        d.kill()
        a.wait('trusted', '=', 0)
        assert a('get key:1') == 'OK l1 stale 1=v'
        assert a('get key:99') == 'DOWN' and a('mget key:1 key:1') == 'OK 1=v 1=v'
        a(f'hammer {READERS} 2')
        a.wait('l1_stale', '>', 500)
        d.start()
        a.until('get key:1', 'NOT_FOUND')
        got = a.rests()
        assert got['wrong'] == 0 and got['stale'] > 0, got
    with Daemon(kind) as d, Agent(d.url, stale_if_down_ms=300, feed_check_ms=100, timeout_ms=200) as a:
        fill(d, heard_by=a)
        near_until(a, 'key:1', '1=v')
        d.kill()
        a.until('get key:1', {'OK l1 stale 1=v', 'DOWN'})
        a.until('get key:1', 'DOWN')  # not for ever


def test_all_who_wait_get_the_near_value(kind):
    """One asks the stopped server, seven wait for him: what he is given out stale they get too."""
    with Daemon(kind) as d, Agent(d.url, stale_if_down_ms=60000, feed_check_ms=100, timeout_ms=300, failures=1000) as a:
        d.call('SET', 'k', 'loaded-before')
        a.wait('invalidations', '>', 0)
        near_until(a, 'k', 'loaded-before')
        d.pause()
        a.wait('trusted', '=', 0)
        assert a('loads 8 k 60000 1') == '0 8'
        d.resume()


def test_a_server_that_is_loading():
    """It is as if it were gone: loaders run, writes wait, and nothing is lost or refused."""
    with Fake('loading') as f, Agent(f.url, writes_when_down=2, feed_check_ms=100, backoff_ms=20, backoff_max_ms=100, down_ttl_ms=60000) as a:
        assert a.opened == 'OPEN' and a('get k') == 'DOWN'
        assert a('load k 60000 1 v') == 'OK v#1' and a('command GET k') == 'DOWN'
        assert a('set w 1') == 'QUEUED' and a.stats()['trusted'] == 0
        a.wait('circuit_opened', '>', 0)
        f.state = 'well'
        a.wait('trusted', '=', 1)
        a.wait('circuit', '=', 0)
        a.until('get w', {'OK 1', 'OK l1 1'})
        assert f.data == {b'w': b'1'} and a('set x 2') == 'OK'


def test_a_server_with_too_many_clients():
    with Fake('full') as f, Agent(f.url, feed_check_ms=100, backoff_ms=20, backoff_max_ms=100) as a:
        assert a.opened == 'OPEN' and a('get k') == 'DOWN'
        f.state = 'well'
        a.wait('trusted', '=', 1)
        a.until('set k v', 'OK')
        a.until('get k', {'OK v', 'OK l1 v'})


def test_loads_while_it_is_gone(kind):
    """The loaders run, few at a time, and what they bring is kept for a short time: no stampede on what is behind them."""
    with Daemon(kind) as d, Agent(d.url, down_ttl_ms=60000, loaders=4, feed_check_ms=100, timeout_ms=200, failures=2, backoff_ms=50) as a:
        a.wait('trusted', '=', 1)
        d.kill()
        a.wait('trusted', '=', 0)
        loads, good = a('loads 32 k 60000 100').split()
        assert (loads, good) == ('1', '32'), (loads, good)
        assert a('load k 60000 1 v').startswith('OK l1 loaded#1')
        assert a('get k') == 'OK l1 loaded#1'
        d.start()
        a.wait('trusted', '=', 1)
        assert a.until('get k', {'NOT_FOUND'}), 'what was loaded while nobody told of changes is gone'


def test_writes_while_it_is_gone(kind):
    for how, answer in ((0, 'DOWN'), (1, 'DROPPED'), (2, 'QUEUED')):
        with Daemon(kind) as d, Agent(d.url, writes_when_down=how, feed_check_ms=100, timeout_ms=200, queue_bytes=3000, backoff_ms=20,
                                      backoff_max_ms=100) as a:
            a.wait('trusted', '=', 1)
            d.kill()
            assert a('set k v') == answer and a('set ttl v 60000') == answer and a('set gone v 1') == answer, how
            assert a('set old:1 v') == answer and a('invalidate old:*').split()[0] == answer and a('del k2') == ('NOT_FOUND' if not how else answer) \
                or how == 0
            if how == 2:
                while (got := a('set more x')) == 'QUEUED':
                    pass
                assert got == 'DROPPED', 'the queue is bounded'
            d.start()
            a.wait('trusted', '=', 1)
            a.until('set last v', 'OK')
            if how == 2:
                a.until('get k', {'OK v', 'OK l1 v'})
                a.until('get more', {'OK x', 'OK l1 x'})
                assert 0 < d.call('PTTL', 'ttl') <= 60000 and d.call('GET', 'gone') is None and d.call('GET', 'old:1') is None
            else:
                assert a('get k') == 'NOT_FOUND'


def test_slow(kind):
    """Answers later than the timeout: reads fail after it, not after what the server takes; near reads go on while the feed does."""
    with Daemon(kind) as d, Agent(d.url, timeout_ms=150, feed_check_ms=20000, failures=1000) as a:
        fill(d, heard_by=a)
        near_until(a, 'key:1', '1=v')
        a(f'hammer {READERS} {KEYS}')
        a.wait('l1_hits', '>', 1000)
        for ms in (1200, 5000, 20000):  # longer where the pause was over before anybody could ask
            assert d.call('CLIENT', 'PAUSE', ms, 'ALL') == b'OK'
            if (got := a(f'get absent{ms}')) != 'NOT_FOUND':
                break
        # DOWN: all connections were lent, and a new one got no answer to its greeting.
        assert got in ('TIMEOUT', 'DOWN') and a('get key:1') == 'OK l1 1=v', got
        a.until('get nothing', 'NOT_FOUND')
        got = a.rests()
        assert got['wrong'] == 0 and got['OK'] > 1000, got


@only('larder')
def test_the_feed_resumes(kind):
    """A connection that is cut costs nothing that is near but what changed meanwhile."""
    with Daemon(kind) as d, Agent(d.url, feed_check_ms=200, backoff_ms=20) as a:
        fill(d, heard_by=a)
        for i in range(KEYS):
            a(f'get key:{i}')
        for i in range(KEYS):
            near_until(a, f'key:{i}', f'{i}=v')
        for n in range(1, 6):
            flushes = a.stats()['flushes']
            d.call('CLIENT', 'KILL', 'ID', feed_connection(d))
            d.call('SET', 'key:7', f'7={n}')
            a.wait('resumes', '=', n)
            a.wait('trusted', '=', 1)
            assert a('get key:8') == 'OK l1 8=v' and a('get key:7') in (f'OK 7={n}', f'OK l1 7={n}')
            assert a.stats()['flushes'] == flushes
            near_until(a, 'key:7', f'7={n}')


@only('redis')
def test_the_near_store_is_emptied_where_nothing_can_resume(kind):
    with Daemon(kind) as d, Agent(d.url, feed_check_ms=200, backoff_ms=20) as a:
        fill(d)
        near_until(a, 'key:7', '7=v')
        flushes = a.stats()['flushes']
        d.call('CLIENT', 'KILL', 'ID', feed_connection(d))
        d.call('SET', 'key:7', '7=w')
        a.wait('flushes', '>', flushes)
        a.wait('trusted', '=', 1)
        assert a('get key:7') in ('OK 7=w', 'OK l1 7=w')


def noise(c, n):
    """So many changes of keys that nobody reads."""
    for i in range(0, n, 1000):
        c.call('MSET', *(w for j in range(1000) for w in (f'noise:{i + j}', 'x')))


@only('larder')
def test_overrun(kind):
    """A listener that does not listen for longer than the ring is long is told so, and empties its store: no stale value after it."""
    with Daemon(kind, '--feed-size', '131072') as d, Agent(d.url, feed_check_ms=60000, backoff_ms=20) as a:
        fill(d, 'old')
        for i in range(KEYS):
            near_until(a, f'key:{i}', f'{i}=old')
        a(f'hammer {READERS} {KEYS}')
        flushes = a.stats()['flushes']
        a.process.send_signal(19)  # SIGSTOP
        os.waitid(os.P_PID, a.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        c = Connection(d.path, 60)
        noise(c, 300000)  # what is on its way to it, which it will still get, is full
        fill(d, 'new')
        noise(c, 120000)  # and the ring no longer has what was told of the keys
        c.close()
        a.process.send_signal(18)  # SIGCONT
        for i in range(0, KEYS, 10):
            near_until(a, f'key:{i}', f'{i}=new')
        assert a.rests()['wrong'] == 0 and a.stats()['flushes'] > flushes


def watched(d, a, b, fault, bound_ms):
    """b writes versions of a key, eight threads of a read them while `fault` happens: how old was the oldest that was read?"""
    with tempfile.NamedTemporaryFile() as f:
        assert a(f'watch {f.name} k {READERS} {bound_ms}') == 'OK'
        b.tell(f'write {f.name} k 1500 1000')
        fault(d, a)
        assert b.line() == 'OK 1500'
        got = a.rests()
    assert got['wrong'] == 0 and got['OK'] > 1000, got
    return got


def test_never_older_than_the_bound(kind):
    check = 250
    with Daemon(kind) as d, Agent(d.url, feed_check_ms=check, timeout_ms=1000, backoff_ms=20, backoff_max_ms=100) as a, \
            Agent(d.url, timeout_ms=5000, failures=1000000) as b:
        def nothing(d, a):
            pass

        def cut(d, a):
            for _ in range(5):
                a.wait('trusted', '=', 1)
                try:
                    d.call('CLIENT', 'KILL', 'ID', feed_connection(d))
                except AssertionError:
                    pass  # it is just connecting

        def stop_server(d, a):
            for _ in range(3):
                d.pause()
                time.sleep(0.4)
                d.resume()
                time.sleep(0.2)

        def stop_reader(d, a):
            for _ in range(3):
                a.process.send_signal(19)
                time.sleep(0.8)
                a.process.send_signal(18)
                time.sleep(0.1)

        for fault in (nothing, cut, stop_server, stop_reader):
            watched(d, a, b, fault, 2 * check)
    assert not os.path.exists(d.dir)
