import type { Change, LastChange } from './change.js';
import type { ArrivalEnvelope, Burstiness, ExpectedLoad } from './expected-load.js';
import type { StageId, VariantId } from './ids.js';
import type { Plan, PlanResult } from './plan.js';
import type { ProfileScale } from './profile-point.js';
import type { RunningPlan } from './running-plan.js';

/** Service times as they were measured while serving. */

/** Batches of one kind that ended since the last tick, or some of them. */
export interface BatchTimes {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly serviceMs: readonly number[];
}

/** A load above what was planned for. */
export interface Burst {
  /** The window, ending now, that shows it best. */
  readonly windowS: number;
  readonly arrivals: number;
  /** The most that the planned load brings there. */
  readonly plannedArrivals: number;
  /** Arrivals of the window per second: the new rate, if it began with the window. */
  readonly rateRps: number;
}

/** What the edges of a graph did, counted: the facts from which branch probabilities and fan-out sizes are learned. */

/** Counts of one edge; those that its kind does not have are 0. */
export interface EdgeCount {
  /** Outputs of the stage in front of an edge with `when`, and those of them that took it. */
  readonly offered: number;
  readonly taken: number;
  /** Outputs that were fanned out, and the items they gave. */
  readonly fanOuts: number;
  readonly items: number;
}

/** What traffic has taught of an edge, which counts in place of what the pipeline file says. Plain data. */
export interface LearnedEdge {
  /** Its index in the pipeline's edges. */
  readonly edge: number;
  readonly from: StageId;
  readonly to: StageId;
  readonly kind: 'fan-out' | 'branch';
  /** Mean number of items that a fan-out gives, or the share (0…1) of the outputs that take a branch. */
  readonly value: number;
  /** The same by the pipeline file. */
  readonly stated: number;
  /** Of `value`, at the moment when it was taken over, and the outputs that it was learned from. */
  readonly standardError: number;
  readonly outputs: number;
}

/** What the control loop sees at a tick and what it decides, both plain data so that a log can be replayed. */

/** Arrivals counted in whole seconds, oldest first; the running second is left out. */
export interface LoadObservation {
  readonly arrivalsPerSecond: readonly number[];
  /** In short windows that end now; missing where seconds are all that is counted. */
  readonly latest?: ArrivalEnvelope;
  /** Measured over the last ten minutes; missing while too little was seen. */
  readonly burstiness?: Burstiness;
}

/** How a stage stands. */
export interface StageObservation {
  readonly queueLength: number;
  /** Requests dropped from its queue since the start. */
  readonly droppedTotal: number;
  /** Since when the stage runs its present variant; missing while nothing is known. */
  readonly variantSinceMs?: number;
}

/** Everything a decision may rest on. `staleSources` names what did not answer in time. */
export interface Observation {
  /** Monotonic. */
  readonly atMs: number;
  readonly load: LoadObservation;
  readonly stages: Readonly<Record<StageId, StageObservation>>;
  readonly runningPlan: RunningPlan;
  /** Requests that failed since the start by what the plan may have caused (`mayComeOfPlan`); missing where nobody counts them. */
  readonly failedTotal?: number;
  /** Service times since the last tick; missing where nobody measures them. */
  readonly batches?: readonly BatchTimes[];
  /** What the edges did since the last tick, in the order of the pipeline's edges; missing where nobody counts it. */
  readonly edges?: readonly EdgeCount[];
  /** How the last decision's changes ended; missing where none has ended since the last tick. Changes by hand are not told of here. */
  readonly lastChange?: LastChange;
  /** Set while the changes of the last decision are still being carried out: only a burst is answered then, in their place. */
  readonly changing?: boolean;
  readonly staleSources: readonly string[];
}

/** What the load is expected to be until the next plan can be in force. */
export interface Forecast {
  readonly method: string;
  readonly meanRps: number;
  /** The rate that plans must hold at. */
  readonly upperRps: number;
  /** Methods that would have been asked first, but whose answer was no number. */
  readonly passedOver?: readonly string[];
}

/** The data behind a decision. */
export interface DecisionEvidence {
  readonly forecast: Forecast;
  /** What was planned for and verified at; missing where nothing was planned. */
  readonly load?: ExpectedLoad;
  readonly result?: PlanResult;
  /** Of a change: whether what ran could not go on (it would miss the SLO, or breaks a bound); else the change is an improvement. */
  readonly necessary?: boolean;
  /** The plan that would have been chosen but for a guardrail, and which one that was. */
  readonly passedOver?: { readonly plan: Plan; readonly reason: string };
  /** The burst that a protection answers. */
  readonly burst?: Burst;
  /** What traffic has taught of fan-outs and branches, where that differs from the pipeline file; plans rest on it. */
  readonly learnedEdges?: readonly LearnedEdge[];
  /** Profiles of another machine that the plan rests on, with the factor that was asked for. */
  readonly scaledProfiles?: readonly (ProfileScale & { readonly stageId: StageId; readonly variantId: VariantId })[];
}

/** What the control loop wants done, with its reason in words. */
export type Decision =
  | { readonly kind: 'hold'; readonly reason: string; readonly evidence: DecisionEvidence }
  | {
      readonly kind: 'apply';
      readonly plan: Plan;
      readonly changes: readonly Change[];
      readonly reason: string;
      readonly evidence: DecisionEvidence;
    };
