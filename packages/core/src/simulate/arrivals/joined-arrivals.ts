/**
 * Requests of several sources on the simulated clock: the parts arrive, and the join that serves them (`SourceJoin`)
 * begins the requests.
 */
import { EventHeap } from '../../kernel/event-heap.js';
import { drawExponential, type Rng } from '../../kernel/rng.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import { type SourceCounts, SourceJoin, sourceJoinRules } from '../../serve/source-join.js';
import { type ArrivalProcess, poissonArrivals } from './constant-rate.js';

/** How sources send the parts of the requests of a load. */
export interface SourceLoad {
  /** Mean of the exponential gaps between the parts of a request, which come in any order. */
  readonly meanGapMs: number;
  /** Number of keys in turn; default: each request has a key of its own. */
  readonly keys?: number | undefined;
  readonly sources: readonly SourceBehavior[];
}

export interface SourceBehavior {
  /** Fraction of the parts that are not sent. */
  readonly missingFraction?: number | undefined;
  /** Fraction of the parts that come later by `byMs`. */
  readonly late?: { readonly fraction: number; readonly byMs: number } | undefined;
  /** Set: Poisson arrivals of its own with random keys, in place of parts of the requests. */
  readonly arrivalRps?: number | undefined;
}

/** Delays (ms) of the parts of the next request, by source. Undefined without a part. */
export function partDelays({ meanGapMs, sources }: SourceLoad, rng: Rng): () => readonly (number | undefined)[] {
  const ofRequest = sources.flatMap(({ arrivalRps }, source) => (arrivalRps === undefined ? [source] : []));
  return () => {
    const order = ofRequest.map((source) => ({ source, place: rng.next() })).sort((a, b) => a.place - b.place);
    const delays: (number | undefined)[] = sources.map(() => undefined);
    let delayMs = 0;
    for (const [position, { source }] of order.entries()) {
      if (position > 0) delayMs += meanGapMs * drawExponential(rng);
      const { missingFraction = 0, late } = sources[source] as SourceBehavior;
      const isSent = rng.next() >= missingFraction;
      const isLate = rng.next() < (late?.fraction ?? 0);
      if (isSent) delays[source] = delayMs + (isLate ? (late?.byMs ?? 0) : 0);
    }
    return delays;
  };
}

/** Arrivals with a random key 0…`keys` − 1, for a source with a rate of its own. */
export function ownArrivals(arrivalRps: number, durationMs: number, { keys = 1 }: Pick<SourceLoad, 'keys'>, rng: Rng) {
  const arrivals = poissonArrivals(arrivalRps, durationMs, rng);
  return { nextAtMs: () => arrivals.nextAtMs(), nextKey: () => Math.floor(keys * rng.next()) };
}

interface JoinedLoad {
  readonly spec: Pick<PipelineSpec, 'sources' | 'sourceJoin'>;
  readonly load: SourceLoad;
  /** Requests whose parts the sources send. */
  readonly requests: ArrivalProcess;
  readonly durationMs: number;
  readonly rng: Rng;
}

interface PartArrival {
  readonly source: number;
  readonly key: string;
}

/** Kind of an event in the heap: a request, then a source with arrivals of its own (−2 − source); else a part. */
const REQUEST = -1;

export class JoinedArrivals implements ArrivalProcess {
  readonly #join: SourceJoin<true>;
  readonly #events = new EventHeap();
  readonly #parts = new Map<number, PartArrival>();
  readonly #begun: { readonly atMs: number; readonly has: readonly boolean[] }[] = [];
  /** Of requests that were returned and not taken. */
  readonly #taken: (readonly boolean[])[] = [];
  readonly #load: SourceLoad;
  readonly #requests: ArrivalProcess;
  readonly #own: readonly (ReturnType<typeof ownArrivals> | undefined)[];
  readonly #delays: () => readonly (number | undefined)[];
  #wakesAtMs = Number.POSITIVE_INFINITY;
  #sentRequests = 0;
  #sentParts = 0;

