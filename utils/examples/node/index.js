'use strict';
// A near cache for Node.js: what is near comes without a round trip, what is not from larderd, what is not there from your loader,
// which runs once for a key, in all processes together.
//
//   const cache = new Larder('redis://127.0.0.1:6379');
//   const user = await cache.getOrLoad(`user:${id}`, () => database.user(id), { ttl: 60000 });
//   await cache.invalidate('user:*');
const path = require('path');
const addon = require(process.env.LARDER_ADDON || path.join(__dirname, 'larder.node'));

const OP = { get: 0, set: 1, del: 2, invalidate: 3, fetch: 4, fill: 5, absent: 6, abandon: 7 };
const STATUS = ['ok', 'not found', 'refused by the server', 'server down', 'timeout', 'busy', 'queued', 'dropped', 'invalid', 'load failed', 'load'];
const OK = 0, NOT_FOUND = 1, QUEUED = 6, LOAD = 10;

class LarderError extends Error {
  constructor(status) {
    super(STATUS[status] || `status ${status}`);
    this.status = status;
  }
}

class Larder {
  constructor(urls, options = {}) {
    this.handle = addon.open(urls, options);
    this.loading = new Map(); // key: the promise that all who ask meanwhile share
    this.running = 0;
    this.quiet = null;
  }

  async run(op, key, data, ttl = 0, stale = -1) {
    this.running++;
    try {
      return await addon.run(this.handle, op, key, data, ttl, stale);
    } finally {
      if (--this.running === 0 && this.quiet) this.quiet();
    }
  }

  /** The value as a Buffer, or null. */
  async get(key) {
    let got = addon.near(this.handle, key);
    if (got.status === LOAD) got = await this.run(OP.get, key);
    if (got.status === OK) return got.value;
    if (got.status === NOT_FOUND) return null;
    throw new LarderError(got.status);
  }

  /** What JSON.stringify makes of the value is kept; Buffers and strings are kept as they are by set. */
  async set(key, value, { ttl = 0 } = {}) {
    const { status } = await this.run(OP.set, key, value, ttl);
    if (status !== OK && status !== QUEUED) throw new LarderError(status);
  }

  async del(key) {
    const { status } = await this.run(OP.del, key);
    if (status !== OK && status !== NOT_FOUND && status !== QUEUED) throw new LarderError(status);
    return status === OK;
  }

  /** All keys that match; resolves to how many there were. */
  async invalidate(pattern) {
    const { status, count } = await this.run(OP.invalidate, pattern);
    if (status !== OK && status !== QUEUED) throw new LarderError(status);
    return count;
  }

  /** The value, parsed from JSON; where there is none, what `loader` brings. A loader that brings undefined or null says that there is
   *  no such thing, which is remembered too. `stale`: for so long after its ttl an old value will do while one caller loads anew. */
  async getOrLoad(key, loader, { ttl = 60000, stale = 0 } = {}) {
    const near = addon.near(this.handle, key);
    if (near.status === OK) return JSON.parse(near.value);
    let shared = this.loading.get(key);
    if (!shared) {
      shared = this.load(key, loader, ttl, stale).finally(() => this.loading.delete(key));
      this.loading.set(key, shared);
    }
    return shared;
  }

  async load(key, loader, ttl, stale) {
    const got = await this.run(OP.fetch, key, undefined, ttl, stale);
    if (got.status === OK) return JSON.parse(got.value);
    if (got.status === NOT_FOUND) return null;
    if (got.status !== LOAD) throw new LarderError(got.status);
    const loaded = this.fill(got.lease, loader);
    if (!got.value) return loaded;
    loaded.catch(() => {}); // an old value will do, and the next who asks tries again
    return JSON.parse(got.value);
  }

  async fill(lease, loader) {
    let value;
    try {
      value = await loader();
    } catch (e) {
      await this.run(OP.abandon, lease);
      throw e;
    }
    if (value === undefined || value === null) {
      await this.run(OP.absent, lease);
      return null;
    }
    await this.run(OP.fill, lease, JSON.stringify(value));
    return value;
  }

  stats() {
    return addon.stats(this.handle);
  }

  /** Once all that runs has ended. */
  async close() {
    await Promise.allSettled([...this.loading.values()]);
    if (this.running) await new Promise((done) => { this.quiet = done; });
    addon.close(this.handle);
  }
}

module.exports = { Larder, LarderError };
