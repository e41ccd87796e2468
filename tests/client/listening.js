'use strict';
// ioredis and node-redis listening: messages, keyspace events and CLIENT TRACKING, at larderd and at redis-server (their ports: argv[2],
// argv[3]). Each story notes what it hears; both servers must say the same. node-redis 5 speaks RESP3 and keeps what it has read
// itself (clientSideCache), ioredis speaks RESP2 and has invalidations redirected to its subscriber. TAP.

const Redis = require('ioredis');
const { createClient, BasicClientSideCache } = require('redis5');
const { runCases, sameAtBoth, until } = require('./cases');

const ends = [];

function ioredis(port) {
  const redis = new Redis({ port });
  ends.push(() => redis.disconnect());
  return redis;
}

async function node(port, options = {}) {
  const client = createClient({ socket: { port, reconnectStrategy: false }, RESP: 3, ...options });
  client.on('error', () => {});
  await client.connect();
  ends.push(() => client.destroy());
  return client;
}

// What n calls of `listener` were handed, in order.
function ears(n = 0) {
  const heard = [];
  return { listener: (...what) => heard.push(what), async of(more) {
    n += more;
    await until(() => heard.length >= n);
    return heard.slice(n - more, n);
  }, async to(last) { // all up to the one that says so
    await until(() => heard.slice(n).some((what) => what.includes(last)));
    const from = n;
    n = from + heard.slice(from).findIndex((what) => what.includes(last)) + 1;
    return heard.slice(from, n);
  }, get all() { return heard.length; } };
}

const changes = [
  ['set', 'a b', '1', 'EX', '100'], ['append', 'a b', '2'], ['incrby', 'n', '5'], ['lpush', 'l', 'x', 'y', 'z'], ['lmove', 'l', 'm', 'LEFT', 'RIGHT'],
  ['lpop', 'm'], ['sadd', 's', 'x', 'y'], ['smove', 's', 't', 'x'], ['sinterstore', 'u', 's', 't'], ['sunionstore', 'u', 's', 't'],
  ['hset', 'h', 'f', 'v'], ['hdel', 'h', 'f'], ['zadd', 'z', '1', 'a', '2', 'b'], ['zpopmin', 'z'], ['zremrangebyrank', 'z', '0', '-1'],
  ['copy', 'n', 'n2'], ['rename', 'n2', 'n3'], ['getex', 'n3', 'PX', '100000'], ['persist', 'n3'], ['getdel', 'n3'], ['setbit', 'bits', '7', '1'],
  ['pfadd', 'hll', 'a'], ['geoadd', 'g', '13.4', '52.5', 'berlin'], ['geosearchstore', 'g2', 'g', 'FROMLONLAT', '13', '52', 'BYRADIUS', '200', 'km'],
  ['sort', 'l', 'ALPHA', 'STORE', 'l2'], ['del', 'a b', 'n', 'missing'],
];

