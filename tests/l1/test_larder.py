"""What the library does while the server is well."""
import os
import time

from agent import DEADLINE, Agent, Daemon, near_until, until
from resp import Connection


def only(*kinds):
    def mark(case):
        case.kinds = kinds
        return case
    return mark


def test_reads_and_writes(kind):
    with Daemon(kind) as d, Agent(d.url) as a:
        assert a('get k') == 'NOT_FOUND'
        assert a('set k v') == 'OK' and a('get k') == 'OK v'
        near_until(a, 'k', 'v')
        assert a('set k w') == 'OK' and a('get k') == 'OK w', 'a thread sees its own writes'
        assert a('mset 0 a 1 b 2 c 3') == 'OK'
        assert a('mget a x b c k') == 'OK 1 - 2 3 w' and a('mget c b a') == 'OK 3 2 1'
        assert a('del k') == 'OK' and a('get k') == 'NOT_FOUND' and a('del k') == 'NOT_FOUND'
        assert a('expire k 1000') == 'NOT_FOUND' and a('expire a 100000') == 'OK'
        assert 0 < d.call('PTTL', 'a') <= 100000
        assert a('set t v 50000') == 'OK' and 0 < d.call('PTTL', 't') <= 50000
        assert a('command LPUSH l x') == 'OK :1' and a('get l').startswith('ERROR')
        assert a('command NOSUCH').startswith('ERROR -ERR unknown command')
        assert a('command CONFIG GET maxmemory') in ('OK % $maxmemory $0', 'OK * $maxmemory $0')
        assert a('batch 3000 n') == 'OK 3000' and a('get n') == 'OK 3000'
        assert a.stats()['feed'] == (kind == 'larder') and a.stats()['leases'] == (kind == 'larder')


def test_changes_of_others_are_heard(kind):
    with Daemon(kind) as d, Agent(d.url) as a:
        for i in range(50):
            d.call('SET', 'k', str(i))
            a.until('get k', {f'OK {i}', f'OK l1 {i}'})
            near_until(a, 'k', i)
        for change in (['DEL', 'k'], ['FLUSHALL'], ['FLUSHDB'], ['UNLINK', 'k'], ['RENAME', 'k', 'other'], ['PEXPIRE', 'k', '1']):
            d.call('SET', 'k', 'there')
            near_until(a, 'k', 'there')
            d.call(*change)
            a.until('get k', 'NOT_FOUND')
        d.call('SET', 'k', 'again')  # that there was none is known, and forgotten too
        a.until('get k', {'OK again', 'OK l1 again'})


def test_another_database_is_another(kind):
    with Daemon(kind) as d, Agent(d.url + '?db=3') as a:
        assert a('set k three') == 'OK'
        d.call('SET', 'k', 'zero')
        near_until(a, 'k', 'three')
        c = Connection(d.path)
        c.call('SELECT', '3')
        for i in range(50):
            c.call('SET', 'k', str(i))
            a.until('get k', {f'OK {i}', f'OK l1 {i}'})
            near_until(a, 'k', i)
        c.close()
        d.call('FLUSHALL')
        a.until('get k', 'NOT_FOUND')


def test_patterns(kind):
    with Daemon(kind) as d, Agent(d.url) as a, Agent(d.url) as b:
        assert a('mset 0 user:1 a user:2 b item:1 c') == 'OK'
        for k, v in (('user:1', 'a'), ('user:2', 'b'), ('item:1', 'c')):
            near_until(a, k, v)
            near_until(b, k, v)
        assert b('invalidate user:* count') == 'OK 2'
        assert b('get user:1') == 'NOT_FOUND' and b('get item:1') == 'OK l1 c'
        a.until('get user:1', 'NOT_FOUND')
        a.until('get user:2', 'NOT_FOUND')
        assert a('get item:1') in ('OK l1 c', 'OK c')
        for i in range(2500):
            a(f'set many:{i} x')
        assert a('invalidate many:*') == 'OK 0'
        assert a('get many:1') == 'NOT_FOUND' and a('invalidate none:* count') == 'OK 0'


