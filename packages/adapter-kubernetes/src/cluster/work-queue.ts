/**
 * Queue of keys that need a pass. A request during a pass leads to one more pass. Urgent keys go first. Failed passes are
 * retried with back-off. The server may ask for a longer delay, and the retries of all keys have a common rate.
 */
import type { AlarmClock, Rng } from '@equipoise/core/model';
import { type RetryDelays, retryAfterMs, retryDelayMs } from './retry-delay.js';
import { TokenBucket } from './token-bucket.js';

export interface WorkQueueDeps {
  readonly clock: AlarmClock;
  readonly rng: Rng;
  readonly limits?: WorkQueueLimits;
  /** Called after each pass. */
  readonly onTiming?: (timing: PassTiming) => void;
}

/** Times in ms: from the first request of a pass until it began, and of the pass itself. */
export interface PassTiming {
  readonly waitedMs: number;
  readonly tookMs: number;
}

/** Limits in ms, except `concurrency`. */
export interface WorkQueueLimits {
  readonly concurrency: number;
  readonly restMs: number;
  readonly retry: RetryDelays;
  /** Retries of all keys together. */
  readonly retries?: { readonly perSecond: number; readonly burst: number };
}

const USUAL_RETRIES = { perSecond: 10, burst: 100 };

const usualQueueLimits: WorkQueueLimits = {
  // Many, because passes mostly wait for the server.
  concurrency: 16,
  restMs: 100,
  retry: { shortestMs: 50, longestMs: 60_000 },
};

export type Pass = (key: string) => Promise<{ readonly againAfterMs?: number }>;

export class WorkQueue {
  readonly #deps: WorkQueueDeps;
  readonly #limits: WorkQueueLimits;
  readonly #pass: Pass;
  readonly #onFailure: (key: string, error: unknown) => void;
  /** Waiting keys, with the time of their first request. */
  readonly #waiting = new Map<string, number>();
  /** Waiting keys that go before all others. */
  readonly #urgent = new Set<string>();
  readonly #working = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #resting = new Map<string, () => void>();
  readonly #alarms = new Map<string, { readonly atMs: number; readonly cancel: () => void }>();
  readonly #bucket: TokenBucket;
  #running = false;
  #idle: () => void = () => {};

  constructor(base: WorkQueueDeps, pass: Pass, failed: (key: string, error: unknown) => void) {
    this.#deps = base;
    this.#limits = base.limits ?? usualQueueLimits;
    this.#pass = pass;
    this.#onFailure = failed;
    this.#bucket = new TokenBucket(base.clock, this.#limits.retries ?? USUAL_RETRIES);
  }

  /** True if no pass runs or waits; alarms do not count. */
  get isIdle(): boolean {
    return this.#waiting.size === 0 && this.#working.size === 0;
  }

  add(key: string, { isUrgent = false }: { readonly isUrgent?: boolean } = {}): void {
    if (isUrgent) this.#urgent.add(key);
    if (!this.#waiting.has(key)) this.#waiting.set(key, this.#deps.clock.nowMs());
    this.#begin();
  }

  /** Requests a pass after `delayMs`, unless one is due earlier. */
  addAfter(key: string, delayMs: number): void {
    const atMs = this.#deps.clock.nowMs() + delayMs;
    const before = this.#alarms.get(key);
    if (before !== undefined && before.atMs <= atMs) return;
    before?.cancel();
    const cancel = this.#deps.clock.ringAt(atMs, () => {
      this.#alarms.delete(key);
      this.add(key);
    });
    this.#alarms.set(key, { atMs, cancel });
  }

  /** Resolves after the last pass has ended. */
  async run(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#running = true;
    this.#begin();
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    this.#running = false;
    for (const { cancel } of this.#alarms.values()) cancel();
    this.#alarms.clear();
    for (const cancel of this.#resting.values()) cancel();
    this.#resting.clear();
    while (this.#working.size > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
  }

  #begin(): void {
    for (const keys of [this.#urgent.keys(), this.#waiting.keys()]) {
      for (const key of keys) {
        if (!this.#running || this.#working.size >= this.#limits.concurrency) return;
        if (this.#working.has(key) || this.#resting.has(key)) continue;
        const sinceMs = this.#waiting.get(key) ?? this.#deps.clock.nowMs();
        this.#urgent.delete(key);
        this.#waiting.delete(key);
        this.#working.add(key);
        void this.#work(key, sinceMs);
      }
    }
  }

  async #work(key: string, sinceMs: number): Promise<void> {
    const { clock, onTiming } = this.#deps;
    const beganAtMs = clock.nowMs();
    try {
      const { againAfterMs } = await this.#pass(key);
      this.#failures.delete(key);
      if (againAfterMs !== undefined && this.#running) this.addAfter(key, againAfterMs);
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      this.#onFailure(key, error);
      if (this.#running) this.addAfter(key, this.#delayMs(error, failures));
    } finally {
      onTiming?.({ waitedMs: beganAtMs - sinceMs, tookMs: clock.nowMs() - beganAtMs });
      this.#working.delete(key);
      if (this.#running) this.#rest(key);
      if (this.#working.size === 0) this.#idle();
      this.#begin();
    }
  }

  #delayMs(error: unknown, failures: number): number {
    const ownMs = retryDelayMs(failures, this.#limits.retry, this.#deps.rng);
    return Math.max(ownMs, this.#bucket.take(), retryAfterMs(error));
  }

  #rest(key: string): void {
    const { clock } = this.#deps;
    const cancel = clock.ringAt(clock.nowMs() + this.#limits.restMs, () => {
      this.#resting.delete(key);
      this.#begin();
    });
    this.#resting.set(key, cancel);
  }
}
