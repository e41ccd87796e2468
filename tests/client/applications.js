'use strict';
// Applications written against ioredis, run unchanged against larderd and against redis-server (their ports: argv[2], argv[3]).
// Each plays a story and notes what it sees; both servers must show it the same. TAP.

const assert = require('assert');
const Redis = require('ioredis');
const { runCases, sameAtBoth, until } = require('./cases');

const values = (replies) => replies.map(([error, value]) => (error ? `${error.name} ${error.message}` : value));

class SessionStore {
  constructor(redis, seconds = 1800) { Object.assign(this, { redis, seconds }); }

  async create(id, fields) {
    return values(await this.redis.pipeline().hset(`sess:${id}`, fields).expire(`sess:${id}`, this.seconds).exec());
  }

  // What it holds, and it is fresh again; null if it is over.
  async load(id) {
    const [fields, there] = values(await this.redis.pipeline().hgetall(`sess:${id}`).expire(`sess:${id}`, this.seconds).exec());
    return there ? fields : null;
  }

  async save(id, fields, gone = []) {
    const p = this.redis.pipeline().hset(`sess:${id}`, fields);
    if (gone.length) p.hdel(`sess:${id}`, ...gone);
    return values(await p.hlen(`sess:${id}`).exec());
  }

  async ids() {
    const found = [];
    for await (const keys of this.redis.scanStream({ match: 'sess:*', count: 20 })) found.push(...keys);
    return [...new Set(found)].sort();
  }
}

class Leaderboard {
  constructor(redis, key) { Object.assign(this, { redis, key }); }

  won(player, points) { return this.redis.zincrby(this.key, points, player); }
  top(n) { return this.redis.zrevrange(this.key, 0, n - 1, 'WITHSCORES'); }

  async around(player, n) {
    const rank = await this.redis.zrevrank(this.key, player);
    return rank === null ? [] : this.redis.zrange(this.key, Math.max(0, rank - n), rank + n, 'REV', 'WITHSCORES');
  }

  merge(target, boards, ...weights) {
    const more = weights.length ? ['WEIGHTS', ...weights] : [];
    return this.redis.zunionstore(target, boards.length, ...boards, ...more);
  }
}

class RateLimiter {
  constructor(redis, most, windowMs) { Object.assign(this, { redis, most, windowMs, n: 0 }); }

  async allow(who, now) {
    const key = `limit:${who}`, member = `${now}-${this.n++}`;
    const [, count] = values(await this.redis.pipeline().zremrangebyscore(key, 0, now - this.windowMs).zcard(key)
      .zadd(key, now, member).pexpire(key, this.windowMs).exec());
    if (count < this.most) return true;
    await this.redis.zrem(key, member);
    return false;
  }
}

class JobQueue {
  constructor(redis, name) { Object.assign(this, { redis, todo: `{${name}}:todo`, doing: `{${name}}:doing` }); }

  push(...jobs) { return this.redis.lpush(this.todo, ...jobs.map((job) => JSON.stringify(job))); }
  async take() { return JSON.parse(await this.redis.lmove(this.todo, this.doing, 'RIGHT', 'LEFT')); }
  async wait(seconds) { return JSON.parse(await this.redis.brpoplpush(this.todo, this.doing, seconds)); }
  done(job) { return this.redis.lrem(this.doing, 1, JSON.stringify(job)); }
}

// The same row of numbers for both servers.
function dice(seed) {
  let x = seed;
  return (n) => { x = (Math.imul(x, 1103515245) + 12345) & 0x7fffffff; return (x >> 8) % n; };
}

