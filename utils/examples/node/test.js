'use strict';
// The library from Node.js against the server whose URL is given. TAP.
const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { Larder, LarderError } = require('./index.js');

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
async function until(what, good) {
  for (let i = 0; i < 20000; i++) {
    const got = await what();
    if (good(got)) return got;
    await pause(1);
  }
  throw new Error('it never came');
}

const cases = {
  async 'get, set, del'(a) {
    assert.strictEqual(await a.get('k'), null);
    await a.set('k', 'väl', { ttl: 60000 });
    assert.strictEqual((await a.get('k')).toString(), 'väl');
    await a.set('b', Buffer.from([0, 255, 0]));
    assert.deepStrictEqual(await a.get('b'), Buffer.from([0, 255, 0]));
    assert.strictEqual(await a.del('k'), true);
    assert.strictEqual(await a.del('k'), false);
    assert.strictEqual(await a.get('k'), null);
  },
  async 'getOrLoad loads once, in both processes\' place'(a, b) {
    let loads = 0;
    const load = async () => { loads++; await pause(50); return { name: 'x', loads }; };
    const all = await Promise.all([...Array(50)].map((_, i) => (i % 2 ? a : b).getOrLoad('one', load)));
    assert.strictEqual(loads, 1);
    for (const v of all) assert.deepStrictEqual(v, { name: 'x', loads: 1 });
    await until(async () => (await a.getOrLoad('one', load), a.stats().l1Hits), (n) => n > 0);
    assert.strictEqual(loads, 1);
  },
  async 'what is not there is remembered'(a) {
    let loads = 0;
    for (let i = 0; i < 5; i++) assert.strictEqual(await a.getOrLoad('none', async () => { loads++; return null; }), null);
    assert.strictEqual(loads, 1);
  },
  async 'a loader that throws'(a) {
    await assert.rejects(a.getOrLoad('bad', async () => { throw new Error('no database'); }), /no database/);
    assert.strictEqual(await a.getOrLoad('bad', async () => 5), 5);
  },
  async 'others hear of changes and of patterns'(a, b) {
    await a.set('user:1', '"old"');
    await until(async () => (await b.getOrLoad('user:1', async () => 0), b.stats().l1Hits), (n) => n > 0);
    await a.set('user:1', '"new"');
    await until(() => b.getOrLoad('user:1', async () => 0), (v) => v === 'new');
    await a.set('user:2', '1');
    assert.strictEqual(await a.invalidate('user:*'), 2);
    assert.strictEqual(await a.get('user:1'), null);
    await until(() => b.get('user:1'), (v) => v === null);
  },
  async 'errors'(a) {
    assert.throws(() => new Larder('http://x'), /none of redis/);
    assert.throws(() => new Larder('redis://127.0.0.1', { pool: 'many' }), /a wrong pool/);
    assert.throws(() => new Larder('redis://127.0.0.1', { prefixes: 'x' }), /a wrong prefixes/);
    await assert.rejects(a.set({}, 'v'), /neither string nor Buffer/);
    await a.set('text', 'no JSON');
    await assert.rejects(a.getOrLoad('text', async () => 0), SyntaxError);
    const gone = new Larder('unix:///nowhere', { negativeTtlMs: 0, connectTimeoutMs: 100 });
    await assert.rejects(gone.get('k'), (e) => e instanceof LarderError && e.code === 'DOWN' && /cannot be reached/.test(e.message));
    await assert.rejects(gone.set('k', 'v'), { code: 'DOWN' });
    assert.strictEqual(await gone.getOrLoad('k', async () => 5), 5, 'without a server everybody loads for himself');
    await gone.close();
  },
  async 'many that wait for each other'(a, b) {
    let loads = 0;
    const load = async () => { loads++; await pause(10); return 1; };
    const keys = [...Array(40)].map((_, i) => `each:${i}`);
    const all = await Promise.all([...keys.map((k) => a.getOrLoad(k, load)), ...keys.reverse().map((k) => b.getOrLoad(k, load))]);
    assert.ok(all.every((v) => v === 1));
    // Redis: a load is void if what was told meanwhile may have been about its key.
    assert.ok(loads === keys.length || (!a.stats().leases && loads < keys.length + 10), `${loads} loads`);
  },
  async 'stale while one loads anew'(a) {
    let loads = 0;
    const load = async () => { loads++; await pause(20); return loads; };
    assert.strictEqual(await a.getOrLoad('old', load, { ttl: 30, stale: 60000 }), 1);
    await pause(60);
    const first = await a.getOrLoad('old', load, { ttl: 60000, stale: 60000 });
    assert.ok(first === 1 || !a.stats().leases, `${first}: an old value will do`); // Redis keeps none
    await until(() => a.getOrLoad('old', load, { ttl: 60000 }), (v) => v >= 2);
  },
  async 'why there is no server is told'() {
    const lost = new Larder('unix:///nowhere', { timeoutMs: 100 });
    await assert.rejects(() => lost.get('x'), /reached/);
    assert.match(lost.stats().trouble, /No such file/);
    await lost.close();
  },
  async 'index.d.ts declares what there is'(a) {
    const text = fs.readFileSync(path.join(__dirname, 'index.d.ts'), 'utf8');
    const inside = (head) => new RegExp(`${head} [^]*?\\n}`).exec(text)[0];
    const members = [...inside('export class Larder').matchAll(/^ {2}(\w+)(?=[<(])/gm)].map((m) => m[1]);
    assert.deepStrictEqual(members.sort(), Object.getOwnPropertyNames(Larder.prototype).sort());
    const figures = [...inside('export interface LarderStats').matchAll(/^ {2}(\w+):/gm)].map((m) => m[1]);
    assert.deepStrictEqual(figures.sort(), Object.keys(a.stats()).sort());
    const options = [...inside('export interface LarderOptions').matchAll(/^ {2}(\w+)\?:/gm)].map((m) => m[1]);
    for (const o of options) assert.throws(() => new Larder('unix:///nowhere', { [o]: {} }), new RegExp(`a wrong ${o}$`));
  },
};

(async () => {
  const names = Object.keys(cases);
  console.log(`1..${names.length}`);
  const a = new Larder(process.argv[2]), b = new Larder(process.argv[2], { l1Bytes: 1 << 20, timeoutMs: 2000 });
  let bad = 0;
  for (const [i, name] of names.entries()) {
    try {
      await cases[name](a, b);
      console.log(`ok ${i + 1} ${name}`);
    } catch (e) {
      bad++;
      console.log(`not ok ${i + 1} ${name}\n${e.stack}`);
    }
  }
  await a.close();
  await b.close();
  assert.throws(() => a.stats(), /closed/);
  process.exitCode = bad ? 1 : 0;
})();
