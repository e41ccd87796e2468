"""normalise: takes out of a reply what two correct servers may say differently, and nothing else.

Each rule is for a command (its name, or name and subcommand, in lower case) and says why. What is not named here is compared
to the letter.
"""
import re

from resp import Reply


def shape(reply):
    """Types only: for replies whose values are times, identifiers or the server's own affairs."""
    kind, v = reply
    if isinstance(v, list):
        return Reply(kind, [shape(x) for x in v])
    return Reply(kind, None if v is None else b'*')


def by_text(reply):
    return repr(reply)


def unordered(reply):
    """An array whose order says nothing."""
    return Reply(reply.kind, sorted(reply.value, key=by_text)) if isinstance(reply.value, list) else reply


def sorted_fields(reply):
    """A map (or a flat array of pairs) whose order says nothing."""
    v = reply.value
    if not isinstance(v, list) or len(v) % 2:
        return reply
    pairs = sorted(zip(v[::2], v[1::2]), key=by_text)
    return Reply(reply.kind, [x for pair in pairs for x in pair])


def kind_only(reply):
    return Reply(reply.kind, b'*') if reply.value is not None else reply


def a_number(slack):
    """A number that may be up to `slack` apart because time passes between the two servers: rounded out by `near`."""
    def rule(reply):
        return Reply('near', (reply.value, slack)) if reply.kind == ':' and reply.value >= 0 else reply
    return rule


def scan_page(reply):
    """One page of SCAN: how many keys come at once and the cursor are the server's own; `scan` steps compare the whole."""
    return shape(Reply(reply.kind, [reply.value[0], Reply('*', [])])) if isinstance(reply.value, list) else reply


def members_page(reply):
    """One page of SSCAN: for sets of a few members, which come at once. Their order says nothing."""
    return Reply(reply.kind, [reply.value[0], unordered(reply.value[1])]) if isinstance(reply.value, list) else reply


def hscan_page(reply):
    """HSCAN: a page that is the whole of it has no order; of another nothing can be said."""
    if not isinstance(reply.value, list) or reply.value[0].value != b'0':
        return scan_page(reply)
    return Reply(reply.kind, [reply.value[0], sorted_fields(reply.value[1])])


def info_fields(reply):
    """INFO: sections and fields, not values. Fields that redis-server has and larderd must have."""
    if not isinstance(reply.value, bytes):
        return reply
    lines = reply.value.decode('latin-1').split('\r\n')
    return Reply('fields', [line.split(':')[0] for line in lines if line])


def client_fields(reply):
    """CLIENT LIST and INFO: the fields and their order, and the values that do not depend on the machine."""
    if not isinstance(reply.value, bytes):
        return reply
    own = {'id', 'addr', 'laddr', 'fd', 'age', 'idle', 'qbuf', 'qbuf-free', 'argv-mem', 'multi-mem', 'rbs', 'rbp', 'obl', 'oll',
           'omem', 'tot-mem', 'events'}
    new = {'lib-name', 'lib-ver', 'tot-net-in', 'tot-net-out', 'tot-cmds'}  # later than 7.0
    lines = []
    for line in reply.value.decode('latin-1').removeprefix('txt:').strip('\n').split('\n'):
        fields = [f.split('=', 1) for f in line.split(' ') if '=' in f]
        lines.append(' '.join(k if k in own else f'{k}={v}' for k, v in fields if k not in new))
    return Reply(reply.kind, '\n'.join(lines).encode('latin-1'))


def hello(reply):
    """HELLO: the server's name is kept, its version and the connection's id are not."""
    v = reply.value
    if not isinstance(v, list):
        return reply
    out = list(v)
    for i in range(0, len(v) - 1, 2):
        if v[i].value in (b'version', b'id'):
            out[i + 1] = kind_only(v[i + 1])
    return Reply(reply.kind, out)


def command_docs(reply):
    """COMMAND DOCS: summaries, the texts of histories and the names of groups of arguments are each project's own words; order
    says nothing."""
    def walk(r):
        v = r.value
        if not isinstance(v, list):
            return r
        if v and all(isinstance(k.value, bytes) for k in v[::2]) and len(v) % 2 == 0:
            pairs = []
            group = any(k.value == b'type' and x.value in (b'oneof', b'block') for k, x in zip(v[::2], v[1::2]))
            for k, x in zip(v[::2], v[1::2]):
                if k.value == b'display_text':  # of arguments; Redis has it since 7.2
                    continue
                if k.value in (b'summary', b'complexity') or (group and k.value == b'name'):
                    x = kind_only(x)
                elif k.value == b'history':
                    x = Reply(x.kind, [Reply(h.kind, [h.value[0], kind_only(h.value[1])]) for h in x.value])
                else:
                    x = walk(x)
                pairs.append((k, x))
            pairs.sort(key=by_text)
            return Reply(r.kind, [y for p in pairs for y in p])
        return Reply(r.kind, [walk(x) for x in v])
    return walk(reply)


def without_notes(spec):
    pairs = [p for p in zip(spec.value[::2], spec.value[1::2]) if p[0].value != b'notes']
    return Reply(spec.kind, [x for p in pairs for x in p])


