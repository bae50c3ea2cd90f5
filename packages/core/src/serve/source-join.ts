/**
 * Joins the parts of a request from several sources. Parts that wait for each other share a key, and within a window
 * also the time. Sources with a maximum age do not wait: the newest part of such a source joins each request.
 *
 * A request is whole once each waiting source has sent its part. If the wait ends before, the request begins without the
 * missing parts if all of their sources are optional; otherwise it is given up.
 *
 * Protocol: as that of `PipelineScheduler`. Memory is bounded: at most `maxWaiting` requests wait, each for a limited
 * time. One more request ends the wait of the oldest one early. So parts without partners cannot keep out the parts of
 * others. As many earlier requests are remembered, for as long, to recognize late and repeated parts. At most as many
 * newest parts of a source are kept, each until its maximum age.
 */
import { invariant } from '../kernel/invariant.js';
import { type Linked, LinkedQueue } from '../kernel/linked-queue.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import { NewestParts } from './newest-parts.js';

export interface SourceJoinRules {
  /** Maximum wait after the first part. */
  readonly maxWaitMs: number;
  readonly maxWaiting: number;
  readonly sources: readonly JoinedSource[];
  /** Undefined: a key belongs to one request. Otherwise keys recur. */
  readonly window?: JoinWindow;
}

interface JoinedSource {
  /** True if requests begin without its part. */
  readonly optional: boolean;
  /** Set: the newest part joins each request until this age. */
  readonly maxAgeMs?: number;
}

/** Parts of a request have times at most `lengthMs` from that of its first part. */
interface JoinWindow {
  readonly lengthMs: number;
  /** A late part is refused, begins a request without the others, or waits for the next parts of its key. */
  readonly late: 'drop' | 'partial' | 'wait';
  /** True if parts state their times. Otherwise they are those of the arrival. */
  readonly hasTimes: boolean;
}

interface SourceJoinEffects<Part> {
  /** A request begins; holes for missing parts. A newest part may be in several requests. */
  begin(parts: readonly (Part | undefined)[], nowMs: number): void;
  /** Ends without a request. `stale`: `missing` has sources whose newest part is too old; otherwise the wait ended. */
  giveUp(parts: readonly (Part | undefined)[], missing: readonly number[], stale: boolean): void;
  /** A newest part has been replaced, or is too old. */
  forget(part: Part): void;
  /** Calls `advance` at this time. A later call may set an earlier time. */
  wakeAt(atMs: number): void;
}

interface OfferedPart<Part> {
  readonly key: string;
  readonly source: number;
  readonly part: Part;
  /** Stated time in ms; default now. */
  readonly timeMs?: number | undefined;
}

/** `times` has an entry for each source that has sent its part. */
interface JoinedRequest<Part> extends Linked<JoinedRequest<Part>> {
  readonly key: string;
  readonly parts: (Part | undefined)[];
  readonly times: (number | undefined)[];
  readonly firstTimeMs: number;
  untilMs: number;
  isEnded: boolean;
}

/**
 * `kept`: as the newest part of its source. The others are refusals. `full`: too many requests of its key wait.
 * `duplicate`: the source has sent a part of this request before. `late`: the wait has ended without it, or there is a
 * newer part.
 */
type Offered = 'taken' | 'kept' | 'duplicate' | 'late' | 'full';

/** Parts of a source since the start; those that are counted nowhere wait. */
export interface SourceCounts {
  /** Parts of requests that have begun. For a source with a maximum age: requests that have begun with its part. */
  joined: number;
  /** Requests that have begun without a part of this source. */
  missing: number;
  /** Parts whose requests were given up because of other parts. */
  unmatched: number;
  late: number;
  duplicate: number;
  /** Newest parts of a source with a maximum age. */
  kept: number;
  /** Includes parts whose clients went away. */
  dropped: number;
}

/** Requests that are known under one key. Bounds the work per part. */
const MOST_OF_KEY = 100;

