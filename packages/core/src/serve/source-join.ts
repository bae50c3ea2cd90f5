/**
 * Joins the parts of a request from several sources, by a key that the parts share. A request is whole once each
 * source has sent its part. If the wait ends before, the request continues without the missing parts if all of their
 * sources are optional; otherwise it is given up.
 *
 * Protocol: as that of `PipelineScheduler`. Memory is bounded: at most `maxWaiting` requests wait, each for `maxWaitMs`.
 * As many keys of earlier requests are remembered, for as long, to recognize late and repeated parts.
 */
import { invariant } from '../kernel/invariant.js';

interface SourceJoinRules {
  readonly maxWaitMs: number;
  readonly maxWaiting: number;
  /** By source: true if requests continue without its part. */
  readonly optional: readonly boolean[];
}

interface SourceJoinEffects<Part> {
  /** A request begins; holes for missing parts. */
  begin(parts: readonly (Part | undefined)[], nowMs: number): void;
  /** The wait for the parts of these sources has ended. */
  giveUp(parts: readonly (Part | undefined)[], missing: readonly number[], nowMs: number): void;
  /** Calls `advance` at this time. A later call may set an earlier time. */
  wakeAt(atMs: number): void;
}

interface WaitingRequest<Part> {
  readonly parts: (Part | undefined)[];
  readonly untilMs: number;
}

/** A request whose wait has ended; by source: true if its part was there. */
interface EndedRequest {
  readonly had: readonly boolean[];
  readonly untilMs: number;
}

/** `duplicate`: the source has sent a part of this key before. `late`: the wait has ended without it. */
type Refusal = 'duplicate' | 'late' | 'full';

export class SourceJoin<Part> {
  readonly #rules: SourceJoinRules;
  readonly #effects: SourceJoinEffects<Part>;
  /** In the order in which their waits end, as all waits are equally long. */
  readonly #waiting = new Map<string, WaitingRequest<Part>>();
  readonly #ended = new Map<string, EndedRequest>();
  #wakesAtMs = Number.POSITIVE_INFINITY;

  constructor(rules: SourceJoinRules, effects: SourceJoinEffects<Part>) {
    this.#rules = rules;
    this.#effects = effects;
  }

  /** Number of requests that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes a part, or tells why not. A part that completes its request begins it before `offer` returns. */
  offer(key: string, source: number, part: Part, nowMs: number): Refusal | undefined {
    this.#endWaits(nowMs);
    const ended = this.#ended.get(key);
    if (ended !== undefined) return ended.had[source] === true ? 'duplicate' : 'late';
    const known = this.#waiting.get(key);
    if (known?.parts[source] !== undefined) return 'duplicate';
    if (known === undefined && this.#waiting.size >= this.#rules.maxWaiting) return 'full';
    const request = known ?? this.#open(key, nowMs);
    request.parts[source] = part;
    if (request.parts.every((each) => each !== undefined)) this.#end(key, request, nowMs);
    else this.#wake();
    return undefined;
  }

  /** Takes a waiting part back; false if it does not wait any more. */
  withdraw(key: string, source: number, part: Part): boolean {
    const request = this.#waiting.get(key);
    if (request?.parts[source] !== part) return false;
    request.parts[source] = undefined;
    if (request.parts.every((each) => each === undefined)) this.#waiting.delete(key);
    return true;
  }

  advance(nowMs: number): void {
    this.#wakesAtMs = Number.POSITIVE_INFINITY;
    this.#endWaits(nowMs);
    this.#wake();
  }

  /** Removes all waiting requests and returns their parts. */
  clear(): readonly Part[] {
    const requests = [...this.#waiting.values()];
    this.#waiting.clear();
    return requests.flatMap(({ parts }) => parts.filter((part) => part !== undefined));
  }

  #open(key: string, nowMs: number): WaitingRequest<Part> {
    const { maxWaitMs, optional } = this.#rules;
    const request = { parts: optional.map(() => undefined), untilMs: nowMs + maxWaitMs };
    this.#waiting.set(key, request);
    return request;
  }

  #endWaits(nowMs: number): void {
    for (const [key, { untilMs }] of this.#ended) {
      if (untilMs > nowMs) break;
      this.#ended.delete(key);
    }
    for (const [key, request] of this.#waiting) {
      if (request.untilMs > nowMs) break;
      this.#end(key, request, nowMs);
    }
  }

  #end(key: string, { parts }: WaitingRequest<Part>, nowMs: number): void {
    const { maxWaitMs, maxWaiting, optional } = this.#rules;
    this.#waiting.delete(key);
    this.#ended.set(key, { had: parts.map((part) => part !== undefined), untilMs: nowMs + maxWaitMs });
    if (this.#ended.size > maxWaiting) this.#ended.delete(this.#ended.keys().next().value as string);
    const missing = parts.flatMap((part, source) => (part === undefined ? [source] : []));
    invariant(missing.length < parts.length, 'a request that waits has a part');
    if (missing.every((source) => optional[source])) this.#effects.begin(parts, nowMs);
    else this.#effects.giveUp(parts, missing, nowMs);
  }

  #wake(): void {
    const [first] = this.#waiting.values();
    if (first === undefined || first.untilMs >= this.#wakesAtMs) return;
    this.#wakesAtMs = first.untilMs;
    this.#effects.wakeAt(first.untilMs);
  }
}