const stories = {
  async 'ioredis: messages'(port, note) {
    const sub = ioredis(port), pub = ioredis(port), e = ears(), p = ears();
    sub.on('message', e.listener);
    sub.on('pmessage', p.listener);
    note(await sub.subscribe('news', 'weather'), await sub.psubscribe('new*'));
    for (let i = 0; i < 200; i++) await pub.publish(i % 2 ? 'news' : 'weather', `${i} ü`);
    note(await e.of(200), await p.of(100));
    note(await pub.pubsub('NUMSUB', 'news', 'weather', 'none'), await pub.pubsub('NUMPAT'));
    note(await sub.unsubscribe('news'), await pub.publish('news', 'x'), await p.of(1));
    const counts = await Promise.all(Array.from({ length: 500 }, (_, i) => pub.publish('weather', `${i}`)));
    note(counts, await e.of(500), e.all);
  },
  async 'ioredis: keyspace events'(port, note) {
    const sub = ioredis(port), redis = ioredis(port), e = ears();
    await sub.ping(); // one that subscribes while ioredis still looks whether the server is ready connects anew and misses what comes meanwhile
    await redis.config('SET', 'notify-keyspace-events', 'KEA');
    note(await redis.config('GET', 'notify-keyspace-events'));
    sub.on('pmessage', e.listener);
    await sub.psubscribe('__key*@0__:*');
    for (const [name, ...words] of changes) await redis.call(name, ...words);
    await redis.publish('__key-end@0__:', 'end');
    note(await e.to('end'));
    const waits = ioredis(port).blpop('queue', 0);
    await until(async () => (await redis.info('clients')).includes('blocked_clients:1'));
    await redis.rpush('queue', 'job');
    note(await waits, await e.of(6));
    await redis.config('SET', 'notify-keyspace-events', '');
  },
  async 'ioredis: invalidations, redirected'(port, note) {
    const sub = ioredis(port), reader = ioredis(port), redis = ioredis(port), e = ears();
    const id = await sub.client('ID');
    sub.on('message', (channel, keys) => e.listener(channel, String(keys)));
    await sub.subscribe('__redis__:invalidate');
    note(await reader.client('TRACKING', 'ON', 'REDIRECT', id), await reader.client('GETREDIR') === id);
    await reader.mget('a', 'b', 'c');
    for (const key of ['a', 'b', 'b', 'd']) await redis.set(key, 1);
    note(await e.of(2));
    await reader.get('a');
    await redis.flushdb();
    note(await e.of(1), e.all);
  },
  async 'node-redis: messages and keyspace events'(port, note) {
    const sub = await node(port), redis = await node(port), e = ears(), s = ears();
    await redis.configSet('notify-keyspace-events', 'KEA');
    await sub.pSubscribe('__key*@0__:*', e.listener);
    await sub.subscribe('news', s.listener);
    await sub.sSubscribe('shard', s.listener);
    note(await redis.publish('news', 'one'), await redis.sPublish('shard', 'two'), await s.of(2));
    for (const words of changes) await redis.sendCommand(words);
    await redis.publish('__key-end@0__:', 'end');
    note(await e.to('end'));
    note(await sub.ping(), await sub.get('a')); // RESP3: who listens may ask as well
    await redis.configSet('notify-keyspace-events', '');
    await sub.pUnsubscribe('__key*@0__:*');
    await redis.set('quiet', '1');
    note(await redis.publish('news', 'last'), await s.of(1));
  },
  async 'node-redis: its own cache'(port, note) {
    const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 0, evictPolicy: 'LRU' });
    const reader = await node(port, { clientSideCache: cache }), redis = await node(port);
    const counts = () => { const { hitCount, missCount } = cache.stats(); return [hitCount, missCount]; };
    await redis.mSet({ a: '1', b: '2' });
    await redis.hSet('h', { f: 'v' });
    const all = async () => [await reader.get('a'), await reader.get('b'), await reader.get('none'), { ...await reader.hGetAll('h') }];
    note(await all(), await all(), counts());
    await redis.set('a', 'new');
    await until(async () => await reader.get('a') === 'new');
    await redis.hDel('h', 'f');
    await until(async () => !Object.keys(await reader.hGetAll('h')).length);
    await redis.del('b');
    await until(async () => await reader.get('b') === null);
    const [, misses] = counts();
    note(await all(), misses === counts()[1]);
    await redis.flushAll();
    await until(async () => await reader.get('a') === null);
    await redis.set('t', 'x', { PX: 100000 });
    note(await reader.get('t'));
    await redis.pExpire('t', 30);
    await until(async () => await reader.get('t') === null); // it was told that the key expired
    for (let i = 0; i < 300; i++) await redis.set(`k${i % 10}`, `${i}`), await reader.get(`k${i % 10}`);
    await until(async () => (await Promise.all(Array.from({ length: 10 }, (_, i) => reader.get(`k${i}`)))).join() ===
      Array.from({ length: 10 }, (_, i) => `${290 + i}`).join());
    note('true in the end');
  },
};

async function play(story, port) {
  const seen = [], redis = ioredis(port);
  await redis.flushall();
  try {
    await story(port, (...what) => seen.push(what));
  } finally {
    for (const end of ends.splice(0)) end();
  }
  return seen;
}

const ports = process.argv.slice(2, 4).map(Number);
const cases = sameAtBoth(stories, play, ports);
runCases('listening', cases, async () => null, async () => null);
