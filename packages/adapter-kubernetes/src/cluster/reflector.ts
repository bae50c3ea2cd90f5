/**
 * Local copy of the objects of a selection. An ended watch resumes at its version. If the version expired, or the watch
 * fell silent, the reflector lists again and reports differences. A server that was restored from a snapshot has smaller
 * versions: it sends nothing to a watch from a larger one.
 */
import { type AlarmClock, AppError, type Rng } from '@equipoise/core/model';
import type { KubeApi, Selection, WatchEvent } from '../api/kube-api.js';
import { type KubeObject, objectKey } from '../api/kube-object.js';
import { type RetryDelays, retryAfterMs, retryDelayMs } from './retry-delay.js';
import { wait } from './wait.js';

export interface ReflectorDeps {
  readonly api: KubeApi;
  readonly clock: AlarmClock;
  readonly rng: Rng;
  readonly limits?: ReflectorLimits;
}

export interface ReflectorLimits {
  readonly pageSize: number;
  /** Bounds of a random duration, so that watches do not all end at once. */
  readonly watchMs: { readonly shortest: number; readonly longest: number };
  /** Silence after which a watch is dropped. Servers send a bookmark about once a minute. */
  readonly silenceMs: number;
  readonly retry: RetryDelays;
}

/** `object` is missing if it was deleted. */
export interface ReflectorListener<T extends KubeObject> {
  /** Returns the part of an object to keep and report, or undefined for none; by default all of it. */
  keep?(object: T): T | undefined;
  onChange(key: string, object: T | undefined): void;
  onFailure(error: unknown, failuresInARow: number): void;
}

export const usualReflectorLimits: ReflectorLimits = {
  pageSize: 500,
  watchMs: { shortest: 240_000, longest: 360_000 },
  silenceMs: 150_000,
  retry: { shortestMs: 200, longestMs: 10_000 },
};

export class Reflector<T extends KubeObject> {
  readonly #deps: ReflectorDeps;
  readonly #limits: ReflectorLimits;
  readonly #selection: Selection<T>;
  readonly #listener: ReflectorListener<T>;
  readonly #objects = new Map<string, T>();
  #listed = false;
  #failures = 0;
  /** Delay that the server asked for with the last failure. */
  #askedMs = 0;

  constructor(base: ReflectorDeps, selection: Selection<T>, listener: ReflectorListener<T>) {
    this.#deps = base;
    this.#limits = base.limits ?? usualReflectorLimits;
    this.#selection = selection;
    this.#listener = listener;
  }

