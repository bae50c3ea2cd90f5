/**
 * Difference between service times under load and profiled ones, which `equipoise calibrate` measures.
 * profile/corrected-service interprets it.
 */

/** `halfWidth`: half the width of the 95 % interval. */
export interface EstimatedValue {
  readonly value: number;
  readonly halfWidth: number;
}

/**
 * Service time of a batch = hand-over + profiled mean · (1 + inflation + load inflation · recent use + contention ·
 * other running batches), times a factor that is drawn from `spread`, plus a pause.
 */
export interface ServiceCorrection {
  /** Time (ms) added to each batch for the way to the replica and back. */
  readonly handOverMs: EstimatedValue;
  /** Fraction of the profiled time, added on a host at rest. */
  readonly inflation: EstimatedValue;
  /** Fraction of the profiled time, added at full recent use; negative if a rested host is slower. */
  readonly loadInflation: EstimatedValue;
  /** Fraction of the profiled time, added for each other running batch. */
  readonly contention: EstimatedValue;
  /** Mean state of a loaded host, which plans and estimates assume. */
  readonly usual: HostState;
  /** Quantiles of (time ÷ the mean above) at `spreadFractions` without pauses, one list for each class of recent use. */
  readonly spread: readonly (readonly number[])[];
  /** In corrections without them, pauses are the tail of the spread. */
  readonly pauses?: Pauses;
  /** Slow times come together: correlation of these factors, and the time (ms) in which it falls to 1/e. */
  readonly bunching: { readonly correlation: number; readonly memoryMs: number };
  /** Median of time ÷ profiled mean. A batch that takes longer stalls: the rest of its time is no use of the host. */
  readonly usualFactor: number;
  /** CPU time ÷ time of a batch, which CPU shares are charged. */
  readonly cpuFraction: number;
  /** Number of batches behind the correction. */
  readonly batches: number;
  /** Work of the serving thread. Without it, hand-over and waits for that thread are part of the service time. */
  readonly thread?: ThreadCost;
}

/**
 * Time (ms) that the thread that serves a pipeline is busy, on average. One thread handles all turns of a process, first
 * come, first served.
 */
export interface ThreadCost {
  /** A request, from its bytes to its admission. */
  readonly arrivalMs: EstimatedValue;
  /** The answer of a completed request. */
  readonly answerMs: EstimatedValue;
  /** The answer of a dropped request. */
  readonly refusalMs: EstimatedValue;
  /** A batch of this variant, apart from its items: half to send it, half to take its answer. */
  readonly hopMs: EstimatedValue;
  /** An item of a batch; halves as for `hopMs`. */
  readonly itemMs: EstimatedValue;
  /** Quantiles of (time of a turn ÷ expected time) at `spreadFractions`, without pauses. With them, the mean is 1. */
  readonly spread: readonly number[];
  /** Without them, pauses are the tail of the spread. */
  readonly pauses?: Pauses;
}

/** Times without work, such as collections of garbage, which do not grow with the work that they interrupt. */
export interface Pauses {
  /** Mean number in an expected ms of work. */
  readonly perMs: number;
  /** Quantiles of their lengths (ms) at `spreadFractions`. */
  readonly lengthsMs: readonly number[];
}

/** `recentUse`: mean fraction of the usable cores in use, recent times weigh more. */
export interface HostState {
  readonly recentUse: number;
  readonly otherBatches: number;
}
