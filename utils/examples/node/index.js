'use strict';
// A near cache for Node.js: what is near comes without a round trip, what is not from larderd, what is not there from your loader,
// which runs once for a key, in all processes together. index.d.ts says what each function does.
//
//   const cache = new Larder('redis://127.0.0.1:6379');
//   const user = await cache.getOrLoad(`user:${id}`, () => database.user(id), { ttl: 60000 });
//   await cache.invalidate('user:*');
const path = require('path');
const addon = require(process.env.LARDER_ADDON || path.join(__dirname, 'larder.node'));

const OP = { get: 0, set: 1, del: 2, invalidate: 3, fetch: 4, fill: 5, absent: 6, abandon: 7 };
const STATUS = ['OK', 'NOT_FOUND', 'ERROR', 'DOWN', 'TIMEOUT', 'BUSY', 'QUEUED', 'DROPPED', 'INVALID', 'LOAD_FAILED', 'LOAD'];
const OK = 0, NOT_FOUND = 1, QUEUED = 6, LOAD = 10;

class LarderError extends Error {
  constructor(status) {
    super(addon.text(status));
    this.name = 'LarderError';
    this.status = status;
    this.code = STATUS[status] || String(status);
  }
}

// A fetch may wait for another process, which may wait for what is loaded here: one of libuv's threads is always left to say that it is.
const places = {
  free: Math.max(1, (Number(process.env.UV_THREADPOOL_SIZE) || 4) - 1),
  waiting: [],
  async enter() {
    if (this.free > 0) this.free--;
    else await new Promise((go) => this.waiting.push(go));
  },
  leave() {
    const next = this.waiting.shift();
    if (next) next();
    else this.free++;
  },
};

class Larder {
  #handle;
  #loading = new Map(); // key: the promise that all who ask meanwhile share
  #behind = new Set(); // loads that nobody waits for
  #running = 0;
  #quiet = null;

  constructor(urls, options = {}) {
    this.#handle = addon.open(urls, options);
  }

  async #run(op, key, data, ttl = 0, stale = -1) {
    this.#running++;
    try {
      return await addon.run(this.#handle, op, key, data, ttl, stale);
    } finally {
      if (--this.#running === 0 && this.#quiet) this.#quiet();
    }
  }

  async get(key) {
    let got = addon.near(this.#handle, key);
    if (got.status === LOAD) got = await this.#run(OP.get, key);
    if (got.status === OK) return got.value;
    if (got.status === NOT_FOUND) return null;
    throw new LarderError(got.status);
  }

  async set(key, value, { ttl = 0 } = {}) {
    const { status } = await this.#run(OP.set, key, value, ttl);
    if (status !== OK && status !== QUEUED) throw new LarderError(status);
  }

  async del(key) {
    const { status } = await this.#run(OP.del, key);
    if (status !== OK && status !== NOT_FOUND && status !== QUEUED) throw new LarderError(status);
    return status === OK;
  }

  async invalidate(pattern) {
    const { status, count } = await this.#run(OP.invalidate, pattern);
    if (status !== OK && status !== QUEUED) throw new LarderError(status);
    return count;
  }

  async getOrLoad(key, loader, { ttl = 60000, stale = 0 } = {}) {
    const near = addon.near(this.#handle, key);
    if (near.status === OK) return JSON.parse(near.value);
    let shared = this.#loading.get(key);
    if (!shared) {
      shared = this.#load(key, loader, ttl, stale).finally(() => this.#loading.delete(key));
      this.#loading.set(key, shared);
    }
    return shared;
  }

  async #load(key, loader, ttl, stale) {
    let got;
    await places.enter();
    try {
      got = await this.#run(OP.fetch, key, undefined, ttl, stale);
    } finally {
      places.leave();
    }
    if (got.status === OK) return JSON.parse(got.value);
    if (got.status === NOT_FOUND) return null;
    if (got.status !== LOAD) throw new LarderError(got.status);
    const loaded = this.#fill(got.lease, loader);
    if (!got.value) return loaded;
    const settled = loaded.catch(() => {}).finally(() => this.#behind.delete(settled)); // an old value will do, and the next who asks tries again
    this.#behind.add(settled);
    return JSON.parse(got.value);
  }

  async #fill(lease, loader) {
    let value, text;
    try {
      value = await loader();
      text = JSON.stringify(value);
    } catch (e) {
      await this.#run(OP.abandon, lease);
      throw e;
    }
    if (value === null || text === undefined) {
      await this.#run(OP.absent, lease);
      return null;
    }
    await this.#run(OP.fill, lease, text);
    return value;
  }

  stats() {
    return addon.stats(this.#handle);
  }

  async close() {
    await Promise.allSettled([...this.#loading.values(), ...this.#behind]);
    if (this.#running) await new Promise((done) => { this.#quiet = done; });
    addon.close(this.#handle);
  }
}

module.exports = { Larder, LarderError };