export function sourceJoinRules({
  sources,
  sourceJoin,
}: Pick<PipelineSpec, 'sources' | 'sourceJoin'>): SourceJoinRules {
  const { maxWaitMs = 0, maxWaiting = 0, by, windowMs, late = 'drop' } = sourceJoin ?? {};
  const hasTimes = sources.some(({ time }) => time !== undefined);
  const lengthMs = windowMs ?? maxWaitMs;
  return {
    // Without stated times, later parts cannot be in the window.
    maxWaitMs: by === 'key' && !hasTimes ? lengthMs : maxWaitMs,
    maxWaiting,
    sources: sources.map(({ onMissing, latest }) => ({ optional: onMissing === 'partial', ...latest })),
    ...(by === 'key' && { window: { lengthMs, late, hasTimes } }),
  };
}

export class SourceJoin<Part> {
  readonly counts: readonly SourceCounts[];
  readonly #rules: SourceJoinRules;
  readonly #effects: SourceJoinEffects<Part>;
  /** In the order in which their waits end, as all waits are equally long. */
  readonly #waiting = new LinkedQueue<JoinedRequest<Part>>();
  readonly #ended = new LinkedQueue<JoinedRequest<Part>>();
  /** Both of the above, by key. */
  readonly #byKey = new Map<string, JoinedRequest<Part>[]>();
  /** By source; undefined without a maximum age. */
  readonly #newest: readonly (NewestParts<Part> | undefined)[];
  readonly #waitsForOthers: boolean;
  #wakesAtMs = Number.POSITIVE_INFINITY;