def test_no_longer_than_the_servers_ttl(kind):
    with Daemon(kind) as d, Agent(d.url) as a:
        for ms in (300, 1000, 10000):  # longer where this process gets no processor before it is over
            began = time.monotonic()
            d.call('SET', 'k', 'v', 'PX', str(ms))
            if a.until('get k', {'OK l1 v', 'NOT_FOUND'}) == 'OK l1 v':
                break
        time.sleep(max(0, began + ms / 1000 + 0.01 - time.monotonic()))
        assert a('get k') == 'NOT_FOUND'


def test_absence_is_kept_near(kind):
    with Daemon(kind) as d, Agent(d.url, negative_ttl_ms=60000) as a:
        a.wait('trusted', '=', 1)
        for _ in range(100):
            assert a('get none') == 'NOT_FOUND'
        assert a.stats()['l1_hits'] >= 98
        with Agent(d.url, negative_ttl_ms=0) as b:
            for _ in range(10):
                assert b('get none') == 'NOT_FOUND'
            assert b.stats()['l1_hits'] == 0


def test_prefixes(kind):
    with Daemon(kind) as d, Agent(d.url, prefixes='user:,item:,user:x') as a:
        for k in ('user:1', 'item:1', 'other'):
            d.call('SET', k, 'v')
        near_until(a, 'user:1', 'v')
        near_until(a, 'item:1', 'v')
        assert [a('get other') for _ in range(5)] == ['OK v'] * 5
        d.call('SET', 'user:1', 'w')
        a.until('get user:1', {'OK w', 'OK l1 w'})


def test_without_a_near_store(kind):
    with Daemon(kind) as d, Agent(d.url, l1_bytes=0) as a:
        assert a('set k v') == 'OK' and [a('get k') for _ in range(3)] == ['OK v'] * 3
        assert a('load x 1000 0 v') == 'OK v#1' and a('load x 1000 0 v') == 'OK v#1'


def test_loads_once(kind):
    with Daemon(kind) as d, Agent(d.url) as a, Agent(d.url) as b:
        assert a('load k 60000 5 v') == 'OK v#1'
        assert b('load k 60000 5 v') == 'OK v#1', 'the other process takes what the first has loaded'
        a.until('load k 60000 5 v', 'OK l1 v#1')
        assert a.stats()['loads'] == 1 and b.stats()['loads'] == 0
        assert all('l1' in a('load k 60000 5 v') for _ in range(70)) and a.stats()['l1_mean_us'] > 0, 'one hit in 64 is timed'
        assert 0 < d.call('PTTL', 'k') <= 60000
        assert a('load z 0 0 v') == 'OK v#2' and d.call('PTTL', 'z') == -1
        d.call('SET', 'k', 'other')
        a.until('load k 60000 5 v', {'OK other', 'OK l1 other'})


def test_one_load_in_the_fleet(kind):
    """64 threads in 4 processes miss the same key, which takes 100 ms: exactly one loader runs, all get its value."""
    with Daemon(kind) as d, Agent(d.url) as a, Agent(d.url) as b, Agent(d.url) as c, Agent(d.url) as e:
        for n in range(5):
            for x in (a, b, c, e):
                x.tell(f'loads 16 hot:{n} 60000 100')
            answers = [x.line().split() for x in (a, b, c, e)]
            assert sum(int(loads) for loads, _ in answers) == 1, answers
            assert all(good == '16' for _, good in answers), answers


def test_what_is_not_there_is_remembered(kind):
    with Daemon(kind) as d, Agent(d.url, negative_ttl_ms=60000) as a, Agent(d.url) as b:
        for _ in range(5):
            assert a('load none 1000 1 x absent') == 'NOT_FOUND'
        assert b('load none 1000 1 x absent') == 'NOT_FOUND' and b('get none') == 'NOT_FOUND'
        assert a.stats()['loads'] == 1 and b.stats()['loads'] == 0
        d.call('SET', 'none', 'now')
        a.until('load none 1000 1 x', {'OK now', 'OK l1 now'})


