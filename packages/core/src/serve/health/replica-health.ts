/**
 * Health of a replica: a circuit breaker. It opens after several failed batches in a row, and after lasting slowness
 * relative to the stage's curve and to its fastest peer. Slowness is a one-sided cumulative sum (Page 1954) of the
 * excess over a tolerance. Each batch adds a bounded amount, negative if it is quick, so neither outliers nor noise
 * open the breaker. A replica that is as bad as all its peers is not at fault. After a pause, one item probes the
 * replica. Each pause is twice as long as the one before. At the fourth opening the replica is replaced.
 */

import { doubledDelayMs } from '../../kernel/doubled-delay.js';
import type { HealthIssue } from '../../model/running-plan.js';

/** Counts of a stage since the start: opened breakers, and replaced replicas per issue. */
export interface IssueCounts extends Readonly<Record<HealthIssue, number>> {
  readonly opened: number;
}

export interface BatchConduct {
  /** True if all items failed through the stage's fault. */
  readonly failed: boolean;
  /** Result of `slownessOf`. */
  readonly slowness: number;
  readonly startedAtMs: number;
  readonly nowMs: number;
}

/** Replicas of the stage, including this one. */
export type Peers = readonly { readonly health: ReplicaHealth | undefined }[];

/** `unfit`: must be replaced. `open`: gets no batches during the pause, if the stage can do without the replica. */
export type HealthVerdict = 'fit' | 'open' | 'unfit';

const FAILED_IN_A_ROW = 5;
/** Tolerated slowness; maximum slowness counted per batch; sum that opens the breaker. */
const TOLERATED_SLOWNESS = 2;
const MOST_SLOWNESS = 5;
const TOO_SLOW = 10;
/** Weight of the newest batch in the mean slowness. */
const NEWEST = 0.1;
const PAUSE_DELAYS = { shortestMs: 1_000, longestMs: Number.POSITIVE_INFINITY };
const PAUSES = 3;
/** Good batches in a row that reset the pauses. */
const RECOVERED = 20;
/** Noise (ms) of timers and of messages to the replica. */
const NOISE_MS = 5;
/**
 * A batch counts as hung after `HANG_TAILS` × its p99.99, because a busy machine is slow, too. No client waits longer
 * than `HANG_SLOS` SLOs, so that is the maximum.
 */
const HANG_TAILS = 4;
const HANG_SLOS = 10;
/**
 * `UNKNOWN_TAIL`: p99.99 ÷ mean if the profile has no tail. `HANG_MEANS`: the maximum is never below this multiple of
 * the mean.
 */
const UNKNOWN_TAIL = 2.5;
const HANG_MEANS = 10;
/** A replica of a fast stage may have to wait this long for a core on a busy machine. */
const LEAST_HANG_MS = 400;
/** Bounds what clients with slow inputs gain if these are all that tells of a busy machine. */
const MOST_OWN_SLOWNESS = 2.5;

/** Service time ÷ expected time; 1 if that is unknown. */
export function slownessOf(serviceMs: number, expectedMs: number): number {
  return expectedMs > 0 ? serviceMs / (expectedMs + NOISE_MS) : 1;
}

/** Profiled service time of a batch, and the latency of the SLO, in ms. */
export interface ExpectedBatch {
  readonly meanMs: number;
  /** 99.99th percentile; the mean if the profile has no tail. */
  readonly tailMs: number;
  readonly sloMs: number;
  /** Share of a core that the kernel or a server elsewhere gives, if below 1; default 1. Work then has long pauses. */
  readonly shareFraction?: number;
}

/** Time in ms after which a batch counts as hung. */
export function hangBoundMs({ meanMs, tailMs, sloMs, shareFraction = 1 }: ExpectedBatch): number {
  const tailsMs = (HANG_TAILS * (tailMs > meanMs ? tailMs : UNKNOWN_TAIL * meanMs)) / shareFraction;
  const mostMs = Math.max(HANG_SLOS * sloMs, (HANG_MEANS * meanMs) / shareFraction);
  return Math.max(LEAST_HANG_MS / shareFraction, Math.min(tailsMs, mostMs));
}

/** The same on the busiest machine. */
export function mostHangBoundMs({ meanMs, sloMs, shareFraction = 1 }: Omit<ExpectedBatch, 'tailMs'>): number {
  const ownMs = Math.max(MOST_OWN_SLOWNESS * LEAST_HANG_MS, HANG_MEANS * meanMs);
  return Math.max(HANG_SLOS * sloMs, ownMs / shareFraction);
}

