/**
 * Outcomes of requests in constant memory: totals, counts per second for ten minutes, latencies for one minute. Seconds
 * count from `startedAtMs`.
 */
import {
  ArrivalRecord,
  type DropReason,
  invariant,
  LatencyHistogram,
  type LoadObservation,
} from '@equipoise/core/model';
import type { RequestEnd } from './request-end.js';

const KEPT_SECONDS = 600;
const KEPT_LATENCY_SECONDS = 60;
/** One slot more, for the current second. */
const SLOTS = KEPT_SECONDS + 1;

/** `withinSlo` counts completions within the SLO latency; `dropped` counts drops by reason. */
export interface RequestCounts {
  readonly arrived: number;
  readonly completed: number;
  readonly withinSlo: number;
  readonly failed: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
}

/** An arrival counts in the second of the arrival, an outcome in the second of the request's end. */
export interface SecondRecord extends RequestCounts {
  readonly second: number;
}

/** `last`: number of the last whole second since the start; `sinceMs`: time since its end. */
export interface ArrivedSeconds {
  readonly last: number;
  readonly sinceMs: number;
  readonly counts: readonly number[];
}

class Counts implements RequestCounts {
  readonly second: number;
  arrived = 0;
  completed = 0;
  withinSlo = 0;
  failed = 0;
  readonly dropped = {
    'queue-full': 0,
    'wait-too-long': 0,
    'memory-full': 0,
    'deadline-unreachable': 0,
    'deadline-passed': 0,
    'no-ready-replica': 0,
    draining: 0,
    cancelled: 0,
  };

  constructor(second: number) {
    this.second = second;
  }

  add(end: RequestEnd, sloLatencyMs: number): void {
    if (end.kind === 'dropped') this.dropped[end.reason] += 1;
    else if (end.kind === 'failed') this.failed += 1;
    else {
      this.completed += 1;
      if (end.latencyMs <= sloLatencyMs) this.withinSlo += 1;
    }
  }
}

export class RequestStatistics {
  readonly #startedAtMs: number;
  sloLatencyMs: number;
  readonly #total = new Counts(0);
  readonly #refusedEarly: Partial<Record<DropReason, number>> = {};
  #failedHere = 0;
  #completedMs = 0;
  #lostMs = 0;
  #latestArrivalAtMs: number | undefined;
  readonly #arrivals: ArrivalRecord;
  readonly #seconds: (Counts | undefined)[] = new Array(SLOTS).fill(undefined);
  readonly #latencies: ({ readonly second: number; readonly histogram: LatencyHistogram } | undefined)[] = new Array(
    KEPT_LATENCY_SECONDS,
  ).fill(undefined);

  constructor(startedAtMs: number, sloLatencyMs: number) {
    this.#startedAtMs = startedAtMs;
    this.sloLatencyMs = sloLatencyMs;
    this.#arrivals = new ArrivalRecord(startedAtMs, sloLatencyMs);
  }

  arrived(atMs: number): void {
    this.#latestArrivalAtMs = atMs;
    this.#total.arrived += 1;
    this.#arrivals.arrived(atMs);
    this.#at(this.#secondOf(atMs)).arrived += 1;
  }

  /**
   * Requests that were refused before the pipeline served. They are in no second: a crowd during the start is no burst to
   * plan for.
   */
  refusedEarly(reason: DropReason, count = 1): void {
    this.#total.arrived += count;
    this.#total.dropped[reason] += count;
    this.#refusedEarly[reason] = (this.#refusedEarly[reason] ?? 0) + count;
  }

  /** Those of them that `before` counted. */
  keepRefused(before: RequestStatistics): void {
    for (const [reason, count] of Object.entries(before.#refusedEarly)) this.refusedEarly(reason as DropReason, count);
  }

  ended(end: RequestEnd): void {
    const second = this.#secondOf(end.endedAtMs);
    if (end.kind === 'failed' && end.mayComeOfPlan) this.#failedHere += 1;
    if (end.kind === 'completed') this.#completedMs += end.latencyMs;
    else this.#lostMs += end.latencyMs;
    this.#total.add(end, this.sloLatencyMs);
    this.#at(second).add(end, this.sloLatencyMs);
    if (end.kind === 'completed') this.#latenciesOf(second).record(end.latencyMs);
  }

  get total(): RequestCounts {
    return { ...this.#total, dropped: { ...this.#total.dropped } };
  }

  get latestArrivalAtMs(): number | undefined {
    return this.#latestArrivalAtMs;
  }

  /** Sums of the times from arrival to end: of completed requests, and of all others. */
  get latencySums(): { readonly completedMs: number; readonly lostMs: number } {
    return { completedMs: this.#completedMs, lostMs: this.#lostMs };
  }

  /** Requests since the start whose failure the plan may have caused. */
  get failedHere(): number {
    return this.#failedHere;
  }

  /** Arrivals by whole seconds, oldest first: at most the last 600, without the current one. */
  arrivalsPerSecond(nowMs: number): readonly number[] {
    return this.#arrivals.arrivalsPerSecond(nowMs);
  }

  /** Arrivals of the last `count` (at most 600) whole seconds, oldest first, and the place of the last of them. */
  lastSeconds(nowMs: number, count: number): ArrivedSeconds {
    const running = this.#secondOf(nowMs);
    const counts = this.arrivalsPerSecond(nowMs);
    return {
      last: running - 1,
      sinceMs: nowMs - this.#startedAtMs - 1000 * running,
      counts: counts.slice(Math.max(0, counts.length - count)),
    };
  }

  load(nowMs: number): LoadObservation {
    const burstiness = this.#arrivals.burstiness(nowMs);
    const latest = this.#arrivals.latest(nowMs);
    return { arrivalsPerSecond: this.arrivalsPerSecond(nowMs), latest, ...(burstiness && { burstiness }) };
  }

  /** Records of the last `count` (at most 600) whole seconds, oldest first, without the current one. */
  recentSeconds(nowMs: number, count: number): readonly SecondRecord[] {
    const running = this.#secondOf(nowMs);
    const first = Math.max(0, running - Math.min(count, KEPT_SECONDS));
    return Array.from({ length: running - first }, (_, index) => {
      const kept = this.#seconds[(first + index) % SLOTS];
      const record = kept?.second === first + index ? kept : new Counts(first + index);
      return { ...record, dropped: { ...record.dropped } };
    });
  }

  /** Latencies of the last `count` (at most 60) seconds, including the current one. */
  recentLatencies(nowMs: number, count: number): LatencyHistogram {
    invariant(count <= KEPT_LATENCY_SECONDS, `latencies are kept for ${KEPT_LATENCY_SECONDS} s`);
    const running = this.#secondOf(nowMs);
    const merged = new LatencyHistogram();
    for (const kept of this.#latencies) {
      if (kept !== undefined && kept.second > running - count) merged.merge(kept.histogram);
    }
    return merged;
  }

  #secondOf(atMs: number): number {
    return Math.max(0, Math.floor((atMs - this.#startedAtMs) / 1000));
  }

  #at(second: number): Counts {
    const slot = second % SLOTS;
    let counts = this.#seconds[slot];
    if (counts?.second !== second) {
      counts = new Counts(second);
      this.#seconds[slot] = counts;
    }
    return counts;
  }

  #latenciesOf(second: number): LatencyHistogram {
    const slot = second % KEPT_LATENCY_SECONDS;
    let kept = this.#latencies[slot];
    if (kept?.second !== second) {
      kept = { second, histogram: new LatencyHistogram() };
      this.#latencies[slot] = kept;
    }
    return kept.histogram;
  }
}
