/** Decision in the log: its inputs, its actions, its outcome. Plain data, so that a log can be replayed. */
import type { Decision, Observation } from './decision.js';
import type { StageId } from './ids.js';
import type { ControlMode, StagePins } from './pipeline-spec.js';

/**
 * Cause of a decision: start, slow loop (`plan`), fast loop (`burst`), a change that burnt the error budget
 * (`roll-back`), or a person (`manual`).
 */
export type DecisionTrigger = 'start' | 'plan' | 'burst' | 'roll-back' | 'manual';

/** Pins set while serving, in addition to those of the pipeline file. */
export type PinsByStage = Readonly<Record<StageId, StagePins>>;

export interface ManualAction {
  readonly action: 'pause' | 'resume' | 'advise' | 'pin' | 'unpin' | 'apply' | 'roll-back';
  readonly reason?: string;
  readonly decisionId?: number;
  readonly pins?: PinsByStage;
}

/** Applied within `tookMs`, given up with a `message`, or failed. */
export type DecisionOutcome =
  | { readonly kind: 'applied'; readonly tookMs: number }
  | { readonly kind: 'given-up'; readonly message: string }
  | { readonly kind: 'failed'; readonly step: 'decide' | 'apply'; readonly message: string };

/**
 * Measurements after a decision, until the next plan change and for at most a minute. Requests count when they end.
 * Latencies are those of completed requests.
 */
export interface ObservedOutcome {
  readonly windowMs: number;
  readonly arrivalRps: number;
  readonly completed: number;
  readonly failed: number;
  readonly dropped: number;
  /** Of all ended requests; absent if none ended. */
  readonly sloAttainmentFraction?: number;
  /** Median and SLO percentile; absent if no request completed. */
  readonly latencyMs?: { readonly p50: number; readonly atPercentile: number };
}

/** Facts known only later. */
export interface LaterFacts {
  readonly outcome?: DecisionOutcome;
  readonly observed?: ObservedOutcome;
}

/**
 * Log entry. No `decision` if deciding failed or a person changed no plan. No `outcome` if nothing was to be applied or
 * the process ended first. `id` ascends within a pipeline.
 */
export interface DecisionRecord extends LaterFacts {
  readonly id: number;
  readonly atEpochMs: number;
  readonly observation: Observation;
  /** Absent, like `mode`, in entries of older versions. */
  readonly trigger?: DecisionTrigger;
  readonly mode?: ControlMode;
  readonly manual?: ManualAction;
  readonly setupDigest?: string;
  /** Input of the step in addition to the observation (`StepInput`). Required for replay. */
  readonly input?: object;
  readonly decision?: Decision;
}
