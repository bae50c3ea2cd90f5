/**
 * Asks all routers at the pace that the policy needs, usually once a second. While the policy is quiet, a router answers
 * at the end of the quiet time or at a burst. A stale signal makes the load incomplete.
 */
import type { AlarmClock, ArrivalEnvelope } from '@equipoise/core/model';
import { LABEL_PREFIX } from '../cluster/object-names.js';
import { isCanaryRouter, isReady, type ObservedPod, routerOf } from '../cluster/observed-objects.js';
import { wait } from '../cluster/wait.js';
import { type RouterAccess, type RouterQuestion, routerUrl } from './ask-router.js';
import { BatchTotals } from './batch-totals.js';
import { RouterHistory } from './router-history.js';
import { readRouterPage } from './router-page.js';
import { SideCounts, type Sides } from './side-counts.js';
import type { SignalAge, SignalWatch, StaleSignal } from './signal-watch.js';

export interface RouterWatchDeps extends Pick<RouterAccess, 'ask'> {
  readonly clock: AlarmClock;
  /** Place of a router's page; by default that of its pod. */
  readonly urlOf?: RouterAccess['urlOf'];
}

/** Time (monotonic) until which the policy needs no load, unless more than `most` arrives in a window. */
export interface Pace {
  readonly untilMs: number;
  readonly most: ArrivalEnvelope;
}

/** Asked before each round; undefined for the usual pace. */
export type PaceSource = () => Pace | undefined;

const EVERY_MS = 1_000;
/** Maximum wait for a page; slower routers are asked again in the next round. */
const ANSWER_MS = 900;
/** A page older than this is stale. */
const FRESH_MS = 5_000;
/** Longest wait for a burst, and shortest wait that is worth it. */
const MOST_WAIT_MS = 14_000;
const LEAST_WAIT_MS = 500;
/** Whole seconds that a page shows beyond those since the last page, and at most. */
const SPARE_SECONDS = 3;
const MOST_SECONDS = 600;
/** An answer this long before its time is that of a burst. */
const EARLY_MS = 300;
/** Outcomes this soon after a router's first page are ignored. */
const SETTLING_MS = 3_000;

export class RouterWatch implements SignalWatch {
  readonly history: RouterHistory;
  /** Batches of the serving router. */
  readonly batches = new BatchTotals();
  readonly #counts = new SideCounts();
  readonly #firstPageMs = new Map<string, number>();
  readonly #deps: RouterWatchDeps;
  readonly #onRound: () => void;
  readonly #pace: PaceSource;
  /** Ends the waiting of the round under way. */
  #hurry = new AbortController();
  /** Longest wait of the round under way. */
  #waitMs = 0;
  /** Routers whose last page has the arrivals by second, and that so can wait. */
  readonly #canWait = new Set<string>();
  #sidesAtMs: number;
  #share = 0;
  #shareSinceMs = Number.NEGATIVE_INFINITY;
  #pods: readonly ObservedPod[] = [];
  readonly #issues = new Map<string, string>();
  readonly #readySinceMs = new Map<string, number>();

  /** `pods` existed before the watch; `heardAll` is called after each round. */
  constructor(
    base: RouterWatchDeps,
    pods: readonly ObservedPod[],
    heardAll: () => void,
    pace: PaceSource = () => undefined,
  ) {
    this.#deps = base;
    this.#pace = pace;
    this.#onRound = heardAll;
    const startedAtMs = base.clock.nowMs();
    this.#sidesAtMs = startedAtMs;
    this.history = new RouterHistory(startedAtMs);
    this.#noteAt(pods, startedAtMs);
  }

