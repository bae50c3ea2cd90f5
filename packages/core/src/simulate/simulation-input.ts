import type { HistoryRecorder, HistorySample } from '../history/history-recorder.js';
import type { Rng } from '../kernel/rng.js';
import type { Change } from '../model/change.js';
import type { Observation } from '../model/decision.js';
import type { StageId, StageVariant, VariantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import type { DropReason } from '../model/request-outcome.js';
import type { RunningPlan } from '../model/running-plan.js';
import type { ServiceCurves } from '../profile/service-curves.js';
import type { ServingGraph } from '../serve/serving-graph.js';
import type { ArrivalProcess } from './arrivals/constant-rate.js';
import type { FaultSchedule } from './replica-faults.js';
import type { RequestPaths } from './request-paths.js';
import type { SimulatedReplica } from './simulated-fleet.js';
import type { SimulationTally } from './simulation-tally.js';
import type { MeanUse } from './use-meter.js';

/** `hostCores` limits the running replica threads (Infinity without a common host). */
export interface SimulationInput {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  readonly plan: Plan;
  readonly arrivals: ArrivalProcess;
  readonly rng: Rng;
  readonly hostCores: number;
  /** False for verification: late requests complete and count as misses. */
  readonly drops: boolean;
  readonly controller?: SimulatedController;
  readonly faults?: FaultSchedule;
  /** Service times that drop rules assume. Default: `curves`. */
  readonly policyCurves?: ServiceCurves | undefined;
  /** Default: drawn from `curves`. The policies do not use them. */
  readonly serviceTimes?: SimulatedServiceTimes;
  /** Default: drawn from the fan-outs and branches of `spec`. */
  readonly paths?: RequestPaths | undefined;
  /** Clients by request number. By default, the deadline is the SLO and patience is unlimited. */
  readonly clients?: SimulatedClients;
  /** Fan-outs and branches that outputs follow from this time on. */
  readonly laterEdges?: { readonly atMs: number; readonly edges: PipelineSpec['edges'] };
  /** From this time on, arrivals are dropped as `draining`. */
  readonly drainsAtMs?: number;
  /** Requests that wait at the start; default 0. */
  readonly backlogRequests?: number;
  /** Arrivals and batches before this time do not count; default 0. */
  readonly measureFromMs?: number;
  /** End of the load: ticks continue and the run is measured at least until then. Default: the last arrival. */
  readonly loadEndsAtMs?: number;
  /** Accuracy (fraction) of the running plan; default 0. */
  readonly accuracyOf?: (running: RunningPlan) => number;
  /** Time (ms) of each request that clients take on the core of the serving thread, if its work was measured. Default: 0. */
  readonly clientMs?: number;
  readonly onBatch?: (replica: SimulatedReplica, times: { readonly nowMs: number; readonly serviceMs: number }) => void;
  /** Called when the queue of a stage or of the serving thread is empty; `sinceMs`: time since which it was not. */
  readonly onQueueEmptied?: (sinceMs: number, nowMs: number) => void;
  /** Called after each step of the fleet, perhaps several times at an instant. */
  readonly onFleet?: (running: RunningPlan, nowMs: number) => void;
  readonly onEnd?: (end: SimulatedEnd) => void;
  /** Makes the recorder of the history, which may call `sample` at once. */
  readonly recorder?: (sample: () => Omit<HistorySample, 'plan'>) => HistoryRecorder;
}

export interface SimulatedServiceTimes {
  /** Called once per batch in start order; `stage` is an index. */
  drawMs(batch: { readonly stage: number; readonly batchSize: number; readonly nowMs: number }, rng: Rng): number;
}

export interface SimulatedClients {
  timeoutMs(sequence: number): number;
  /** Infinity: the client never leaves. */
  patienceMs(sequence: number): number;
  priority?(sequence: number): number;
}

/** `latencyMs` is undefined unless the request completed. */
export interface SimulatedEnd {
  readonly sequence: number;
  readonly outcome: 'completed' | 'failed' | DropReason;
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  readonly latencyMs: number | undefined;
  readonly missing: number;
  /** Accuracy of the running plan when the request ended. */
  readonly pas: number;
}

export interface SimulatedView {
  readonly nowMs: number;
  readonly changing: boolean;
  /** Reports counts since the last observation. Reports the end of a change once. */
  observe(): Observation;
  peek(): Observation;
  /** Ends canaries without a verdict. With `pinned`, ends only a canary that contradicts that pin. */
  endCanary(pinned?: StageVariant): void;
}

/** Its changes replace those under way. */
export interface SimulatedController {
  readonly intervalMs: number;
  /** True: ticks during changes, too. */
  readonly looksWhileChanging?: boolean;
  /** Undefined if nothing is to be applied. */
  decide(view: SimulatedView): readonly Change[] | undefined;
  loadMs(stageId: StageId, variantId: VariantId): number;
  /** Service times that drop rules assume after a decision. Default: those of the simulated batches. */
  expectedCurves?(): ServiceCurves;
}

export interface SimulationRun {
  readonly tally: SimulationTally;
  readonly endedAtMs: number;
  readonly graph: ServingGraph;
  readonly meanUse: MeanUse;
}