const stories = {
  async 'sessions'(redis, note) {
    const store = new SessionStore(redis);
    for (let i = 0; i < 30; i++) note(await store.create(i, { user: `u${i}`, cart: JSON.stringify([i, 'ü']), n: i }));
    note(await store.load(3), await store.load('nobody'));
    note(await store.save(3, { n: 4, extra: 'x'.repeat(500) }, ['cart', 'missing']), await store.load(3));
    note(values(await redis.pipeline().hincrby('sess:4', 'n', 5).hincrby('sess:4', 'user', 1).hget('sess:4', 'n').exec()));
    note(await redis.hmget('sess:5', 'user', 'none', 'n'), await redis.hexists('sess:5', 'cart'));
    note(await redis.del('sess:1', 'sess:2', 'sess:2'), await store.ids());
    const ttl = await redis.ttl('sess:7');
    assert(ttl > 1790 && ttl <= 1800);
    await redis.pexpire('sess:7', 30);
    await until(async () => (await store.load(8)) && !(await redis.exists('sess:7')));
    note(await store.load(7), (await store.ids()).length);
  },
  async 'leaderboard'(redis, note) {
    const roll = dice(3), boards = ['w1', 'w2', 'w3'].map((key) => new Leaderboard(redis, key));
    for (const board of boards) for (let i = 0; i < 400; i++) note(await board.won(`p${roll(160)}`, roll(40) / 4));
    for (const board of boards) {
      note(await board.top(10), await board.around('p7', 4), await board.around('nobody', 4));
      note(await redis.zcount(board.key, 5, '(20'), await redis.zrangebyscore(board.key, '(5', 20, 'WITHSCORES', 'LIMIT', 2, 5));
    }
    note(await boards[0].merge('all', ['w1', 'w2', 'w3']), await redis.zrevrange('all', 0, -1, 'WITHSCORES'));
    note(await boards[0].merge('late', ['w1', 'w2', 'w3'], 1, 2.5, -1), await redis.zrange('late', 0, -1, 'WITHSCORES'));
    note(await redis.zinterstore('both', 2, 'w1', 'w2', 'AGGREGATE', 'MAX'), await redis.zrange('both', 0, -1, 'WITHSCORES'));
    note(await redis.zremrangebyrank('w1', 0, -11), await boards[0].top(100), await redis.zpopmax('w1'));
  },
  async 'rate limiter'(redis, note) {
    const roll = dice(9), limiter = new RateLimiter(redis, 5, 1000);
    let now = 1700000000000;
    for (let i = 0; i < 300; i++) {
      now += roll(200);
      note(now, await limiter.allow(`c${roll(3)}`, now));
    }
    const once = await Promise.all(Array.from({ length: 20 }, () => limiter.allow('burst', now)));
    assert.strictEqual(once.filter(Boolean).length, 5);
    note(once);
  },
  async 'job queue'(redis, note) {
    const queue = new JobQueue(redis, 'q'), worker = new JobQueue(redis.duplicate(), 'q');
    note(await queue.push(...Array.from({ length: 5 }, (_, i) => ({ id: i, text: 'ü'.repeat(i) }))));
    const first = await queue.take();
    note(first, await queue.take(), await queue.done(first), await redis.lrange(queue.doing, 0, -1));
    for (let job = await queue.take(); job; job = await queue.take()) note(job, await queue.done(job));
    note(await redis.llen(queue.todo), await worker.wait(0.01));
    const waited = worker.wait(20);
    await queue.push({ id: 'late' });
    note(await waited, await worker.done(await waited));
    const many = Array.from({ length: 500 }, () => worker.wait(20).then(async (job) => [job, await queue.done(job)]));
    for (let i = 0; i < 500; i++) await queue.push({ id: i });
    note(await Promise.all(many), await redis.exists(queue.todo, queue.doing));
    worker.redis.disconnect();
  },
};

async function play(story, port) {
  const redis = new Redis({ port }), seen = [];
  await redis.flushall();
  await story(redis, (...what) => seen.push(what));
  await redis.quit();
  return seen;
}

const ports = process.argv.slice(2, 4).map(Number);
const cases = sameAtBoth(stories, play, ports);
runCases('applications (ioredis)', cases, async () => null, async () => null);
