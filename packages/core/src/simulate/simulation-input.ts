/** What is put into a simulation of a pipeline and what comes out of it. */
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

/** What to simulate. `hostCores` bounds the replica threads that run at once (Infinity when they are not on one host). */
export interface SimulationInput {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  /** The plan in force at the start. */
  readonly plan: Plan;
  readonly arrivals: ArrivalProcess;
  readonly rng: Rng;
  readonly hostCores: number;
  /** Off for verification: without drops and with unbounded queues a miss shows as a late completion. */
  readonly drops: boolean;
  readonly controller?: SimulatedController;
  /** What goes wrong with replicas; nothing without it. */
  readonly faults?: FaultSchedule;
  /** How long batches take; without it draws from the laws of `curves`, which the policies go by in any case. */
  readonly serviceTimes?: SimulatedServiceTimes;
  /** How the clients of requests behave, by number of the request from 0; without it they wait as long as the SLO says. */
  readonly clients?: SimulatedClients;
  /** From this instant on arrivals are dropped as `draining`, as those of a server that is stopped. */
  readonly drainsAtMs?: number;
  /**
   * Requests that wait at the sources when the simulation begins, as if they had arrived together at that moment; 0 without it. One that
   * waited half-way in what was observed begins anew: more work than is left of it, so that no plan is flattered.
   */
  readonly backlogRequests?: number;
  /** Requests that arrive and batches that start earlier are simulated but not counted; 0 without it. */
  readonly measureFromMs?: number;
  /** Accuracy (fraction) of what runs; without it accuracies count as 0. */
  readonly accuracyOf?: (running: RunningPlan) => number;
  /** Called at each start of a batch, which is that of the replica. */
  readonly onBatch?: (replica: SimulatedReplica, times: { readonly nowMs: number; readonly serviceMs: number }) => void;
  /** Called after each step of the fleet, perhaps several times at an instant. */
  readonly onFleet?: (running: RunningPlan, nowMs: number) => void;
  /** Called at each end of a request. */
  readonly onEnd?: (end: SimulatedEnd) => void;
}

/** Service times that depend on more than the batch size, such as those of a machine that is slower after a rest. */
export interface SimulatedServiceTimes {
  /** Time of a batch that starts at `nowMs` at a stage, by its index; called once a batch, in the order of the starts. */
  drawMs(batch: { readonly stage: number; readonly batchSize: number; readonly nowMs: number }, rng: Rng): number;
}

/** Clients with deadlines and patience of their own. */
export interface SimulatedClients {
  /** Time from arrival to the deadline. */
  timeoutMs(sequence: number): number;
  /** Time from arrival until the client is gone; Infinity for never. */
  patienceMs(sequence: number): number;
  /** Priority that the request states (see `PrioritySpec`); none without it. */
  priority?(sequence: number): number;
}

/** How a request ended; the latency is undefined unless it completed. */
export interface SimulatedEnd {
  /** Number of the request, from 0. */
  readonly sequence: number;
  readonly outcome: 'completed' | 'failed' | DropReason;
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  readonly latencyMs: number | undefined;
  /** How much of it joins went on without. */
  readonly missing: number;
  /** Accuracy (fraction) of what runs at that moment. */
  readonly pas: number;
}

/** A control loop in simulated time. Ticks that come while changes are under way are skipped unless it looks on; what it decides there takes their place. */
export interface SimulatedController {
  readonly intervalMs: number;
  readonly looksWhileChanging?: boolean;
  decide(observation: Observation): readonly Change[];
  /** Time from start to ready of a replica. */
  loadMs(stageId: StageId, variantId: VariantId): number;
  /** The service times that drop rules go by, at first and behind each decision; without it those that batches are drawn from. */
  expectedCurves?(): ServiceCurves;
}

/** A run's counts together with the simulated time it took. */
export interface SimulationRun {
  readonly tally: SimulationTally;
  readonly endedAtMs: number;
  readonly graph: ServingGraph;
  /** Of the measured time. */
  readonly meanUse: MeanUse;
}