  constructor(rules: SourceJoinRules, effects: SourceJoinEffects<Part>) {
    const { sources, maxWaiting } = rules;
    this.#rules = rules;
    this.#effects = effects;
    this.#newest = sources.map(({ maxAgeMs }) =>
      maxAgeMs === undefined
        ? undefined
        : new NewestParts({ maxAgeMs, maxKeys: maxWaiting, forget: (part) => effects.forget(part) }),
    );
    this.#waitsForOthers = this.#newest.filter((newest) => newest === undefined).length > 1;
    this.counts = sources.map(() => noCounts());
  }

  /** Number of requests that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes a part, or tells why not. A part that completes its request begins it before `offer` returns. */
  offer(offered: OfferedPart<Part>, nowMs: number): Offered {
    this.advance(nowMs);
    const end = this.#offer(offered, nowMs);
    if (end !== 'taken') this.#countOf(offered.source)[end === 'full' ? 'dropped' : end] += 1;
    this.#wake();
    return end;
  }

  /** Takes a waiting part back; false if it does not wait any more. */
  withdraw(key: string, source: number, part: Part): boolean {
    const request = this.#byKey.get(key)?.find(({ parts }) => parts[source] === part);
    if (request === undefined) return false;
    request.parts[source] = undefined;
    request.times[source] = undefined;
    this.#countOf(source).dropped += 1;
    if (request.parts.every((each) => each === undefined)) {
      this.#waiting.remove(request);
      this.#forgetKey(request);
    }
    return true;
  }

  /** Forgets the newest part of a source with a maximum age. */
  forgetNewest(key: string, source: number): void {
    this.#newest[source]?.remove(this.#newestKey(key));
  }

  advance(nowMs: number): void {
    if (nowMs >= this.#wakesAtMs) this.#wakesAtMs = Number.POSITIVE_INFINITY;
    for (let first = this.#ended.first; first !== undefined && first.untilMs <= nowMs; first = this.#ended.first)
      this.#forgetEnded(first);
    for (let first = this.#waiting.first; first !== undefined && first.untilMs <= nowMs; first = this.#waiting.first)
      this.#end(first, nowMs);
    for (const newest of this.#newest) newest?.expire(nowMs);
    this.#wake();
  }

  /** Removes all parts. Returns those of requests that waited. */
  clear(): readonly Part[] {
    const parts: Part[] = [];
    for (let request = this.#waiting.first; request !== undefined; request = this.#waiting.first) {
      for (const [source, part] of request.parts.entries()) {
        if (part === undefined) continue;
        this.#countOf(source).dropped += 1;
        parts.push(part);
      }
      this.#waiting.remove(request);
      this.#forgetKey(request);
    }
    for (const newest of this.#newest) newest?.clear();
    return parts;
  }

  #offer(offered: OfferedPart<Part>, nowMs: number): Offered {
    const { key, source, part, timeMs } = offered;
    const atMs = this.#rules.window?.hasTimes ? (timeMs ?? nowMs) : nowMs;
    const kept = this.#newest[source]?.keep(this.#newestKey(key), { part, timeMs: atMs, nowMs });
    if (kept !== undefined) return kept;
    if (!this.#waitsForOthers) return this.#beginAlone(offered, nowMs);
    const known = this.#find(key, source, atMs);
    if (known === 'duplicate') return known;
    if (known === undefined || !known.isEnded)
      return this.#add(known ?? this.#open(key, atMs, nowMs), { source, part, atMs }, nowMs);
    known.times[source] = atMs;
    return this.#takeLate(offered, atMs, nowMs);
  }

  #takeLate(offered: OfferedPart<Part>, atMs: number, nowMs: number): Offered {
    const { key, source, part } = offered;
    switch (this.#rules.window?.late ?? 'drop') {
      case 'drop':
        return 'late';
      case 'partial':
        return this.#needsOthers(source) ? 'late' : this.#beginAlone(offered, nowMs);
      case 'wait':
        return this.#add(this.#open(key, atMs, nowMs), { source, part, atMs }, nowMs);
    }
  }

  #add(
    request: JoinedRequest<Part> | undefined,
    { source, part, atMs }: { readonly source: number; readonly part: Part; readonly atMs: number },
    nowMs: number,
  ): Offered {
    if (request === undefined) return 'full';
    request.parts[source] = part;
    request.times[source] = atMs;
    if (this.#isWhole(request.parts)) this.#end(request, nowMs);
    return 'taken';
  }

  /** Begins a request of one part, with the newest parts of other sources. */
  #beginAlone({ key, source, part }: OfferedPart<Part>, nowMs: number): 'taken' {
    const parts = this.#rules.sources.map((_, other) => (other === source ? part : undefined));
    this.#finish(key, parts, nowMs);
    return 'taken';
  }

  #needsOthers(source: number): boolean {
    return this.#rules.sources.some(
      ({ optional }, other) => other !== source && !optional && this.#newest[other] === undefined,
    );
  }

  #isWhole(parts: readonly (Part | undefined)[]): boolean {
    return parts.every((part, source) => part !== undefined || this.#newest[source] !== undefined);
  }

  /** Ids differ from request to request, so the newest part is the same for all. */
  #newestKey(key: string): string {
    return this.#rules.window === undefined ? '' : key;
  }

  /** The request that a part belongs to: the nearest one that waits for it, or else one that ended without it. */
  #find(key: string, source: number, atMs: number): JoinedRequest<Part> | 'duplicate' | undefined {
    const { window } = this.#rules;
    let nearest: JoinedRequest<Part> | undefined;
    for (const request of this.#byKey.get(key) ?? []) {
      if (window !== undefined && !isInWindow(request, atMs, window)) continue;
      const sentMs = request.times[source];
      if (sentMs === undefined) nearest = nearerOf(nearest, request, atMs);
      else if (window === undefined || (window.hasTimes && sentMs === atMs)) return 'duplicate';
    }
    return nearest;
  }

  /** Undefined if too many requests of the key wait. If all places are taken, the wait of the oldest request ends. */
  #open(key: string, firstTimeMs: number, nowMs: number): JoinedRequest<Part> | undefined {
    const { maxWaitMs, maxWaiting, sources } = this.#rules;
    const known = this.#byKey.get(key);
    if (known !== undefined && known.length >= MOST_OF_KEY) {
      const oldest = known.find(({ isEnded }) => isEnded);
      if (oldest === undefined) return undefined;
      this.#forgetEnded(oldest);
    }
    const { first } = this.#waiting;
    if (first !== undefined && this.#waiting.size >= maxWaiting) this.#end(first, nowMs);
    const request: JoinedRequest<Part> = {
      key,
      parts: sources.map(() => undefined),
      times: sources.map(() => undefined),
      firstTimeMs,
      untilMs: nowMs + maxWaitMs,
      isEnded: false,
    };
    this.#waiting.push(request);
    const all = this.#byKey.get(key);
    if (all === undefined) this.#byKey.set(key, [request]);
    else all.push(request);
    return request;
  }

  #end(request: JoinedRequest<Part>, nowMs: number): void {
    const { maxWaitMs, maxWaiting, window } = this.#rules;
    const parts = [...request.parts];
    this.#waiting.remove(request);
    request.parts.fill(undefined);
    request.isEnded = true;
    request.untilMs = nowMs + maxWaitMs;
    // A key without times recurs at once, so only missing parts are of interest.
    if (window?.hasTimes === false && this.#isWhole(parts)) this.#forgetKey(request);
    else {
      this.#ended.push(request);
      if (this.#ended.size > maxWaiting) this.#forgetEnded(this.#ended.first as JoinedRequest<Part>);
    }
    this.#finish(request.key, parts, nowMs);
  }

  /** Begins a request or gives it up, with the newest parts of the sources that have some. */
  #finish(key: string, parts: (Part | undefined)[], nowMs: number): void {
    const { sources } = this.#rules;
    invariant(
      parts.some((part) => part !== undefined),
      'a request has a part',
    );
    const missing = this.#holes(parts, (source) => this.#newest[source] === undefined);
    const isGivenUp = missing.some((source) => !sources[source]?.optional);
    const joined = parts.map((part, source) => part ?? this.#newest[source]?.newest(this.#newestKey(key), nowMs));
    const stale = this.#holes(joined, (source) => this.#newest[source] !== undefined && !sources[source]?.optional);
    if (isGivenUp || stale.length > 0) {
      for (const [source, part] of parts.entries()) if (part !== undefined) this.#countOf(source).unmatched += 1;
      this.#effects.giveUp(parts, isGivenUp ? missing : stale, !isGivenUp);
      return;
    }
    for (const [source, part] of joined.entries())
      this.#countOf(source)[part === undefined ? 'missing' : 'joined'] += 1;
    this.#effects.begin(joined, nowMs);
  }

  #holes(parts: readonly (Part | undefined)[], counts: (source: number) => boolean): readonly number[] {
    return parts.flatMap((part, source) => (part === undefined && counts(source) ? [source] : []));
  }

  #forgetEnded(request: JoinedRequest<Part>): void {
    this.#ended.remove(request);
    this.#forgetKey(request);
  }

  #forgetKey(request: JoinedRequest<Part>): void {
    const all = this.#byKey.get(request.key) ?? [];
    if (all.length <= 1) this.#byKey.delete(request.key);
    else all.splice(all.indexOf(request), 1);
  }

  #countOf(source: number): SourceCounts {
    return this.counts[source] as SourceCounts;
  }

  #wake(): void {
    let atMs = this.#waiting.first?.untilMs ?? Number.POSITIVE_INFINITY;
    for (const newest of this.#newest) atMs = Math.min(atMs, newest?.expiresAtMs ?? Number.POSITIVE_INFINITY);
    if (atMs >= this.#wakesAtMs) return;
    this.#wakesAtMs = atMs;
    this.#effects.wakeAt(atMs);
  }
}

/** Without stated times, parts of an ended request are late for as long as it is remembered. */
function isInWindow({ firstTimeMs, isEnded }: Place, atMs: number, { lengthMs, hasTimes }: JoinWindow): boolean {
  return Math.abs(atMs - firstTimeMs) <= lengthMs || (isEnded && !hasTimes);
}

type Place = Pick<JoinedRequest<unknown>, 'firstTimeMs' | 'isEnded'>;

/** A request that waits comes first, then the nearest in time, then the older one. */
function nearerOf<Request extends Place>(one: Request | undefined, other: Request, atMs: number): Request {
  if (one === undefined) return other;
  if (one.isEnded !== other.isEnded) return one.isEnded ? other : one;
  return Math.abs(atMs - other.firstTimeMs) < Math.abs(atMs - one.firstTimeMs) ? other : one;
}

function noCounts(): SourceCounts {
  return { joined: 0, missing: 0, unmatched: 0, late: 0, duplicate: 0, kept: 0, dropped: 0 };
}