  constructor({ spec, load, requests, durationMs, rng }: JoinedLoad) {
    this.#load = load;
    this.#requests = requests;
    this.#delays = partDelays(load, rng.fork('parts'));
    this.#own = load.sources.map(({ arrivalRps }, source) =>
      arrivalRps === undefined ? undefined : ownArrivals(arrivalRps, durationMs, load, rng.fork(`source ${source}`)),
    );
    this.#join = new SourceJoin<true>(sourceJoinRules(spec), {
      begin: (parts, atMs) => this.#begun.push({ atMs, has: parts.map((part) => part !== undefined) }),
      giveUp: () => {},
      forget: () => {},
      wakeAt: (atMs) => {
        this.#wakesAtMs = atMs;
      },
    });
    this.#schedule(REQUEST, requests.nextAtMs());
    for (const [source, own] of this.#own.entries()) this.#schedule(REQUEST - 1 - source, own?.nextAtMs());
  }

  get counts(): readonly SourceCounts[] {
    return this.#join.counts;
  }

  nextAtMs(): number | undefined {
    for (;;) {
      const next = this.#begun.shift();
      if (next !== undefined) {
        this.#taken.push(next.has);
        return next.atMs;
      }
      if (this.#wakesAtMs <= this.#events.nextAtMs) {
        if (this.#wakesAtMs === Number.POSITIVE_INFINITY) return undefined;
        const atMs = this.#wakesAtMs;
        this.#wakesAtMs = Number.POSITIVE_INFINITY;
        this.#join.advance(atMs);
      } else this.#step(this.#events.nextAtMs, this.#events.pop());
    }
  }

  takeParts(): readonly boolean[] {
    return this.#taken.shift() ?? [];
  }

  #step(atMs: number, event: number): void {
    if (event === REQUEST) this.#send(atMs);
    else if (event < REQUEST) {
      const source = REQUEST - 1 - event;
      const own = this.#own[source];
      this.#join.offer({ source, key: `${own?.nextKey()}`, part: true }, atMs);
      this.#schedule(event, own?.nextAtMs());
    } else {
      const part = this.#parts.get(event);
      this.#parts.delete(event);
      if (part !== undefined) this.#join.offer({ ...part, part: true }, atMs);
    }
  }

  #send(atMs: number): void {
    const { keys } = this.#load;
    const request = this.#sentRequests++;
    const key = `${keys === undefined ? request : request % keys}`;
    for (const [source, delayMs] of this.#delays().entries()) {
      if (delayMs === undefined) continue;
      const part = this.#sentParts++;
      this.#parts.set(part, { source, key });
      this.#events.push(atMs + delayMs, part);
    }
    this.#schedule(REQUEST, this.#requests.nextAtMs());
  }

  #schedule(event: number, atMs: number | undefined): void {
    if (atMs !== undefined) this.#events.push(atMs, event);
  }
}

export interface JoinedStream {
  /** Of the requests that begin. */
  readonly arrivalRps: number;
  /** By source: fraction of the requests that have its part. */
  readonly shares: readonly number[];
  readonly counts: readonly SourceCounts[];
}

/** Longest simulated load. It has about this many requests. */
const MOST_REQUESTS = 20_000;

/** The stream of requests that begin, from a simulation of the join alone. Throws nothing; 0 rps if none begins. */
export function joinedStream(
  spec: JoinedLoad['spec'],
  { load, arrivalRps, rng }: { readonly load: SourceLoad; readonly arrivalRps: number; readonly rng: Rng },
): JoinedStream {
  const fastest = Math.max(arrivalRps, ...load.sources.map(({ arrivalRps: own = 0 }) => own));
  const durationMs = (1000 * MOST_REQUESTS) / fastest;
  const requests = poissonArrivals(arrivalRps, durationMs, rng.fork('requests'));
  const joined = new JoinedArrivals({ spec, load, requests, durationMs, rng });
  let begun = 0;
  // Requests that begin after the end of the load stand for those of the first wait.
  while (joined.nextAtMs() !== undefined) begun += 1;
  return {
    arrivalRps: (1000 * begun) / durationMs,
    shares: joined.counts.map(({ joined: withPart }) => (begun === 0 ? 1 : withPart / begun)),
    counts: joined.counts,
  };
}
