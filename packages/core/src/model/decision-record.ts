/** Log entry of a decision: inputs, actions and outcome, as plain data for replay. */
import type { Decision, Observation } from './decision.js';
import type { StageId } from './ids.js';
import type { ControlMode, StagePins } from './pipeline-spec.js';
import type { RunningPlan } from './running-plan.js';

/**
 * Cause: start, a burst, a change that overspent the error budget (`roll-back`), a person (`manual`), or all else
 * (`plan`).
 */
export type DecisionTrigger = 'start' | 'plan' | 'burst' | 'roll-back' | 'manual';

/** Pins set while serving. They override those of the pipeline file. */
export type PinsByStage = Readonly<Record<StageId, StagePins>>;

export interface ManualAction {
  readonly action: 'pause' | 'resume' | 'advise' | 'pin' | 'unpin' | 'apply' | 'roll-back';
  readonly reason?: string;
  readonly decisionId?: number;
  readonly pins?: PinsByStage;
  /** False: a new variant gets all requests at once. */
  readonly canary?: false;
  /** Of a roll-back: newer plans that were passed over, or a predicted miss of the SLO. */
  readonly warning?: string;
}

export type DecisionOutcome =
  | { readonly kind: 'applied'; readonly tookMs: number }
  | { readonly kind: 'given-up'; readonly message: string }
  | { readonly kind: 'failed'; readonly step: 'decide' | 'apply'; readonly message: string };

/** Measurements until the next plan change, for at most a minute. Latencies count completed requests only. */
export interface ObservedOutcome {
  readonly windowMs: number;
  readonly arrivalRps: number;
  readonly completed: number;
  readonly failed: number;
  readonly dropped: number;
  /** Absent if no request ended. */
  readonly sloAttainmentFraction?: number;
  /** Latencies at median and SLO percentile; absent if no request completed. */
  readonly latencyMs?: { readonly p50: number; readonly atPercentile: number };
}

export interface LaterFacts {
  readonly outcome?: DecisionOutcome;
  readonly observed?: ObservedOutcome;
}

/**
 * `decision` is absent if deciding failed or a manual action changed no plan. `outcome` is absent if nothing changed or
 * the process exited first. `id` ascends within a pipeline.
 */
export interface DecisionRecord extends LaterFacts {
  readonly id: number;
  readonly atEpochMs: number;
  readonly observation: Observation;
  /** Like `mode`, absent in entries of older versions. */
  readonly trigger?: DecisionTrigger;
  readonly mode?: ControlMode;
  readonly manual?: ManualAction;
  readonly setupDigest?: string;
  /** Remaining part of the `StepInput`, for replay. */
  readonly input?: object;
  readonly decision?: Decision;
}

/** Log entry without the facts that only a replay needs. They are its largest part. */
export interface DecisionSummary extends Omit<DecisionRecord, 'observation' | 'input'> {
  /** Plan that ran when it was decided. */
  readonly runningPlan: RunningPlan;
}

/** Of the evidence, only forecast, load and result remain. */
export function decisionSummary({ observation, input: _, decision, ...facts }: DecisionRecord): DecisionSummary {
  const { runningPlan } = observation;
  if (decision === undefined) return { ...facts, runningPlan };
  const { forecast, load, result } = decision.evidence;
  const evidence = { forecast, ...(load && { load }), ...(result && { result }) };
  return { ...facts, runningPlan, decision: { ...decision, evidence } };
}
