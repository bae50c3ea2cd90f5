/** A decision as the log keeps it: what it rested on, what was done, what came of it. Plain data, so that a log can be replayed. */
import type { Decision, Observation } from './decision.js';
import type { StageId } from './ids.js';
import type { ControlMode, StagePins } from './pipeline-spec.js';

/**
 * What called for a decision: the start, the slow loop (`plan`), the fast loop (`burst`), a change that burnt the error budget (`roll-back`),
 * or a person (`manual`).
 */
export type DecisionTrigger = 'start' | 'plan' | 'burst' | 'roll-back' | 'manual';

/** Pins that a person has set while serving, beside those of the pipeline file. */
export type PinsByStage = Readonly<Record<StageId, StagePins>>;

/** What a person asked for, and why as far as they said. */
export interface ManualAction {
  readonly action: 'pause' | 'resume' | 'advise' | 'pin' | 'unpin' | 'apply' | 'roll-back';
  readonly reason?: string;
  /** The decision that is applied. */
  readonly decisionId?: number;
  /** The pins in force after it. */
  readonly pins?: PinsByStage;
}

/** How it ended: the changes were carried out (within `tookMs`), those that were left were given up (why says `message`), or the step failed. */
export type DecisionOutcome =
  | { readonly kind: 'applied'; readonly tookMs: number }
  | { readonly kind: 'given-up'; readonly message: string }
  | { readonly kind: 'failed'; readonly step: 'decide' | 'apply'; readonly message: string };

/**
 * What was seen in the time behind a decision, until the plan changed again and for a minute at most. Requests count where they ended, so
 * those still inside at its end are missing; latencies are of completed ones.
 */
export interface ObservedOutcome {
  readonly windowMs: number;
  readonly arrivalRps: number;
  readonly completed: number;
  readonly failed: number;
  readonly dropped: number;
  /** Of all that ended; missing where nothing did. */
  readonly sloAttainmentFraction?: number;
  /** Latencies at the median and at the percentile of the SLO; missing where nothing completed. */
  readonly latencyMs?: { readonly p50: number; readonly atPercentile: number };
}

/** What is known of a decision only later. */
export interface LaterFacts {
  readonly outcome?: DecisionOutcome;
  readonly observed?: ObservedOutcome;
}

/**
 * An entry of the log: without `decision` where deciding failed or a person changed no plan, without `outcome` where nothing was to be
 * applied or the process ended before it was. `id` counts up within a pipeline.
 */
export interface DecisionRecord extends LaterFacts {
  readonly id: number;
  readonly atEpochMs: number;
  readonly observation: Observation;
  /** Missing, as `mode`, in what was logged before the log named them. */
  readonly trigger?: DecisionTrigger;
  readonly mode?: ControlMode;
  readonly manual?: ManualAction;
  /** Names the pipeline and the profiles that the step was taken with. */
  readonly setupDigest?: string;
  /** What the step took in beside the observation (`StepInput`); only then it can be replayed. */
  readonly input?: object;
  readonly decision?: Decision;
}
