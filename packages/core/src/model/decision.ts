import type { Change, LastChange } from './change.js';
import type { ArrivalEnvelope, Burstiness, ExpectedLoad } from './expected-load.js';
import type { StageId, VariantId } from './ids.js';
import type { Robustness } from './pipeline-spec.js';
import type { Plan, PlanResult } from './plan.js';
import type { ProfileScale, UncertainPoint } from './profile-point.js';
import type { RunningPlan } from './running-plan.js';

/** Requests that ended in a recent window. `missed`: late, dropped or failed. */
export interface MissCount {
  readonly ended: number;
  readonly missed: number;
}

/** Service times of equal batches since the last tick, possibly a sample. `areMeans`: each is the mean of many. */
export interface BatchTimes {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly cpuCores: number;
  readonly batchSize: number;
  readonly serviceMs: readonly number[];
  readonly areMeans?: boolean;
}

/** Times (ms) in which replicas of a variant started. */
export interface StartTimes {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly startMs: readonly number[];
  /** Maximum number of replicas that started at once. */
  readonly atOnce: number;
}

export interface Burst {
  readonly windowS: number;
  readonly arrivals: number;
  readonly plannedArrivals: number;
  /** Arrivals per second during the window. */
  readonly rateRps: number;
}

/** Counts from which probabilities and fan-out factors are learned. Counts that do not apply are 0. */
export interface EdgeTally {
  /** Outputs of the stage before this `when` edge. */
  readonly offered: number;
  readonly taken: number;
  readonly fanOuts: number;
  readonly items: number;
}

/** Counts of one edge. `byVariant`: if its shares are stated by variant, for each variant that made outputs. */
export interface EdgeCount extends EdgeTally {
  readonly byVariant?: Readonly<Record<VariantId, EdgeTally>>;
}

/**
 * Learned value that replaces the one in the pipeline file. An optional source is a branch from its name, with a place
 * after the edges.
 */
export interface LearnedEdge {
  readonly edge: number;
  readonly from: StageId;
  readonly to: StageId;
  readonly kind: 'fan-out' | 'branch';
  /** Variant of `from`, if the pipeline file states values by variant. */
  readonly variantId?: VariantId;
  /** Variants of earlier stages, if the value applies only behind them. */
  readonly upstream?: Readonly<Record<StageId, VariantId>>;
  /** Mean items of a fan-out, or probability (0…1) of a `when` edge. */
  readonly value: number;
  readonly stated: number;
  /** Standard error at adoption; `outputs`: sample size at adoption. */
  readonly standardError: number;
  readonly outputs: number;
}

/** `arrivalsPerSecond`: whole seconds, oldest first, without the current one. */
export interface LoadObservation {
  readonly arrivalsPerSecond: readonly number[];
  /** Windows that end now; absent if only seconds are counted. */
  readonly latest?: ArrivalEnvelope;
  /** Absent with too little data. */
  readonly burstiness?: Burstiness;
}

export interface StageObservation {
  readonly queueLength: number;
  readonly droppedTotal: number;
  /** Time of the last variant switch; absent without one. */
  readonly variantSinceMs?: number;
}

/** Rate that a person announced at the start. Times are monotonic; `firstArrivalAtMs` is absent before a request. */
export interface AnnouncedLoad {
  readonly arrivalRps: number;
  readonly sinceMs: number;
  readonly firstArrivalAtMs?: number;
}

export interface Observation {
  /** Monotonic time. */
  readonly atMs: number;
  readonly load: LoadObservation;
  /** Absent if no rate was announced. */
  readonly announced?: AnnouncedLoad;
  readonly stages: Readonly<Record<StageId, StageObservation>>;
  readonly runningPlan: RunningPlan;
  /** Failures since the start that the plan may have caused (`mayComeOfPlan`); absent if not counted. */
  readonly failedTotal?: number;
  /** Since the last tick; absent if not measured. */
  readonly batches?: readonly BatchTimes[];
  /** Starts that ended since the last tick; absent if `runningPlan` shows which replicas start. */
  readonly starts?: readonly StartTimes[];
  /** Absent if not counted. While the SLO is missed, replicas are only added. */
  readonly outcomes?: MissCount;
  /** Since the last tick, in the order of the pipeline's edges, then of several sources; absent if not counted. */
  readonly edges?: readonly EdgeCount[];
  /** Last automatic change; absent if none ended since the last tick. */
  readonly lastChange?: LastChange;
  /** True during changes. The slow loop does not preempt them. */
  readonly changing?: boolean;
  /** Sources whose metrics did not arrive in time. */
  readonly staleSources: readonly string[];
}

export interface Forecast {
  readonly method: string;
  readonly meanRps: number;
  /** Rate for which plans must meet the SLO. */
  readonly upperRps: number;
  readonly passedOver?: readonly string[];
}

export interface DecisionEvidence {
  readonly forecast: Forecast;
  /** Load for planning and verification. */
  readonly load?: ExpectedLoad;
  readonly result?: PlanResult;
  /** True if the running plan would miss the SLO or break a bound. */
  readonly necessary?: boolean;
  readonly passedOver?: { readonly plan: Plan; readonly reason: string };
  readonly burst?: Burst;
  /** Rise that the fast loop answers: replicas start slowly, or a change delays the plan that is due. */
  readonly rise?: 'slow-starts' | 'held-up';
  /** Edges whose learned value differs from the pipeline file. */
  readonly learnedEdges?: readonly LearnedEdge[];
  /** Robustness that the pipeline file requires. */
  readonly robustness?: Robustness;
  /** Profile points with an uncertain mean, the widest interval first. */
  readonly uncertainPoints?: readonly UncertainPoint[];
  /** Profiles of other machines. */
  readonly scaledProfiles?: readonly (ProfileScale & { readonly stageId: StageId; readonly variantId: VariantId })[];
}

export type Decision =
  | { readonly kind: 'hold'; readonly reason: string; readonly evidence: DecisionEvidence }
  | {
      readonly kind: 'apply';
      readonly plan: Plan;
      readonly changes: readonly Change[];
      readonly reason: string;
      readonly evidence: DecisionEvidence;
    };