  updatePods(pods: readonly ObservedPod[]): void {
    if (!isSamePods(pods, this.#pods)) this.hurry();
    this.#noteAt(pods, this.#deps.clock.nowMs());
  }

  /** Ends the waiting of the round under way, because the pace may have changed. */
  hurry(): void {
    this.#hurry.abort();
  }

  #noteAt(pods: readonly ObservedPod[], nowMs: number): void {
    const there = new Set(pods.map(idOf));
    for (const pod of this.#pods) {
      if (there.has(idOf(pod))) continue;
      this.history.removeRouter(idOf(pod));
      this.#issues.delete(idOf(pod));
      this.#readySinceMs.delete(idOf(pod));
      this.#firstPageMs.delete(idOf(pod));
      this.#canWait.delete(idOf(pod));
      this.#counts.removeRouter(idOf(pod));
      this.batches.removeRouter(idOf(pod));
    }
    for (const pod of pods) {
      this.history.addRouter(idOf(pod), nowMs);
      if (!serves(pod)) this.#readySinceMs.delete(idOf(pod));
      else if (!this.#readySinceMs.has(idOf(pod))) this.#readySinceMs.set(idOf(pod), nowMs);
      this.history.setAwaited(idOf(pod), this.#isAwaited(pod, nowMs));
    }
    this.#pods = pods;
  }

  get hasSignal(): boolean {
    const nowMs = this.#deps.clock.nowMs();
    return this.#pods.filter(serves).some((pod) => this.#isFresh(pod, nowMs));
  }

  #isFresh(pod: ObservedPod, nowMs: number): boolean {
    return nowMs - (this.history.lastPageAtMs(idOf(pod)) ?? Number.NEGATIVE_INFINITY) <= FRESH_MS + this.#waitMs;
  }

  /** True if the load needs a page of this router. A router in a crash loop is ignored. */
  #isAwaited(pod: ObservedPod, nowMs: number): boolean {
    return pod.metadata.deletionTimestamp === undefined && (serves(pod) || this.#isFresh(pod, nowMs));
  }

  /** True if a router serves and no router is stale. */
  get willReport(): boolean {
    return this.#pods.some(serves) && this.stale === undefined;
  }

  /** Outcomes since the last canary step; undefined if a signal is stale. */
  get sides(): Sides | undefined {
    if (!this.hasSignal || this.stale !== undefined) return undefined;
    const own = this.#pods.filter((pod) => serves(pod) && !isCanaryRouter(pod) && routerOf(pod) === 0);
    if (own.length === 0) return undefined;
    const firstMs = own.map((pod) => this.#firstPageMs.get(idOf(pod)) ?? this.#deps.clock.nowMs());
    return this.#counts.since(Math.max(this.#shareSinceMs, ...firstMs) + SETTLING_MS);
  }

  /** Restarts the counts when the share of a canary changes: in a mesh, no router restarts. */
  noteShare(fraction: number): void {
    if (fraction === this.#share) return;
    this.#share = fraction;
    this.#shareSinceMs = this.#deps.clock.nowMs();
  }

  /** Time (ms) without `sides`, at most the age of the watch. */
  get staleMs(): number {
    return this.sides === undefined ? this.#deps.clock.nowMs() - this.#sidesAtMs : 0;
  }

  /** A serving router with a stale signal. */
  get stale(): StaleSignal | undefined {
    const nowMs = this.#deps.clock.nowMs();
    const lost = this.#pods.filter(serves).find((pod) => {
      const since = this.history.lastPageAtMs(idOf(pod)) ?? this.#readySinceMs.get(idOf(pod)) ?? nowMs;
      return nowMs - since > FRESH_MS + this.#waitMs;
    });
    if (lost === undefined) return undefined;
    const name = `${lost.metadata.name}: ${this.#issues.get(idOf(lost)) ?? 'no answer'}`;
    return {
      reason: 'RouterUnreachable',
      source: `router ${name}`,
      message: `No fresh metrics of the router ${name}. The last plan is kept.`,
    };
  }

  get ages(): readonly SignalAge[] {
    const nowMs = this.#deps.clock.nowMs();
    return this.#pods.filter(serves).map((pod) => {
      const atMs = this.history.lastPageAtMs(idOf(pod));
      return { source: `router ${pod.metadata.name}`, ...(atMs !== undefined && { ageMs: nowMs - atMs }) };
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const begunAtMs = this.#deps.clock.nowMs();
      await this.#askAll(signal);
      if (signal.aborted) return;
      for (const pod of this.#pods) this.history.setAwaited(idOf(pod), this.#isAwaited(pod, this.#deps.clock.nowMs()));
      if (this.sides !== undefined) this.#sidesAtMs = this.#deps.clock.nowMs();
      this.#onRound();
      await wait(this.#deps.clock, Math.max(1, begunAtMs + EVERY_MS - this.#deps.clock.nowMs()), signal);
    }
  }

  /** One round. A burst at one router, or another pace, ends the waiting for the others, which are asked again. */
  async #askAll(signal: AbortSignal): Promise<void> {
    const hurry = new AbortController();
    this.#hurry = hurry;
    const pods = this.#pods;
    const pace =
      pods.length > 0 && pods.every((pod) => serves(pod) && this.#canWait.has(idOf(pod))) ? this.#pace() : undefined;
    const leftMs = Math.round((pace?.untilMs ?? 0) - this.#deps.clock.nowMs());
    const waitMs = leftMs < LEAST_WAIT_MS ? 0 : Math.min(MOST_WAIT_MS, leftMs);
    // Each router gets its part of what may arrive, because only the sum of all is bounded.
    const most = (pace?.most ?? []).map(({ windowS, arrivals }) => ({ windowS, arrivals: arrivals / pods.length }));
    if (waitMs === 0) {
      await Promise.all(pods.map((pod) => this.#ask(pod, { signal, waitMs, most })));
      return;
    }
    this.#waitMs = waitMs;
    const waiting = AbortSignal.any([signal, hurry.signal]);
    const untilMs = this.#deps.clock.nowMs() + waitMs - EARLY_MS;
    await Promise.all(
      pods.map(async (pod) => {
        await this.#ask(pod, { signal: waiting, waitMs, most });
        if (this.#deps.clock.nowMs() < untilMs) hurry.abort();
      }),
    );
    if (!hurry.signal.aborted || signal.aborted) {
      this.#waitMs = 0;
      return;
    }
    await Promise.all(this.#pods.map((pod) => this.#ask(pod, { signal, waitMs: 0, most })));
    this.#waitMs = 0;
  }

  async #ask(pod: ObservedPod, { signal, waitMs, most }: Asking): Promise<void> {
    const { urlOf = routerUrl } = this.#deps;
    const url = urlOf(pod);
    if (url === undefined || signal.aborted) return;
    const asking = new AbortController();
    const stop = (): void => asking.abort();
    signal.addEventListener('abort', stop, { once: true });
    const cancel = this.#deps.clock.ringAt(this.#deps.clock.nowMs() + waitMs + ANSWER_MS, stop);
    try {
      const question = { waitMs, most, seconds: this.#secondsSince(idOf(pod)) + Math.ceil(waitMs / 1000) };
      const page = readRouterPage(await this.#deps.ask(url, asking.signal, question), pipelineOf(pod));
      if (page === undefined)
        this.#issues.set(idOf(pod), `${url} shows no metrics of a router of this pipeline that serves`);
      else this.#record(pod, page);
    } catch (error) {
      this.#canWait.delete(idOf(pod));
      // The waiting was ended, not the router.
      if (signal.aborted) return;
      this.#issues.set(idOf(pod), asking.signal.aborted ? `${url} gave no answer in time` : reasonOf(error));
    } finally {
      cancel();
      signal.removeEventListener('abort', stop);
    }
  }

  /** Seconds that the next page must show. */
  #secondsSince(router: string): number {
    const nowMs = this.#deps.clock.nowMs();
    const sinceMs = nowMs - (this.history.lastPageAtMs(router) ?? nowMs);
    return Math.min(MOST_SECONDS - Math.ceil(MOST_WAIT_MS / 1000), Math.ceil(sinceMs / 1000) + SPARE_SECONDS);
  }

  #record(pod: ObservedPod, page: NonNullable<ReturnType<typeof readRouterPage>>): void {
    // The pod may have been deleted while it answered.
    if (!this.#pods.some((each) => idOf(each) === idOf(pod))) return;
    this.#issues.delete(idOf(pod));
    if (page.seconds === undefined) this.#canWait.delete(idOf(pod));
    else this.#canWait.add(idOf(pod));
    const nowMs = this.#deps.clock.nowMs();
    // The burstiness of a random share differs from that of all requests.
    const { burstiness: _, ...shared } = page;
    this.history.addPage(idOf(pod), isCanaryRouter(pod) ? shared : page, nowMs);
    // Canaries begin at the first router.
    if (routerOf(pod) === 0) this.#counts.addPage(idOf(pod), isCanaryRouter(pod) ? 'after' : 'before', page, nowMs);
    this.batches.addPage(idOf(pod), page.batches, nowMs);
    if (!this.#firstPageMs.has(idOf(pod))) this.#firstPageMs.set(idOf(pod), nowMs);
  }
}

type Asking = Pick<RouterQuestion, 'waitMs' | 'most'> & { readonly signal: AbortSignal };

const isSamePods = (a: readonly ObservedPod[], b: readonly ObservedPod[]): boolean =>
  a.length === b.length && a.every((pod, index) => isSamePod(pod, b[index]));

const isSamePod = (a: ObservedPod, b: ObservedPod | undefined): boolean =>
  a === b || (b !== undefined && idOf(a) === idOf(b) && serves(a) === serves(b));

const idOf = ({ metadata }: ObservedPod): string => metadata.uid ?? metadata.name;

const pipelineOf = ({ metadata }: ObservedPod): string => metadata.labels?.[`${LABEL_PREFIX}/pipeline`] ?? '';

const serves = (pod: ObservedPod): boolean => isReady(pod) && pod.metadata.deletionTimestamp === undefined;

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
