'use strict';
// node-redis doing string work against the server at argv[2] (a port). TAP.

const assert = require('assert');
const { createClient, commandOptions, ErrorReply } = require('redis');
const { runCases, until } = require('./cases');

const port = Number(process.argv[2]);

async function connect(options) {
  const client = createClient({ socket: { port, reconnectStrategy: () => 1 }, ...options });
  client.on('error', () => {}); // a connection that was killed on purpose says so here too
  await client.connect();
  return client;
}

const cases = {
  async 'set and get'(redis) {
    assert.strictEqual(await redis.set('k', 'v'), 'OK');
    assert.strictEqual(await redis.get('k'), 'v');
    assert.strictEqual(await redis.get('missing'), null);
    assert.strictEqual(await redis.set('k', 'w', { NX: true }), null);
    assert.strictEqual(await redis.set('k', 'w', { EX: 100, GET: true }), 'v');
    assert(await redis.ttl('k') > 90);
    assert.strictEqual(await redis.getDel('k'), 'w');
  },
  async 'numbers'(redis) {
    assert.strictEqual(await redis.incrBy('n', 42), 42);
    assert.strictEqual(await redis.decr('n'), 41);
    assert.strictEqual(await redis.incrByFloat('f', 0.5), '0.5');
    await redis.set('text', 'abc');
    await assert.rejects(redis.incr('text'), ErrorReply);
  },
  async 'many keys'(redis) {
    const values = {};
    for (let i = 0; i < 1000; i++) values[`key:${i}`] = `value ${i}`;
    await redis.mSet(values);
    assert.deepStrictEqual(await redis.mGet(Object.keys(values)), Object.values(values));
    const seen = new Set();
    for await (const key of redis.scanIterator({ MATCH: 'key:*', COUNT: 50 })) seen.add(key);
    assert.strictEqual(seen.size, 1000);
    assert.strictEqual(await redis.del([...seen]), 1000);
  },
  async 'automatic pipelines'(redis) {
    const sets = [], gets = [];
    for (let i = 0; i < 2000; i++) {
      sets.push(redis.set(`p:${i}`, String(i)));
      gets.push(redis.get(`p:${i}`));
    }
    await Promise.all(sets);
    (await Promise.all(gets)).forEach((v, i) => assert.strictEqual(v, String(i)));
  },
  async 'binary and large'(redis) {
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await redis.set(every, every);
    assert(every.equals(await redis.get(commandOptions({ returnBuffers: true }), every)));
    const large = Buffer.alloc(8_000_000, every);
    await redis.set('large', large);
    assert(large.equals(await redis.get(commandOptions({ returnBuffers: true }), 'large')));
  },
  async 'expiry'(redis) {
    await redis.set('k', 'v', { PX: 30 });
    await until(async () => (await redis.exists('k')) === 0);
    assert.strictEqual(await redis.pTTL('k'), -2);
  },
  async 'names'(redis) {
    const named = await connect({ name: 'node-tester' });
    assert.strictEqual(await named.clientGetName(), 'node-tester');
    assert.match(await redis.sendCommand(['CLIENT', 'LIST']), /name=node-tester .*lib-name=node-redis/);
    await named.disconnect();
  },
  async 'reconnects'(redis) {
    const one = await connect();
    const number = await one.clientId();
    const again = new Promise((done) => one.once('ready', done));
    assert.strictEqual(await redis.sendCommand(['CLIENT', 'KILL', 'ID', String(number)]), 1);
    await again;
    assert.strictEqual(await one.set('after', 'v'), 'OK');
    assert.notStrictEqual(await one.clientId(), number);
    await one.disconnect();
  },
  async 'databases'(redis) {
    const third = await connect({ database: 3 });
    await third.set('k', 'three');
    assert.strictEqual(await redis.get('k'), null);
    assert.strictEqual(await third.get('k'), 'three');
    await third.quit();
  },
  async 'info and configuration'(redis) {
    assert.match(await redis.info('server'), /redis_version:7\.2/);
    assert.deepStrictEqual({ ...await redis.configGet('databases') }, { databases: '16' });
    assert((await redis.command()).some((c) => c.name === 'get'));
    assert.strictEqual((await redis.time()).constructor, Date);
  },
};

runCases('node-redis', cases, async () => {
  const redis = await connect();
  await redis.flushAll();
  return redis;
}, (redis) => redis.quit());