def help_frame(reply):
    """HELP: each project's own words between the first line and the last."""
    return Reply(reply.kind, [reply.value[0], kind_only(reply.value[-1])]) if isinstance(reply.value, list) else reply


def command_info(reply):
    """COMMAND INFO: flags, categories and tips are sets; subcommands come in the order of a hash table. The notes on keys are
    each project's own words, or none."""
    def one(r):
        if not isinstance(r.value, list) or len(r.value) != 10:
            return r
        v = list(r.value)
        for i in (2, 6, 7):
            v[i] = unordered(v[i])
        v[8] = Reply(v[8].kind, [without_notes(spec) for spec in v[8].value])
        v[9] = Reply(v[9].kind, sorted((one(x) for x in v[9].value), key=lambda x: x.value[0].value))
        return Reply(r.kind, v)
    return Reply(reply.kind, [one(x) for x in reply.value]) if isinstance(reply.value, list) else reply


def debug_object(reply):
    """DEBUG OBJECT: address, length and access clock are the server's own; what it says of the value is not."""
    if reply.kind != '+':
        return reply
    return Reply('+', re.sub(rb'at:\S+|serializedlength:\d+|lru:\d+|lru_seconds_idle:\d+', b'', reply.value))


def monitor_line(reply):
    """A line of MONITOR: when, and from which socket."""
    if reply.kind != '+':
        return reply
    return Reply('+', re.sub(rb'^\d+\.\d{6} \[(\d+) unix:\S+\]', rb'(time) [\1 (socket)]', reply.value))


def numbers_as_such(reply):
    """Scores: 7.0 writes them with 17 digits, 7.2 with as few as say the same; transcripts look at the digits."""
    kind, v = reply
    if isinstance(v, list):
        return Reply(kind, [numbers_as_such(x) for x in v])
    if isinstance(v, bytes) and kind in '$,' and re.fullmatch(rb'-?\d+(\.\d+)?(e[-+]?\d+)?', v):
        return Reply(kind, repr(float(v)).encode())
    return reply


# Sets have no order, but for integers alone: those are in keys that begin with 'int:' and are compared as they come.
SETS = {**dict.fromkeys(('smembers', 'sinter', 'sunion', 'sdiff', 'spop'), unordered), 'srandmember': shape, 'sscan': members_page}


RULES = {
    **SETS,
    **dict.fromkeys(('zadd', 'zincrby', 'zscore', 'zmscore', 'zrank', 'zrevrank', 'zrange', 'zrevrange', 'zrangebyscore',
                     'zrevrangebyscore', 'zpopmin', 'zpopmax', 'zmpop', 'zrandmember', 'zscan', 'zunion', 'zinter', 'zdiff'), numbers_as_such),
    'time': shape,
    'keys': unordered,
    'randomkey': kind_only,
    'scan': scan_page,
    'hgetall': sorted_fields,
    'hscan': hscan_page,
    'hkeys': unordered,
    'hvals': unordered,
    'hrandfield': unordered,
    'ttl': a_number(1),
    'pttl': a_number(2000),
    'expiretime': a_number(2),
    'pexpiretime': a_number(2000),
    'object idletime': a_number(2),
    'object refcount': kind_only,  # redis-server shares the numbers below 10,000 in some commands and not in others
    'object freq': kind_only,
    'memory usage': kind_only,
    'memory stats': shape,
    'memory doctor': kind_only,
    'memory malloc-stats': kind_only,
    'info': info_fields,
    'client id': kind_only,
    'client list': client_fields,
    'client info': client_fields,
    'hello': hello,
    'command docs': command_docs,
    'command info': command_info,
    'command list': kind_only,
    'command count': kind_only,
    'slowlog get': shape,
    'slowlog len': kind_only,
    'latency history': shape,
    'latency latest': shape,
    'latency doctor': kind_only,
    'latency histogram': shape,
    'lolwut': kind_only,
    'debug object': debug_object,
    'debug jmap': kind_only,
    '(more)': monitor_line,
    'config get': sorted_fields,
}


def normalise(words, reply):
    name = words[0].decode('latin-1').lower()
    pair = name + ' ' + words[1].decode('latin-1').lower() if len(words) > 1 else name
    if name in SETS and len(words) > 1 and words[1].startswith(b'int:'):
        return reply
    rule = help_frame if pair.endswith(' help') else RULES.get(pair) or RULES.get(name)
    if reply.kind == '-':  # redis-server cuts what it quotes at a zero byte
        return Reply('-', reply.value.split(b'\0')[0].rstrip(b" '"))
    return rule(reply) if rule else reply


def same(theirs, ours):
    """Equal, but that numbers marked as near may be apart, and that ours may have INFO fields of its own."""
    if theirs.kind == 'near' and ours.kind == 'near':
        return abs(theirs.value[0] - ours.value[0]) <= theirs.value[1]
    if theirs.kind == 'fields' and ours.kind == 'fields':
        return not set(theirs.value) - set(ours.value)
    return theirs == ours


def brief(reply):
    """What to print of a normalised reply where it is not a plain one."""
    return f'{reply.kind}({reply.value})' if reply.kind in ('near', 'fields') else None
