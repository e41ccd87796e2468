/// <reference types="node" />

/** Times are milliseconds. What is left out is as larder(3) says. */
export interface LarderOptions {
  /** What the near cache may take; 0: there is none. */
  l1Bytes?: number;
  l1TtlMs?: number;
  /** Only keys that begin with one of these are kept near. */
  prefixes?: string[];
  pool?: number;
  connectTimeoutMs?: number;
  timeoutMs?: number;
  feedCheckMs?: number;
  staleIfDownMs?: number;
  downTtlMs?: number;
  negativeTtlMs?: number;
  leaseMs?: number;
  waitMs?: number;
  failures?: number;
  backoffMs?: number;
  backoffMaxMs?: number;
  /** What becomes of writes while the server is gone: 0 they fail, 1 they are dropped, 2 they wait. */
  writesWhenDown?: 0 | 1 | 2;
  queueBytes?: number;
  /** What CLIENT LIST shows. */
  name?: string;
}

export interface LoadOptions {
  /** 60,000 */
  ttl?: number;
  /** For so long after its ttl an old value will do while one caller loads anew; 0 */
  stale?: number;
}

export interface LarderStats {
  l1Hits: number;
  l1Stale: number;
  l1Misses: number;
  l1HitRatio: number;
  l1Entries: number;
  l1Bytes: number;
  l1Evictions: number;
  l2Hits: number;
  l2Misses: number;
  l2MeanUs: number;
  l2P99Us: number;
  l2Errors: number;
  l2Timeouts: number;
  hitRatio: number;
  loads: number;
  loadFailures: number;
  waits: number;
  invalidations: number;
  feedLosses: number;
  queued: number;
  dropped: number;
  /** 0: closed, the server is asked; 1: open; 2: half open */
  circuit: number;
  circuitOpened: number;
  /** 1: the near cache is kept true at the moment */
  trusted: number;
  /** 1: the server has CACHE FEED; CACHE FETCH */
  feed: number;
  leases: number;
  /** Why the server could last not be had, in words; '': it never was so. */
  trouble: string;
}

/** The server could not be asked, or refused. */
export class LarderError extends Error {
  constructor(status: number);
  readonly name: 'LarderError';
  /** enum larder_status of larder.h */
  readonly status: number;
  readonly code: 'ERROR' | 'DOWN' | 'TIMEOUT' | 'BUSY' | 'DROPPED' | 'INVALID' | 'LOAD_FAILED' | string;
}

export class Larder {
  /** redis://[user:pass@]host[:port][/db] or unix:///path, several with commas between them. Waits until the first has answered, or for the
   *  timeouts; throws where an argument is wrong or the login is refused. The server need not be there. */
  constructor(urls: string, options?: LarderOptions);
  /** null: there is none. */
  get(key: string | Buffer): Promise<Buffer | null>;
  /** ttl 0: none. */
  set(key: string | Buffer, value: string | Buffer, options?: { ttl?: number }): Promise<void>;
  /** Whether there was one. */
  del(key: string | Buffer): Promise<boolean>;
  /** All keys that match the glob pattern; how many there were. */
  invalidate(pattern: string): Promise<number>;
  /** What is kept under the key as JSON, else what `loader` brings, which then is kept. One loader runs for a key, in all processes that share
   *  the server. null or undefined: there is no such thing, which is remembered as well. What a loader throws is thrown. */
  getOrLoad<T>(key: string, loader: () => T | null | undefined | Promise<T | null | undefined>, options?: LoadOptions): Promise<T | null>;
  stats(): LarderStats;
  /** Once all that runs has ended. */
  close(): Promise<void>;
}
