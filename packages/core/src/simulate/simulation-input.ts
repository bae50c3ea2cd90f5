import type { Rng } from '../kernel/rng.js';
import type { Change } from '../model/change.js';
import type { Observation } from '../model/decision.js';
import type { StageId, VariantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import type { DropReason } from '../model/request-outcome.js';
import type { RunningPlan } from '../model/running-plan.js';
import type { ServiceCurves } from '../profile/curves-of.js';
import type { ServingGraph } from '../serve/serving-graph.js';
import type { ArrivalProcess } from './arrivals/constant-rate.js';
import type { FaultSchedule } from './replica-faults.js';
import type { SimulatedReplica } from './simulated-fleet.js';
import type { SimulationTally } from './simulation-tally.js';
import type { MeanUse } from './use-meter.js';

/** `hostCores` bounds the replica threads that run at once (Infinity if not on one host). */
export interface SimulationInput {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  readonly plan: Plan;
  readonly arrivals: ArrivalProcess;
  readonly rng: Rng;
  readonly hostCores: number;
  /** False for verification: without drops and with unbounded queues a miss is a late completion. */
  readonly drops: boolean;
  readonly controller?: SimulatedController;
  /** Default: no faults. */
  readonly faults?: FaultSchedule;
  /** Service times of batches. Default: draws from the laws of `curves`, which the policies use in any case. */
  readonly serviceTimes?: SimulatedServiceTimes;
  /** Clients by request number from 0. Default: deadline at the SLO, unlimited patience. */
  readonly clients?: SimulatedClients;
  /** Arrivals from this instant on are dropped as `draining`. */
  readonly drainsAtMs?: number;
  /**
   * Requests waiting at the sources at the start; default 0. Half-finished requests start again, which never flatters a
   * plan.
   */
  readonly backlogRequests?: number;
  /** Earlier arrivals and batches are simulated but not counted; default 0. */
  readonly measureFromMs?: number;
  /** Accuracy (fraction) of the running plan; default 0. */
  readonly accuracyOf?: (running: RunningPlan) => number;
  readonly onBatch?: (replica: SimulatedReplica, times: { readonly nowMs: number; readonly serviceMs: number }) => void;
  /** Called after each step of the fleet, possibly several times at an instant. */
  readonly onFleet?: (running: RunningPlan, nowMs: number) => void;
  readonly onEnd?: (end: SimulatedEnd) => void;
}

/** Service times that depend on more than the batch size. */
export interface SimulatedServiceTimes {
  /** Service time of a batch that starts at `nowMs` at a stage (by index). Called once per batch in start order. */
  drawMs(batch: { readonly stage: number; readonly batchSize: number; readonly nowMs: number }, rng: Rng): number;
}

export interface SimulatedClients {
  timeoutMs(sequence: number): number;
  /** Time from arrival until the client leaves; Infinity for never. */
  patienceMs(sequence: number): number;
  priority?(sequence: number): number;
}

/** The latency is undefined unless the request completed. */
export interface SimulatedEnd {
  /** From 0. */
  readonly sequence: number;
  readonly outcome: 'completed' | 'failed' | DropReason;
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  readonly latencyMs: number | undefined;
  readonly missing: number;
  /** Accuracy (fraction) of the running plan at the end. */
  readonly pas: number;
}

/** A pipeline as a simulated control loop sees it at a tick. */
export interface SimulatedView {
  readonly nowMs: number;
  /** Are changes under way? */
  readonly changing: boolean;
  /** Observes everything; counts since the last observation and the end of the last change are told once. */
  observe(): Observation;
  peek(): Observation;
}

/** A control loop in simulated time. Changes that it decides while others are under way replace them. */
export interface SimulatedController {
  readonly intervalMs: number;
  /** Does it tick while changes are under way? */
  readonly looksWhileChanging?: boolean;
  /** Changes to carry out; undefined if there is nothing to carry out. */
  decide(view: SimulatedView): readonly Change[] | undefined;
  loadMs(stageId: StageId, variantId: VariantId): number;
  /** Service times that drop rules use, at first and after each decision; those of the simulated batches when left out. */
  expectedCurves?(): ServiceCurves;
}

export interface SimulationRun {
  readonly tally: SimulationTally;
  readonly endedAtMs: number;
  readonly graph: ServingGraph;
  readonly meanUse: MeanUse;
}
