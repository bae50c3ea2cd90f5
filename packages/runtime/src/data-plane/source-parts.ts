/** Parts of requests with several sources, until their requests begin. All parts of a request get the same outcome. */
import { type AlarmClock, AppError, type DropReason, type PipelineSpec, type TensorMap } from '@equipoise/core/model';
import { SourceJoin } from '@equipoise/core/serve';
import { type BytesInFlight, tensorBytes } from './bytes-in-flight.js';
import { Cancellation } from './cancellation.js';
import type { PipelineOutcome, SubmitOptions } from './pending-request.js';

/** `id` is that of the request. Ids of different tenants never meet. */
export interface PartPlace {
  readonly source: number;
  readonly id: string;
}

/** Parts of a source since the start; those that are counted nowhere wait. */
export interface SourceCounts {
  /** Parts of requests that have begun. */
  joined: number;
  /** Requests that have begun without a part of this source. */
  missing: number;
  /** Parts whose requests were given up because others were missing. */
  unmatched: number;
  late: number;
  duplicate: number;
  /** Includes parts whose clients went away. */
  dropped: number;
}

export interface SourcePartsDeps {
  readonly clock: AlarmClock;
  readonly bytes: BytesInFlight;
  turn(step: (nowMs: number) => void): void;
  submit(inputs: TensorMap, options: SubmitOptions): Promise<PipelineOutcome>;
}

interface WaitingPart {
  readonly source: number;
  readonly inputs: TensorMap;
  readonly bytes: number;
  readonly options: SubmitOptions;
  resolve(outcome: PipelineOutcome): void;
  /** Ends the watch on the client. */
  unwatch(): void;
}

export class SourceParts {
  readonly #spec: PipelineSpec;
  readonly #deps: SourcePartsDeps;
  readonly #join: SourceJoin<WaitingPart>;
  readonly #counts: readonly SourceCounts[];
  readonly #maxWaitMs: number;
  #cancelAlarm = () => {};

  constructor(spec: PipelineSpec, deps: SourcePartsDeps) {
    const { maxWaitMs = 0, maxWaiting = 0 } = spec.sourceJoin ?? {};
    this.#spec = spec;
    this.#deps = deps;
    this.#maxWaitMs = maxWaitMs;
    this.#counts = spec.sources.map(() => ({
      joined: 0,
      missing: 0,
      unmatched: 0,
      late: 0,
      duplicate: 0,
      dropped: 0,
    }));
    const optional = spec.sources.map(({ onMissing }) => onMissing === 'partial');
    this.#join = new SourceJoin(
      { maxWaitMs, maxWaiting, optional },
      {
        begin: (parts) => this.#begin(parts),
        giveUp: (parts, missing) => this.#giveUp(parts, missing),
        wakeAt: (atMs) => {
          this.#cancelAlarm();
          this.#cancelAlarm = deps.clock.ringAt(atMs, () => deps.turn((nowMs) => this.#join.advance(nowMs)));
        },
      },
    );
  }

  /** Counts by source, and the number of requests that wait. */
  get counts(): { readonly sources: readonly SourceCounts[]; readonly waiting: number } {
    return { sources: this.#counts, waiting: this.#join.waiting };
  }

  /** Takes a part in a turn. */
  offer(place: PartPlace, taken: Pick<WaitingPart, 'inputs' | 'options' | 'resolve'>, nowMs: number): void {
    const { bytes: inFlight, turn } = this.#deps;
    const { source, id } = place;
    const { signal, tenant = '' } = taken.options;
    const bytes = tensorBytes(taken.inputs);
    const part: WaitingPart = { ...taken, source, bytes, unwatch: () => signal?.removeEventListener('abort', leave) };
    if (signal?.aborted || !inFlight.take(bytes)) {
      this.#drop(part, signal?.aborted ? 'cancelled' : 'memory-full');
      return;
    }
    const key = `${tenant} ${id}`;
    const leave = () =>
      turn(() => {
        if (!this.#join.withdraw(key, source, part)) return;
        this.#release(part);
        this.#drop(part, 'cancelled');
      });
    signal?.addEventListener('abort', leave, { once: true });
    const refusal = this.#join.offer(key, source, part, nowMs);
    if (refusal === undefined) return;
    this.#release(part);
    if (refusal === 'full') this.#drop(part, 'queue-full');
    else {
      this.#countsOf(part)[refusal] += 1;
      part.resolve({ kind: 'failed', failure: refusals[refusal](this.#nameOf(source)) });
    }
  }

  /** Drops all waiting parts. */
  drain(): void {
    for (const part of this.#join.clear()) {
      this.#release(part);
      this.#drop(part, 'draining');
    }
    this.#cancelAlarm();
  }

  #begin(parts: readonly (WaitingPart | undefined)[]): void {
    for (const [source, part] of parts.entries()) {
      const counts = this.#countsOf({ source });
      if (part === undefined) counts.missing += 1;
      else counts.joined += 1;
    }
    const present = parts.filter((part) => part !== undefined);
    for (const part of present) this.#release(part);
    const inputs: TensorMap = Object.assign({}, ...present.map((part) => part.inputs));
    void this.#deps.submit(inputs, jointOptions(present.map(({ options }) => options))).then((outcome) => {
      for (const { resolve } of present) resolve(outcome);
    });
  }

  #giveUp(parts: readonly (WaitingPart | undefined)[], missing: readonly number[]): void {
    const names = missing.map((source) => this.#nameOf(source));
    const failure = new AppError(
      'PART_MISSING',
      `No part of ${names.join(' and ')} came within ${this.#maxWaitMs} ms under the id of this request.`,
      { details: { sources: names } },
    );
    for (const part of parts) {
      if (part === undefined) continue;
      this.#release(part);
      this.#countsOf(part).unmatched += 1;
      part.resolve({ kind: 'failed', failure });
    }
  }

  #drop(part: WaitingPart, reason: DropReason): void {
    this.#countsOf(part).dropped += 1;
    part.resolve({ kind: 'dropped', reason, retryAfterMs: this.#maxWaitMs });
  }

  #countsOf({ source }: Pick<WaitingPart, 'source'>): SourceCounts {
    return this.#counts[source] as SourceCounts;
  }

  #release({ bytes, unwatch }: WaitingPart): void {
    this.#deps.bytes.release(bytes);
    unwatch();
  }

  #nameOf(source: number): string {
    return this.#spec.sources[source]?.name ?? '';
  }
}

const refusals = {
  late: (source: string) =>
    new AppError('PART_LATE', `The part of ${source} came after the wait for it had ended.`, { details: { source } }),
  duplicate: (source: string) =>
    new AppError('PART_DUPLICATE', `A part of ${source} was sent under this id before.`, { details: { source } }),
};

/** The shortest time-out and the most urgent priority. The request is cancelled once all clients have gone. */
function jointOptions(options: readonly SubmitOptions[]): SubmitOptions {
  const timeouts = options.flatMap(({ timeoutMs }) => timeoutMs ?? []);
  const priorities = options.flatMap(({ priority }) => priority || []);
  const tenant = options[0]?.tenant;
  return {
    tenant,
    ...(timeouts.length > 0 && { timeoutMs: Math.min(...timeouts) }),
    ...(priorities.length > 0 && { priority: Math.min(...priorities) }),
    signal: allAborted(options),
  };
}

function allAborted(options: readonly SubmitOptions[]): Cancellation {
  const all = new Cancellation();
  let left = options.length;
  const leave = () => {
    left -= 1;
    if (left === 0) all.abort();
  };
  for (const { signal } of options) signal?.addEventListener('abort', leave, { once: true });
  return all;
}
