/** Answers of the admin API that the page reads (docs/reference/admin-api.md). */
import type { IncidentCard } from '@equipoise/core/diagnose';
import type {
  Change,
  ControlMode,
  DecisionOutcome,
  DecisionRecord,
  ManualAction,
  Objective,
  ObservedOutcome,
  PinsByStage,
  PipelineSpec,
  Plan,
  PlanResult,
  Resources,
  Slo,
  StagePins,
} from '@equipoise/core/model';

export type { ControlMode, DecisionRecord, IncidentCard, Plan, PlanResult, Resources, StagePins };

type Budget = PipelineSpec['budget'];

export type ReplicaStatus = 'starting' | 'ready' | 'draining' | 'failed';

export interface RequestCounts {
  readonly arrived: number;
  readonly completed: number;
  readonly withinSlo: number;
  readonly failed: number;
  readonly dropped: Readonly<Record<string, number>>;
}

export interface Fault {
  readonly step: string;
  readonly message: string;
  readonly sinceEpochMs: number;
  readonly count: number;
}

/** Age of the newest data of a source; absent before the first. */
export interface SignalAge {
  readonly source: string;
  readonly ageMs?: number;
}

/** Parts that this server leaves to others, with a text that says where they are: an operator has these. */
export interface Elsewhere {
  readonly actions?: string;
  readonly requests?: string;
  readonly why?: string;
}

export interface PipelineFacts {
  readonly name: string;
  readonly mode: ControlMode;
  readonly fixed: boolean;
  /** Present if another router of this machine leads, whose plan this one has. */
  readonly follows?: boolean;
  readonly ready: boolean;
  readonly pins: PinsByStage;
  readonly lostPins?: readonly string[];
  readonly faults: readonly Fault[];
  readonly slo: Slo;
  readonly budget: Budget;
  readonly objective: Objective;
  readonly inFlight: number;
  readonly arrivalRps: number;
  readonly requests: RequestCounts;
  /** Changes with the pipeline. Absent in answers of older servers, as `signals`. */
  readonly specDigest?: string;
  readonly signals?: readonly SignalAge[];
  readonly elsewhere?: Elsewhere;
}

export interface GraphStage {
  readonly stageId: string;
  readonly kind: 'model' | 'transform';
  readonly optional?: true;
  readonly pins: StagePins;
  readonly variants: readonly {
    readonly variantId: string;
    readonly accuracy?: { readonly value: number; readonly metric: string };
    readonly cpuCores: readonly number[];
  }[];
  readonly bounds: {
    readonly minReplicas: number;
    readonly maxReplicas: number;
    readonly batchSizes?: readonly number[];
  };
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly fanOut?: number;
  readonly join?: string | { readonly quorum: number };
  readonly when?: { readonly condition: string; readonly probability: number };
}

export interface PipelineGraph {
  readonly slo: Slo;
  readonly budget: Budget;
  readonly objective: Objective;
  readonly intervalMs: number;
  readonly sources: readonly { readonly name: string; readonly to: readonly string[] }[];
  readonly stages: readonly GraphStage[];
  readonly combines: readonly { readonly stageId: string; readonly method: string }[];
  readonly edges: readonly GraphEdge[];
  readonly outputs: readonly { readonly from: string; readonly unless?: string }[];
}

export interface StageCounts {
  readonly queueLength: number;
  readonly items: number;
  readonly batches: number;
  readonly busyMs: number;
  /** Absent where only the routers know it. */
  readonly waitMs?: number;
  readonly failedItems: number;
  readonly dropped: Readonly<Record<string, number>>;
}

export interface EdgeTally {
  readonly offered: number;
  readonly taken: number;
  readonly fanOuts: number;
  readonly items: number;
}

export interface PipelineCounts {
  readonly atEpochMs: number;
  readonly inFlight: number;
  readonly requests: RequestCounts;
  readonly latencyMs?: { readonly p50: number; readonly atPercentile: number };
  readonly stages: Readonly<Record<string, StageCounts>>;
  readonly edges: readonly EdgeTally[];
}

