import type { ObservedPod } from '../cluster/observed-objects.js';
import type { BatchTotals } from './batch-totals.js';
import type { RouterHistory } from './router-history.js';
import type { Sides } from './side-counts.js';

/** Load and outcomes of one pipeline: from our routers, or from the series of an engine. */
export interface SignalWatch {
  readonly history: RouterHistory;
  readonly batches: BatchTotals;
  readonly hasSignal: boolean;
  /** True if something serves and no signal is stale. */
  readonly willReport: boolean;
  /** Outcomes since the last canary step; undefined if a signal is stale. */
  readonly sides: Sides | undefined;
  /** Time (ms) without `sides`. */
  readonly staleMs: number;
  readonly stale: StaleSignal | undefined;
  /** Age of the newest data of each source. */
  readonly ages: readonly SignalAge[];
  updatePods(pods: readonly ObservedPod[]): void;
  /** Fraction of a canary that is in force, for a watch that cannot read it from pods. */
  noteShare?(fraction: number): void;
  /** Called when the policy may need the load earlier than it said. */
  hurry?(): void;
  run(signal: AbortSignal): Promise<void>;
}

/** A source with a stale signal; `message` says which and why. */
export interface StaleSignal {
  readonly reason: 'RouterUnreachable' | 'MetricsMissing';
  readonly source: string;
  readonly message: string;
}

/** `ageMs` is missing until the source has told something. */
export interface SignalAge {
  readonly source: string;
  readonly ageMs?: number;
}
