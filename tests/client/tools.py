"""redis-cli and redis-benchmark against the server at argv[1] (a port). TAP."""
import os
import pty
import re
import select
import subprocess
import sys
import time

port = sys.argv[1]
cases = []


def case(f):
    cases.append(f)
    return f


def run(*argv, data=b'', code=0):
    done = subprocess.run(argv, input=data, capture_output=True, timeout=120)
    assert done.returncode == code, f'{argv}: exit {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}'
    return done.stdout.decode('latin-1')


def cli(*argv, data=b''):
    return run('redis-cli', '-p', port, *argv, data=data)


def for_a_while(*argv, pattern, enough):
    """What a program that never ends says on a terminal, until the pattern was there `enough` times; at most a minute."""
    terminal, theirs = pty.openpty()
    p = subprocess.Popen(['redis-cli', '-p', port, *argv], stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    text, end = '', time.monotonic() + 60
    while time.monotonic() < end and len(re.findall(pattern, text)) < enough:
        if select.select([terminal], [], [], 0.1)[0]:
            text += os.read(terminal, 65536).decode('latin-1')
    p.kill()
    p.wait()
    os.close(terminal)
    assert len(re.findall(pattern, text)) >= enough, text[-1000:]


@case
def plain_commands():
    assert cli('SET', 'k', 'v').strip() == 'OK'
    assert cli('GET', 'k').strip() == 'v'
    assert cli('--no-raw', 'GET', 'missing').strip() == '(nil)'
    assert cli('--no-raw', 'INCR', 'k').startswith('(error) ERR value is not an integer')
    assert cli('-n', '3', 'DBSIZE').strip() == '0'
    assert cli('-x', 'SET', 'from-stdin', data=b'binary \x00\xff').strip() == 'OK'
    assert cli('STRLEN', 'from-stdin').strip() == '9'
    assert cli(data=b'SET a 1\nINCR a\nGET a\n').split() == ['OK', '2', '2']
    assert cli('-r', '5', 'INCR', 'n').split() == list('12345')


@case
def resp3():
    assert cli('-3', 'GET', 'missing').strip() == ''
    assert '"proto"' in cli('-3', '--no-raw', 'HELLO') and '(integer) 3' in cli('-3', '--no-raw', 'HELLO')
    assert '1# "maxmemory" => ' in cli('-3', '--no-raw', 'CONFIG', 'GET', 'maxmemory')
    assert cli('-3', '--json', 'MGET', 'missing').strip() == '[null]'


@case
def scan():
    cli('DEBUG', 'POPULATE', '3000', 'key')
    assert len(set(cli('--scan').split())) == 3000
    assert len(set(cli('--scan', '--pattern', 'key:1*').split())) == 1111
    assert len(set(cli('--scan', '--quoted-pattern', '"key:299\\x3f"').split())) == 10


@case
def big_and_hot_keys():
    cli('SET', 'small', 'x')
    cli('SETRANGE', 'large', '99999', 'x')
    text = cli('--bigkeys', '-i', '0')
    assert re.search(r'summary.*Biggest string found .*"large".* has 100000 bytes', text, re.S), text
    text = cli('--memkeys', '-i', '0')
    assert 'Biggest string found' in text and '"large"' in text, text
    cli('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu')
    for _ in range(20):
        cli('GET', 'small')
    assert 'hot key found with counter' in cli('--hotkeys', '-i', '0')
    cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')


@case
def pipe():
    lines = b''.join(b'*3\r\n$3\r\nSET\r\n$%d\r\np:%d\r\n$1\r\nv\r\n' % (len(str(i)) + 2, i) for i in range(20000))
    assert 'errors: 0, replies: 20000' in cli('--pipe', data=lines)
    assert cli('DBSIZE').strip() == '20000'
    text = run('redis-cli', '-p', port, '--pipe', data=b'INCR p:1\r\nSET a 1\r\n', code=1)
    assert 'errors: 1, replies: 2' in text, text


@case
def latency():
    figures = r'min: \d+, max: \d+, avg: [\d.]+ \(\d+ samples\)'
    for_a_while('--latency', pattern=figures, enough=20)
    for_a_while('--latency-history', '-i', '1', pattern=figures + r' -- [\d.]+ seconds range', enough=2)
    assert re.match(r'\d+ \d+ [\d.]+ \d+$', cli('--latency', '--raw', '-i', '1').strip())


@case
def stat():
    cli('DEBUG', 'POPULATE', '100', 'key')
    for_a_while('--stat', '-i', '0.1', pattern=r'(?m)^100 +[\d.]+[BKMG] +\d+ +0 +\d+', enough=5)


@case
def monitor():
    p = subprocess.Popen(['redis-cli', '-p', port, 'MONITOR'], stdout=subprocess.PIPE)
    assert p.stdout.readline() == b'OK\n'
    cli('SET', 'watched', 'a b"\x01')
    end = time.monotonic() + 60
    while True:
        line = p.stdout.readline().decode()
        if '"SET" "watched" "a b\\"\\x01"' in line or time.monotonic() > end:
            break
    p.kill()
    assert re.match(r'\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "SET"', line), line


@case
def large_reply():
    cli('SETRANGE', 'large', str(30_000_000), 'x')
    assert len(cli('GET', 'large')) == 30_000_002


@case
def benchmark_string_tests():
    text = run('redis-benchmark', '-p', port, '-t', 'ping,set,get,incr,mset', '-q', '-n', '4000', '-c', '20')
    for name in ('PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'MSET (10 keys)'):
        assert re.search(re.escape(name) + r': [\d.]+ requests per second', text), text
    assert 'WARN' not in text, text


@case
def benchmark_whole_list():
    """Everything that it measures when nobody says what: each test is there, and the server has refused nothing."""
    before = re.findall(r'errorstat_\w+:count=\d+', cli('INFO', 'errorstats'))
    text = run('redis-benchmark', '-p', port, '-q', '-n', '400', '-c', '8', '-e')
    for name in ('PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'LPUSH', 'RPUSH', 'LPOP', 'RPOP', 'SADD', 'HSET', 'SPOP', 'ZADD',
                 'ZPOPMIN', 'LPUSH (needed to benchmark LRANGE)', 'LRANGE_100 (first 100 elements)',
                 'LRANGE_300 (first 300 elements)', 'LRANGE_500 (first 500 elements)', 'LRANGE_600 (first 600 elements)',
                 'MSET (10 keys)'):
        assert re.search(r'(?m)(^|\r)' + re.escape(name) + r': [\d.]+ requests per second', text), f'{name} is not in {text}'
    assert 'rror' not in text and 'WARN' not in text, text
    assert re.findall(r'errorstat_\w+:count=\d+', cli('INFO', 'errorstats')) == before, cli('INFO', 'errorstats')
    calls = {name: int(n) for name, n in re.findall(r'cmdstat_(\w+):calls=(\d+)', cli('INFO', 'commandstats'))}
    assert all(calls[name] >= 400 for name in ('lpush', 'rpop', 'sadd', 'hset', 'spop', 'zadd', 'zpopmin', 'mset')), calls
    assert calls['lrange'] >= 1600 and int(cli('LLEN', 'mylist')) >= 400, calls


@case
def benchmark_with_pipelines():
    text = run('redis-benchmark', '-p', port, '-t', 'set,get', '-q', '-n', '20000', '-c', '20', '-P', '16', '-r', '1000', '-d', '100',
               '--threads', '2')
    assert text.count('requests per second') == 2, text
    assert cli('DBSIZE').strip() == '1000'
    assert cli('STRLEN', 'key:000000000007').strip() == '100'
    text = run('redis-benchmark', '-p', port, '-q', '-n', '2000', '--csv', 'SET', 'k:__rand_int__', 'v')
    assert '"test","rps"' in text and '"SET k:__rand_int__ v"' in text, text


os.environ.pop('REDISCLI_AUTH', None)
print(f'1..{len(cases)}')
failed = 0
for n, f in enumerate(cases, 1):
    name = f'redis-cli and redis-benchmark: {f.__name__.replace("_", " ")}'
    try:
        cli('FLUSHALL')
        f()
        print(f'ok {n} - {name}')
    except Exception as e:  # a failed case must not hide the others
        failed = 1
        print(f'not ok {n} - {name}: {type(e).__name__} {str(e)[:700]!r}')
sys.exit(failed)