def test_failed_loads(kind):
    with Daemon(kind) as d, Agent(d.url) as a, Agent(d.url) as b:
        assert a('load k 1000 1 v fail') == 'LOAD_FAILED'
        assert b('load k 60000 1 v') == 'OK v#1', 'the lease was given back'
        assert a.stats()['load_failures'] == 1
        assert a('loads 8 k2 1000 50').split()[1] == '8'


def test_a_load_is_void_once_the_key_changed(kind):
    with Daemon(kind) as d, Agent(d.url) as a:
        # Redis tells nobody that a key was deleted which was not there.
        for change in [['SET', 'k', 'newer'], ['FLUSHALL']] + ([['DEL', 'k']] if kind == 'larder' else []):
            d.call('DEL', 'k')
            a.until('get k', 'NOT_FOUND')
            heard = a.stats()['invalidations'] + a.stats()['flushes']
            loading = os.path.join(d.dir, 'loading')
            a.tell(f'load k 60000 0 old until={loading}')
            until(lambda: os.path.exists(loading), 'it loads')
            d.call(*change)
            os.unlink(loading)
            assert a.line().startswith('OK old'), 'who asked before gets what was loaded for him'
            left = d.call('GET', 'k')
            assert left == (b'newer' if change[0] == 'SET' else None), (change, left)
            a.until('get k', {'OK newer', 'OK l1 newer'} if change[0] == 'SET' else 'NOT_FOUND')
            until(lambda: a.stats()['invalidations'] + a.stats()['flushes'] > heard, 'it hears of the change')


def test_stale_while_one_loads_anew(kind):
    with Daemon(kind) as d, Agent(d.url, early=0) as a:
        assert a('load k 300 1 v stale=60000') == 'OK v#1'
        def stale():
            answer = a('load k 300 50 v stale=60000')
            assert answer.startswith('OK'), answer
            return 'stale' in answer
        until(stale, 'somebody gets it stale')
        until(lambda: not stale() and a.stats()['loads'] > 1, 'it is loaded anew behind his back')
        assert a.stats()['stale_refreshes'] > 0, a.stats()


def test_stale_without_a_near_store():
    """The server has it still: it is given out, and loaded anew behind the caller's back."""
    with Daemon('larder') as d, Agent(d.url, l1_bytes=0) as a:
        assert a('load k 50 1 v stale=60000') == 'OK v#1'
        a.until('load k 50 20 v stale=60000', 'OK stale v#1')
        until(lambda: a.stats()['loads'] > 1, 'it is loaded anew')
        assert a.stats()['stale_refreshes'] > 0 and a.stats()['l1_stale'] == 0, a.stats()


def test_more_stale_values_than_can_be_loaded_behind():
    """Nobody who can have a stale value waits for a load, however many there are to do."""
    with Daemon('larder') as d, Agent(d.url, early=0, refreshers=1) as a:
        keys = range(300)
        for i in keys:
            assert a(f'load k{i} 50 0 v stale=60000').startswith('OK v#')
        time.sleep(0.06)
        for i in keys:
            got = a(f'load k{i} 50 500 w stale=60000')
            assert got in (f'OK l1 stale v#{i + 1}', f'OK stale v#{i + 1}'), got


def test_what_expired_goes_while_patterns_keep_coming():
    with Daemon('larder') as d, Agent(d.url, l1_bytes=1 << 20, l1_ttl_ms=300) as a:
        for i in range(20):
            d.call('SET', f'k{i}', 'v')
            a(f'get k{i}')
        end = time.monotonic() + 60
        while not a.stats()['l1_expired']:
            assert a('invalidate none:*') == 'OK 0' and time.monotonic() < end
            time.sleep(0.05)