  get objects(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  /** Name of the resource. */
  get plural(): string {
    return this.#selection.type.plural;
  }

  get isListed(): boolean {
    return this.#listed;
  }

  /** Resolves when `signal` aborts; never rejects because of the server. */
  async run(signal: AbortSignal): Promise<void> {
    let version: string | undefined;
    while (!signal.aborted) {
      const failuresBefore = this.#failures;
      try {
        version = version === undefined ? await this.#list() : await this.#follow(version, signal);
      } catch (error) {
        if (!signal.aborted) this.#onFailure(error);
      }
      if (this.#failures > failuresBefore) {
        const ownMs = retryDelayMs(this.#failures, this.#limits.retry, this.#deps.rng);
        await wait(this.#deps.clock, Math.max(ownMs, this.#askedMs), signal);
      }
    }
  }

  #onFailure(error: unknown): void {
    this.#failures++;
    this.#askedMs = retryAfterMs(error);
    this.#listener.onFailure(error, this.#failures);
  }

  /** Returns the version to continue from; undefined if the list expired. */
  async #list(): Promise<string | undefined> {
    const found = new Map<string, T>();
    let continueToken: string | undefined;
    let version: string;
    do {
      const next = continueToken === undefined ? {} : { continueToken };
      const page = await this.#deps.api.list(this.#selection, { limit: this.#limits.pageSize, ...next });
      if (page.kind === 'expired') {
        this.#onFailure(new Error('the list expired before its last page'));
        return undefined;
      }
      for (const object of page.objects) {
        const kept = this.#keep(object);
        if (kept !== undefined) found.set(objectKey(object.metadata), kept);
      }
      version = page.resourceVersion;
      continueToken = page.continueToken;
    } while (continueToken !== undefined);
    this.#listed = true;
    for (const key of [...this.#objects.keys()]) if (!found.has(key)) this.#put(key, undefined);
    for (const [key, object] of found) this.#put(key, object);
    return version;
  }

  /** Returns the version to continue from; undefined if a new list is needed. */
  async #follow(from: string, signal: AbortSignal): Promise<string | undefined> {
    const { clock } = this.#deps;
    const beganAtMs = clock.nowMs();
    const silence = new SilenceAlarm(clock, this.#limits.silenceMs, signal);
    const progress = { version: from };
    let isExpired = false;
    let failure: unknown;
    try {
      isExpired = await this.#read(progress, silence);
    } catch (error) {
      failure = error;
    }
    silence.stop();
    const isIdle = progress.version === from && clock.nowMs() - beganAtMs < SHORT_WATCH_MS;
    if (!isIdle) this.#failures = 0;
    if (signal.aborted) return undefined;
    if (silence.rang) failure ??= new Error(`nothing heard of the watch for ${this.#limits.silenceMs} ms`);
    if (isIdle) failure ??= new Error(isExpired ? 'the watch began at a forgotten version' : 'the watch ended at once');
    if (failure !== undefined) this.#onFailure(failure);
    return isExpired || silence.rang || isOfVersion(failure) ? undefined : progress.version;
  }

  /** Reads events; returns true if the version has expired. */
  async #read(progress: { version: string }, silence: SilenceAlarm): Promise<boolean> {
    const from = { resourceVersion: progress.version, timeoutSeconds: this.#watchSeconds() };
    for await (const event of this.#deps.api.watch(this.#selection, from, silence.signal)) {
      if (event.kind === 'expired') return true;
      silence.restart();
      progress.version = this.#applyEvent(event);
    }
    return false;
  }

  #applyEvent(event: Exclude<WatchEvent<T>, { kind: 'expired' }>): string {
    if (event.kind === 'bookmark') return event.resourceVersion;
    const { metadata } = event.object;
    this.#put(objectKey(metadata), event.kind === 'deleted' ? undefined : this.#keep(event.object));
    return metadata.resourceVersion ?? '';
  }

  #keep(object: T): T | undefined {
    return this.#listener.keep === undefined ? object : this.#listener.keep(object);
  }

  #put(key: string, object: T | undefined): void {
    const before = this.#objects.get(key);
    if (object === undefined) this.#objects.delete(key);
    else this.#objects.set(key, object);
    if (before?.metadata.resourceVersion !== object?.metadata.resourceVersion) this.#listener.onChange(key, object);
  }

  #watchSeconds(): number {
    const { shortest, longest } = this.#limits.watchMs;
    return Math.round((shortest + (longest - shortest) * this.#deps.rng.next()) / 1000);
  }
}

/** A shorter watch without events counts as a failure, to avoid a tight loop. */
const SHORT_WATCH_MS = 1_000;

/** True if the server does not know the version: it is malformed (400) or too large (504). */
const isOfVersion = (failure: unknown): boolean =>
  failure instanceof AppError && [400, 504].includes(Number(failure.details['httpStatus']));

class SilenceAlarm {
  rang = false;
  readonly #clock: AlarmClock;
  readonly #silenceMs: number;
  readonly #outer: AbortSignal;
  readonly #abort = new AbortController();
  #cancel: () => void = () => {};

  constructor(clock: AlarmClock, silenceMs: number, outer: AbortSignal) {
    this.#clock = clock;
    this.#silenceMs = silenceMs;
    this.#outer = outer;
    outer.addEventListener('abort', this.#abortNow, { once: true });
    if (outer.aborted) this.#abortNow();
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  restart(): void {
    this.#cancel();
    this.#cancel = this.#clock.ringAt(this.#clock.nowMs() + this.#silenceMs, () => {
      this.rang = true;
      this.#abort.abort();
    });
  }

  stop(): void {
    this.#cancel();
    this.#outer.removeEventListener('abort', this.#abortNow);
  }

  readonly #abortNow = (): void => this.#abort.abort();
}