/** How much slower than profiled a busy machine is, by other replicas, or by earlier batches of the only replica. */
export function machineSlowness(peers: Peers, self: ReplicaHealth): number {
  const isAlone = peers.length === 1;
  return isAlone ? Math.min(MOST_OWN_SLOWNESS, Math.max(1, self.meanSlowness)) : usualSlowness(peers, self);
}

/** Mean slowness of the fastest peer, at least 1. */
function usualSlowness(peers: Peers, self: ReplicaHealth): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { health } of peers)
    if (health !== undefined && health !== self) least = Math.min(least, health.meanSlowness);
  return least === Number.POSITIVE_INFINITY ? 1 : Math.max(1, least);
}

export class ReplicaHealth {
  meanSlowness = 1;
  openUntilMs = Number.NEGATIVE_INFINITY;
  batchStartedAtMs = 0;
  /** Time at which the running batch counts as hung. */
  hungAtMs = Number.POSITIVE_INFINITY;
  /** Time halfway to `hungAtMs`. `isLate`: that time has passed. */
  lateAtMs = Number.POSITIVE_INFINITY;
  isLate = false;
  batchFailed = false;
  pausedUntilMs = Number.NEGATIVE_INFINITY;
  onProbation = false;
  issue: HealthIssue = 'failing';
  #failedInARow = 0;
  #excess = 0;
  #trips = 0;
  #wellInARow = 0;

  note(conduct: BatchConduct, peers: Peers): HealthVerdict {
    const { failed, slowness } = conduct;
    if (!failed) this.meanSlowness += NEWEST * (Math.min(slowness, 2 * MOST_SLOWNESS) - this.meanSlowness);
    const isWell = !failed && slowness <= TOLERATED_SLOWNESS;
    if (isWell && this.#failedInARow === 0 && this.#excess === 0 && this.#trips === 0) return 'fit';
    return this.#judge(conduct, peers);
  }

  batchStarted(nowMs: number, hangsAfterMs: number): void {
    this.batchFailed = false;
    this.batchStartedAtMs = nowMs;
    this.hungAtMs = nowMs + hangsAfterMs;
    this.lateAtMs = nowMs + hangsAfterMs / 2;
  }

  get isProbed(): boolean {
    return this.onProbation && this.openUntilMs === this.pausedUntilMs;
  }

  get failing(): boolean {
    return this.#failedInARow > 0;
  }

  #judge({ failed, slowness, startedAtMs, nowMs }: BatchConduct, peers: Peers): HealthVerdict {
    if (this.onProbation && startedAtMs < this.pausedUntilMs) return 'fit';
    const isProbe = this.onProbation;
    this.onProbation = false;
    const relative = slowness / usualSlowness(peers, this);
    if (failed) {
      this.#failedInARow += 1;
      if ((isProbe || this.#failedInARow >= FAILED_IN_A_ROW) && this.#isAlone(peers))
        return this.#trip('failing', nowMs);
    } else {
      this.#failedInARow = 0;
      this.#excess = Math.max(0, this.#excess + Math.min(relative, MOST_SLOWNESS) - TOLERATED_SLOWNESS);
      if (this.#isTooSlow(isProbe, relative) && peers.length > 1) return this.#trip('slow', nowMs);
    }
    this.#wellInARow = failed || relative > TOLERATED_SLOWNESS ? 0 : this.#wellInARow + 1;
    if (this.#wellInARow >= RECOVERED) this.#trips = 0;
    return 'fit';
  }

  /** True if a peer does not fail, or without peers. */
  #isAlone(peers: Peers): boolean {
    return peers.length === 1 || peers.some(({ health }) => health !== this && health?.failing === false);
  }

  #isTooSlow(isProbe: boolean, relative: number): boolean {
    return isProbe ? relative > TOLERATED_SLOWNESS : this.#excess >= TOO_SLOW;
  }

  #trip(trouble: HealthIssue, nowMs: number): HealthVerdict {
    this.issue = trouble;
    this.#failedInARow = 0;
    this.#excess = 0;
    this.#wellInARow = 0;
    this.#trips += 1;
    if (this.#trips > PAUSES) return 'unfit';
    this.pausedUntilMs = nowMs + doubledDelayMs(this.#trips, PAUSE_DELAYS);
    this.onProbation = true;
    return 'open';
  }
}
