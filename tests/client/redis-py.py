"""redis-py doing string work against the server at argv[1] (a port). TAP."""
import sys
import threading
import time

import redis

port = int(sys.argv[1])
cases = []


def case(f):
    cases.append(f)
    return f


def connect(**options):
    return redis.Redis(port=port, **options)


@case
def set_and_get(r):
    assert r.set('k', 'v') is True
    assert r.get('k') == b'v'
    assert r.get('missing') is None
    assert r.set('k', 'w', nx=True) is None
    assert r.set('k', 'w', xx=True) is True
    assert r.set('k', 'x', get=True) == b'w'
    assert r.getset('k', 'y') == b'x'
    assert r.getdel('k') == b'y' and r.exists('k') == 0


@case
def numbers(r):
    assert r.incr('n') == 1 and r.incrby('n', 41) == 42 and r.decr('n') == 41
    assert r.incrbyfloat('f', 1.5) == 1.5
    r.set('text', 'abc')
    try:
        r.incr('text')
        raise AssertionError('INCR of a text')
    except redis.ResponseError as e:
        assert 'not an integer' in str(e)


@case
def many_keys(r):
    values = {f'key:{i}': f'value {i}'.encode() for i in range(1000)}
    assert r.mset(values)
    assert r.mget(list(values)) == list(values.values())
    assert r.mget('key:1', 'missing', 'key:2') == [b'value 1', None, b'value 2']
    assert r.dbsize() == 1000
    assert {k.decode() for k in r.scan_iter(match='key:*', count=50)} == set(values)
    assert set(r.keys('key:99?')) == {b'key:%d' % i for i in range(990, 1000)}
    assert r.delete(*values) == 1000


@case
def expiry(r):
    r.set('k', 'v', ex=100)
    assert 80 <= r.ttl('k') <= 100
    r.expire('k', 200)
    assert 180 <= r.ttl('k') <= 200
    assert r.persist('k') and r.ttl('k') == -1
    r.set('short', 'v', px=30)
    end = time.monotonic() + 60
    while r.exists('short'):
        assert time.monotonic() < end, 'still there'
    assert r.pttl('short') == -2


@case
def binary_and_large(r):
    every = bytes(range(256)) * 5
    r.set(every, every)
    assert r.get(every) == every
    large = bytes(i * 7 % 251 for i in range(1000)) * 20000
    r.set('large', large)
    assert r.strlen('large') == 20_000_000 and r.get('large') == large
    assert r.getrange('large', 1000, 1999) == large[:1000]
    assert r.append('large', b'x') == 20_000_001


@case
def pipelines(r):
    p = r.pipeline(transaction=False)
    for i in range(5000):
        p.set(f'p:{i}', i).get(f'p:{i}')
    replies = p.execute()
    assert replies[0::2] == [True] * 5000 and replies[1::2] == [str(i).encode() for i in range(5000)]
    p = r.pipeline(transaction=False)
    p.set('a', '1').incr('a').execute_command('NOSUCH').get('a')
    replies = p.execute(raise_on_error=False)
    assert replies[1] == 2 and isinstance(replies[2], redis.ResponseError) and replies[3] == b'2'


@case
def threads(r):
    def work(n):
        mine = connect()
        for i in range(500):
            mine.incr('shared')
            mine.set(f't:{n}:{i}', i)
    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert r.get('shared') == b'2000' and r.dbsize() == 2001


@case
def client_names_and_info(r):
    named = connect(client_name='tester', single_connection_client=True)
    assert named.client_getname() in ('tester', b'tester')
    me = [c for c in r.client_list() if c['name'] == 'tester']
    assert len(me) == 1 and int(me[0]['id']) == named.client_id()
    info = r.info()
    assert info['redis_version'].startswith('7.2') and info['role'] == 'master' and info['connected_clients'] >= 2
    assert r.info('keyspace') == {}
    r.set('k', 'v', ex=100)
    assert r.info('keyspace')['db0']['keys'] == 1 and r.info('keyspace')['db0']['expires'] == 1


@case
def databases(r):
    other = connect(db=3)
    other.set('k', 'three')
    assert r.get('k') is None and other.get('k') == b'three'
    assert other.move('k', 0) and r.get('k') == b'three'


@case
def reconnects(r):
    one = connect(single_connection_client=True, retry_on_timeout=True,
                  retry_on_error=[redis.ConnectionError], retry=redis.retry.Retry(redis.backoff.NoBackoff(), 3))
    number = one.client_id()
    assert r.client_kill_filter(_id=number) == 1
    assert one.set('after', 'v') and one.client_id() != number


@case
def configuration(r):
    assert r.config_get('maxmemory')['maxmemory'] == '0'
    assert r.config_set('maxmemory', '200mb')
    assert r.config_get('maxmemory')['maxmemory'] == str(200 << 20)
    r.config_set('maxmemory', '0')
    assert r.slowlog_len() >= 0 and isinstance(r.time()[0], int) and r.echo('x') == b'x'
    assert r.object('encoding', 'missing') is None
    assert 'get' in r.command()


print(f'1..{len(cases)}')
failed = 0
for n, f in enumerate(cases, 1):
    admin = connect()
    admin.flushall()
    try:
        f(admin)
        print(f'ok {n} - redis-py: {f.__name__.replace("_", " ")}')
    except Exception as e:  # a failed case must not hide the others
        failed = 1
        print(f'not ok {n} - redis-py: {f.__name__.replace("_", " ")}: {type(e).__name__} {e}')
sys.exit(failed)