def test_loaded_before_its_ttl_is_over(kind):
    with Daemon(kind) as d, Agent(d.url, early=10) as a:
        def early():
            answer = a('load k 500 20 v')
            assert answer.startswith('OK') and 'stale' not in answer, answer
            return a.stats()['early_refreshes'] > 0
        until(early, 'it is loaded early')


def test_a_list_of_servers(kind):
    with Daemon(kind) as d, Daemon(kind) as e, Agent(f'unix:///nowhere {d.url},{e.url}', timeout_ms=300, feed_check_ms=100) as a:
        assert a('set k v') == 'OK' and d.call('GET', 'k') == b'v'
        d.kill()
        a.until('set k w', 'OK')
        assert e.call('GET', 'k') == b'w'
        near_until(a, 'k', 'w')


def test_a_server_that_stands_still_is_left(kind):
    with Daemon(kind) as d, Daemon(kind) as e, Agent(f'{d.url},{e.url}', timeout_ms=200, connect_timeout_ms=200, feed_check_ms=100) as a:
        a.until('set k v', 'OK')
        d.pause()
        a.until('set k w', 'OK')
        assert e.call('GET', 'k') == b'w'
        near_until(a, 'k', 'w')
        d.resume()


def test_passwords(kind):
    with Daemon(kind, '--requirepass', 'p ss') as d:
        with Agent(d.url) as a:
            assert a.opened.startswith('CLOSED HELLO: NOAUTH'), a.opened
        with Agent(d.url.replace('unix://', 'unix://:wrong@')) as a:
            assert a.opened.startswith('CLOSED HELLO: WRONGPASS'), a.opened
        with Agent(d.url.replace('unix://', 'unix://:p%20ss@')) as a:
            assert a.opened == 'OPEN' and a('set k v') == 'OK'
            near_until(a, 'k', 'v')


def trouble_until(a, part):
    end = time.monotonic() + DEADLINE
    while part not in a('trouble'):
        assert time.monotonic() < end, (part, a('trouble'))
        time.sleep(0.01)


def test_why_the_server_cannot_be_had_is_told(kind):
    """Also where that begins while the application runs: a password that changes, a server that goes."""
    with Daemon(kind) as d, Agent(d.url, feed_check_ms=60000, timeout_ms=60000, connect_timeout_ms=60000) as a:
        assert a('set k v') == 'OK' and a('trouble') == 'there is no such key', a('trouble')
    with Daemon(kind) as d, Agent(d.url, feed_check_ms=200, timeout_ms=300, failures=1000, backoff_ms=1, backoff_max_ms=20) as a:
        assert a('set k v') == 'OK'
        near_until(a, 'k', 'v')
        d.pause()
        trouble_until(a, 'no answer in time')
        d.resume()
        a.until('set k v', 'OK')
        d.kill()
        trouble_until(a, 'onnection refused')
        d.options = ('--requirepass', 'new')
        d.start()
        trouble_until(a, 'HELLO: NOAUTH')
        assert a('get x') == 'DOWN'
        ago, text = a('trouble').split(' ', 1)
        assert 0 <= int(ago) < DEADLINE * 1000 and 'NOAUTH' in text, a('trouble')


def test_what_cannot_be_opened():
    for url, options, why in (('', {}, 'no URL'), ('http://x', {}, 'none of redis://'), ('redis://', {'pool': 0}, 'pool not in'),
                              ('redis://', {'feed_check_ms': 0}, 'feed_check_ms'), ('redis://h/a', {}, 'no number')):
        with Agent(url, **options) as a:
            assert a.opened.startswith('CLOSED') and why in a.opened, a.opened


def test_bounded_and_evicting(kind):
    with Daemon(kind) as d, Agent(d.url, l1_bytes=1 << 20) as a:
        for i in range(3000):
            a(f'set k{i} {"x" * 1000}')
        for i in range(3000):
            assert a(f'get k{i}').endswith('x' * 1000)
        s = a.stats()
        assert 0 < s['l1_bytes'] <= s['l1_limit'] and s['l1_evictions'] > 1000, s
