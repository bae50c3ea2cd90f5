/**
 * Asks all routers of a pipeline once a second. A router counts as lost when it serves and was not heard for some seconds: what the others
 * tell is then not the whole load.
 */
import type { AlarmClock } from '@equipoise/core/model';
import { LABEL_PREFIX } from '../cluster/object-names.js';
import { isNext, isReady, type ObservedPod } from '../cluster/observed-objects.js';
import { wait } from '../cluster/wait.js';
import { routerUrl } from './ask-router.js';
import { RouterHistory } from './router-history.js';
import { readRouterPage } from './router-page.js';
import { SideCounts, type Sides } from './side-counts.js';

/** How routers are asked. `ask` gives the text of a page and rejects where there is none. */
export interface RouterWatchBase {
  readonly clock: AlarmClock;
  readonly ask: (url: string, signal: AbortSignal) => Promise<string>;
}

/** Between two rounds. */
const EVERY_MS = 1_000;
/** A router that takes longer is asked again in the next round. */
const ANSWER_MS = 900;
/** So long the last page stands for now. */
const FRESH_MS = 5_000;
/** What is counted in the first seconds of a router belongs to its start. */
const SETTLING_MS = 3_000;

/** The routers of one pipeline, as they are seen and heard. */
export class RouterWatch {
  readonly history: RouterHistory;
  readonly #counts = new SideCounts();
  /** When a router was heard first, by its uid. */
  readonly #firstHeardMs = new Map<string, number>();
  readonly #base: RouterWatchBase;
  readonly #heardAll: () => void;
  #heardSidesAtMs: number;
  #pods: readonly ObservedPod[] = [];
  /** Why a router was not heard the last time, by its uid. */
  readonly #troubles = new Map<string, string>();
  /** Since when a router serves as far as its pod says. */
  readonly #readySinceMs = new Map<string, number>();

  /** Begins with the routers of `pods`, which were there before; `heardAll` is called after each round. */
  constructor(base: RouterWatchBase, pods: readonly ObservedPod[], heardAll: () => void) {
    this.#base = base;
    this.#heardAll = heardAll;
    const startedAtMs = base.clock.nowMs();
    this.#heardSidesAtMs = startedAtMs;
    this.history = new RouterHistory(startedAtMs);
    this.#note(pods, startedAtMs);
  }

  /** The pods of the routers as they are now. */
  see(pods: readonly ObservedPod[]): void {
    this.#note(pods, this.#base.clock.nowMs());
  }

  #note(pods: readonly ObservedPod[], nowMs: number): void {
    const there = new Set(pods.map(idOf));
    for (const pod of this.#pods) {
      if (there.has(idOf(pod))) continue;
      this.history.gone(idOf(pod));
      this.#troubles.delete(idOf(pod));
      this.#readySinceMs.delete(idOf(pod));
      this.#firstHeardMs.delete(idOf(pod));
      this.#counts.gone(idOf(pod));
    }
    for (const pod of pods) {
      this.history.appeared(idOf(pod), nowMs);
      if (!serves(pod)) this.#readySinceMs.delete(idOf(pod));
      else if (!this.#readySinceMs.has(idOf(pod))) this.#readySinceMs.set(idOf(pod), nowMs);
      this.history.awaits(idOf(pod), this.#isAwaited(pod, nowMs));
    }
    this.#pods = pods;
  }

  /** Whether a router that serves was heard lately. */
  get isHeard(): boolean {
    const nowMs = this.#base.clock.nowMs();
    return this.#pods.filter(serves).some((pod) => this.#isFresh(pod, nowMs));
  }

  #isFresh(pod: ObservedPod, nowMs: number): boolean {
    return nowMs - (this.history.heardAtMs(idOf(pod)) ?? Number.NEGATIVE_INFINITY) <= FRESH_MS;
  }

  /** One that serves no requests and says nothing, such as one that crashes again and again, holds nobody up. */
  #isAwaited(pod: ObservedPod, nowMs: number): boolean {
    return pod.metadata.deletionTimestamp === undefined && (serves(pod) || this.#isFresh(pod, nowMs));
  }

