import type { DropReason } from '../model/request-outcome.js';
import type { HealthIssue } from '../model/running-plan.js';
import type { ServingReplica } from './replica.js';
import type { RequestState } from './request-state.js';
import type { ServingEdge } from './serving-graph.js';
import type { StageLimits } from './stage-scheduler.js';

/** Effects of the scheduler, implemented once per clock. */
export interface ServingEffects<Payload, Context, Failure> {
  /** Runs `replica.batch`; answered by `batchDone`. */
  startBatch(replica: ServingReplica<Payload, Context>, nowMs: number): void;
  complete(request: RequestState<Payload, Context>, nowMs: number): void;
  drop(request: RequestState<Payload, Context>, reason: DropReason, nowMs: number): void;
  fail(request: RequestState<Payload, Context>, failure: Failure, nowMs: number): void;
  /** Calls `advance` at this instant. Later calls may name an earlier one; extra calls do no harm. */
  wakeAt(atMs: number): void;
  /** A replica hangs or stays bad: it is out of service for good, to be replaced. */
  unhealthy(replica: ServingReplica<Payload, Context>, trouble: HealthIssue, nowMs: number): void;
  /** Failure of requests whose batch hung. */
  hungFailure(stage: number): Failure;
  /** Failure of a request whose output fans out into more items than may wait at one stage (`most`). */
  tooManyItems(edge: ServingEdge, items: number, most: number): Failure;
  /** A draining replica has finished its last batch and is out of service. */
  drained(replica: ServingReplica<Payload, Context>): void;
}

/** Bounds of the whole pipeline. */
export interface SchedulerLimits extends StageLimits {
  /** Cores of the host that runs the replicas; Infinity if they run elsewhere. */
  readonly hostCores: number;
  /** Watches replicas for failures, slow-downs and hangs; default no. */
  readonly watchReplicas?: boolean;
  /** See `AdmissionSpec`; default 0. */
  readonly answerMarginMs?: number | undefined;
}