export interface RunningReplica {
  readonly replicaId: string;
  readonly variantId: string;
  readonly resources: Resources;
  readonly status: ReplicaStatus;
}

export interface RunningStage {
  readonly replicas: readonly RunningReplica[];
  readonly maxBatchSize: number;
  readonly maxBatchWaitMs: number;
  readonly queueLength: number;
  readonly omitted?: true;
  readonly canary?: { readonly variantId: string; readonly fraction: number; readonly missingOutcomes: number };
  readonly rolledBack?: readonly { readonly variantId: string }[];
}

export interface RunningPlan {
  readonly stages: Readonly<Record<string, RunningStage>>;
}

export interface DecisionSummary {
  readonly id: number;
  readonly atEpochMs: number;
  readonly trigger?: DecisionRecord['trigger'];
  readonly mode?: ControlMode;
  readonly kind?: 'hold' | 'apply';
  readonly reason?: string;
  readonly manual?: ManualAction;
  readonly outcome?: DecisionOutcome;
  readonly observed?: ObservedOutcome;
}

export interface DecisionPage {
  readonly decisions: readonly DecisionSummary[];
  readonly nextBefore?: number;
}

export interface WhatIfAnswer {
  readonly result: PlanResult;
  readonly changes: readonly Change[];
}

export interface ActionAnswer {
  readonly result: string;
  readonly warning?: string;
}

export interface HistoryPoint {
  readonly atEpochMs: number;
  readonly arrivalRps: number;
  readonly forecastRps?: number;
  readonly forecastUpperRps?: number;
  readonly completedRps: number;
  readonly lateRps: number;
  readonly failedRps: number;
  readonly drops: Readonly<Record<string, number>>;
  /** Null or absent in a second without completed requests. */
  readonly p50Ms?: number | null;
  readonly p99Ms?: number | null;
  readonly accuracy?: number;
  readonly cost?: number;
  /** `planned` is absent before the first plan, and while a stage has no ready replica. */
  readonly cpuCores: { readonly used?: number; readonly planned?: number };
  readonly stages: Readonly<Record<string, HistoryStage>>;
}

export interface HistoryStage {
  readonly arrivalRps: number;
  readonly droppedRps?: number;
  readonly p99Ms?: number | null;
  readonly queueLength: number;
  readonly batchFill?: number | null;
  readonly replicas: {
    readonly starting: number;
    readonly ready: number;
    readonly draining: number;
    readonly unhealthy: number;
  };
}

export interface HistoryAnswer {
  readonly stepMs: number;
  readonly points: readonly HistoryPoint[];
}

export interface FrontierPoint {
  readonly pas: number;
  readonly costPerHour: number;
  readonly cpuCores: number;
  readonly plan: Plan;
}

/** `result` in place of `points` if no plan meets the SLO. */
export interface FrontierAnswer {
  readonly arrivalRps: number;
  readonly points?: readonly FrontierPoint[];
  readonly complete?: boolean;
  readonly result?: PlanResult;
  readonly current?: { readonly pas: number; readonly costPerHour: number; readonly cpuCores: number };
}

export interface ProfileCurve {
  readonly cpuCores: number;
  readonly points: readonly {
    readonly batchSize: number;
    readonly meanMs?: number;
    readonly p99Ms?: number;
    readonly throughputRps?: number;
    readonly meanUncertaintyFraction?: number;
    readonly fittedMs?: number;
  }[];
}

export interface VariantProfile {
  readonly stageId: string;
  readonly variantId: string;
  readonly loadMs: number;
  readonly scaled?: { readonly factor: number; readonly measuredOn: string };
  readonly curves: readonly ProfileCurve[];
}

export interface ProfilesAnswer {
  readonly profiles: readonly VariantProfile[];
}