  /** Whether there is a router that serves, and none of those is lost: sooner or later it is heard. */
  get isPromising(): boolean {
    return this.#pods.some(serves) && this.lost === undefined;
  }

  /**
   * What both sides of a shift ended and missed since the routers that serve are there, which each step of a shift starts anew; undefined
   * where one of them is not heard.
   */
  get sides(): Sides | undefined {
    if (!this.isHeard || this.lost !== undefined) return undefined;
    const own = this.#pods.filter((pod) => serves(pod) && !isNext(pod));
    if (own.length === 0) return undefined;
    const firstMs = own.map((pod) => this.#firstHeardMs.get(idOf(pod)) ?? this.#base.clock.nowMs());
    return this.#counts.since(Math.max(...firstMs) + SETTLING_MS);
  }

  /** How long `sides` has been undefined (ms); of what was before it was watched nothing is known. */
  get silentMs(): number {
    return this.sides === undefined ? this.#base.clock.nowMs() - this.#heardSidesAtMs : 0;
  }

  /** Which router that serves was not heard lately, and why; undefined where all were. */
  get lost(): string | undefined {
    const nowMs = this.#base.clock.nowMs();
    const lost = this.#pods.filter(serves).find((pod) => {
      const since = this.history.heardAtMs(idOf(pod)) ?? this.#readySinceMs.get(idOf(pod)) ?? nowMs;
      return nowMs - since > FRESH_MS;
    });
    return lost && `${lost.metadata.name}: ${this.#troubles.get(idOf(lost)) ?? 'no answer'}`;
  }

  /** Asks until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const begunAtMs = this.#base.clock.nowMs();
      await Promise.all(this.#pods.map((pod) => this.#ask(pod, signal)));
      if (signal.aborted) return;
      for (const pod of this.#pods) this.history.awaits(idOf(pod), this.#isAwaited(pod, this.#base.clock.nowMs()));
      if (this.sides !== undefined) this.#heardSidesAtMs = this.#base.clock.nowMs();
      this.#heardAll();
      await wait(this.#base.clock, Math.max(1, begunAtMs + EVERY_MS - this.#base.clock.nowMs()), signal);
    }
  }

  async #ask(pod: ObservedPod, signal: AbortSignal): Promise<void> {
    const url = routerUrl(pod);
    if (url === undefined) return;
    const asking = new AbortController();
    const stop = (): void => asking.abort();
    signal.addEventListener('abort', stop, { once: true });
    const cancel = this.#base.clock.ringAt(this.#base.clock.nowMs() + ANSWER_MS, stop);
    try {
      const page = readRouterPage(await this.#base.ask(url, asking.signal), pipelineOf(pod));
      if (page === undefined)
        this.#troubles.set(idOf(pod), `${url} shows no metrics of a router of this pipeline that serves`);
      else this.#heard(pod, page);
    } catch (error) {
      this.#troubles.set(idOf(pod), asking.signal.aborted ? `${url} gave no answer in time` : reasonOf(error));
    } finally {
      cancel();
      signal.removeEventListener('abort', stop);
    }
  }

  #heard(pod: ObservedPod, page: NonNullable<ReturnType<typeof readRouterPage>>): void {
    // It may have gone while it answered.
    if (!this.#pods.some((each) => idOf(each) === idOf(pod))) return;
    this.#troubles.delete(idOf(pod));
    const nowMs = this.#base.clock.nowMs();
    // Of a share picked by chance how bursty the load is cannot be told.
    const { burstiness: _, ...shared } = page;
    this.history.heard(idOf(pod), isNext(pod) ? shared : page, nowMs);
    this.#counts.heard(idOf(pod), isNext(pod) ? 'after' : 'before', page, nowMs);
    if (!this.#firstHeardMs.has(idOf(pod))) this.#firstHeardMs.set(idOf(pod), nowMs);
  }
}

const idOf = ({ metadata }: ObservedPod): string => metadata.uid ?? metadata.name;

const pipelineOf = ({ metadata }: ObservedPod): string => metadata.labels?.[`${LABEL_PREFIX}/pipeline`] ?? '';

const serves = (pod: ObservedPod): boolean => isReady(pod) && pod.metadata.deletionTimestamp === undefined;

/** `fetch` keeps what happened in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
