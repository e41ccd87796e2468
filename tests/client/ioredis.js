'use strict';
// ioredis doing string work against the server at argv[2] (a port). TAP.

const assert = require('assert');
const Redis = require('ioredis');
const { runCases, until } = require('./cases');

const port = Number(process.argv[2]);
const connect = (options) => new Redis({ port, ...options });

const cases = {
  async 'set and get'(redis) {
    assert.strictEqual(await redis.set('k', 'v'), 'OK');
    assert.strictEqual(await redis.get('k'), 'v');
    assert.strictEqual(await redis.get('missing'), null);
    assert.strictEqual(await redis.set('k', 'w', 'NX'), null);
    assert.strictEqual(await redis.set('k', 'w', 'EX', 100, 'GET'), 'v');
    assert(await redis.ttl('k') > 90);
    assert.strictEqual(await redis.getdel('k'), 'w');
  },
  async 'numbers'(redis) {
    assert.strictEqual(await redis.incrby('n', 42), 42);
    assert.strictEqual(await redis.decr('n'), 41);
    assert.strictEqual(await redis.incrbyfloat('f', 0.5), '0.5');
    await redis.set('text', 'abc');
    await assert.rejects(redis.incr('text'), /not an integer/);
  },
  async 'many keys'(redis) {
    const values = {};
    for (let i = 0; i < 1000; i++) values[`key:${i}`] = `value ${i}`;
    await redis.mset(values);
    assert.deepStrictEqual(await redis.mget(Object.keys(values)), Object.values(values));
    const seen = new Set();
    for await (const keys of redis.scanStream({ match: 'key:*', count: 50 })) keys.forEach((k) => seen.add(k));
    assert.strictEqual(seen.size, 1000);
    assert.strictEqual(await redis.unlink(...seen), 1000);
  },
  async 'pipelines'(redis) {
    const pipeline = redis.pipeline();
    for (let i = 0; i < 2000; i++) pipeline.set(`p:${i}`, i).get(`p:${i}`);
    const replies = await pipeline.exec();
    replies.forEach(([error, reply], i) => {
      assert.strictEqual(error, null);
      assert.strictEqual(reply, i % 2 ? String((i - 1) / 2) : 'OK');
    });
    const mixed = await redis.pipeline().set('a', 'x').incr('a').get('a').exec();
    assert.match(mixed[1][0].message, /not an integer/);
    assert.strictEqual(mixed[2][1], 'x');
  },
  async 'binary and large'(redis) {
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await redis.set(every, every);
    assert(every.equals(await redis.getBuffer(every)));
    const large = Buffer.alloc(8_000_000, every);
    await redis.set('large', large);
    assert(large.equals(await redis.getBuffer('large')));
  },
  async 'expiry'(redis) {
    await redis.set('k', 'v', 'PX', 30);
    await until(async () => (await redis.exists('k')) === 0);
    assert.strictEqual(await redis.pttl('k'), -2);
  },
  async 'automatic pipelining'(redis) {
    const auto = connect({ enableAutoPipelining: true });
    await Promise.all(Array.from({ length: 500 }, (_, i) => auto.set(`a:${i}`, i)));
    const got = await Promise.all(Array.from({ length: 500 }, (_, i) => auto.get(`a:${i}`)));
    got.forEach((v, i) => assert.strictEqual(v, String(i)));
    await auto.quit();
  },
  async 'names'(redis) {
    const named = connect({ connectionName: 'io-tester' });
    assert.strictEqual(await named.client('GETNAME'), 'io-tester');
    assert.match(await redis.client('LIST'), /name=io-tester/);
    named.disconnect();
  },
  async 'reconnects and sends again'(redis) {
    const one = connect({ retryStrategy: () => 1 });
    const number = await one.client('ID');
    assert.strictEqual(await redis.client('KILL', 'ID', number), 1);
    assert.strictEqual(await one.set('after', 'v'), 'OK');
    assert.notStrictEqual(await one.client('ID'), number);
    one.disconnect();
  },
  async 'databases'(redis) {
    const third = connect({ db: 3 });
    await third.set('k', 'three');
    assert.strictEqual(await redis.get('k'), null);
    assert.strictEqual(await third.get('k'), 'three');
    await third.quit();
  },
  async 'monitor'(redis) {
    const monitor = await redis.monitor();
    const seen = new Promise((done) => monitor.on('monitor', (time, args) => { if (args[0].toLowerCase() === 'set') done(args); }));
    await redis.set('watched', 'v');
    assert.deepStrictEqual((await seen).slice(1), ['watched', 'v']);
    monitor.disconnect();
  },
};

runCases('ioredis', cases, async () => {
  const redis = connect();
  await redis.flushall();
  return redis;
}, (redis) => redis.quit());
