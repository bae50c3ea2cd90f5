/** What the request policies make happen, implemented once per clock, and the bounds that they keep. */

import type { DropReason } from '../model/request-outcome.js';
import type { HealthIssue } from '../model/running-plan.js';
import type { ServingReplica } from './replica.js';
import type { RequestState } from './request-state.js';
import type { ServingEdge } from './serving-graph.js';
import type { StageLimits } from './stage-limits.js';

/** What the scheduler makes happen; implemented once per clock. */
export interface ServingEffects<Payload, Context, Failure> {
  /** Run `replica.batch`; answered by `batchDone`. */
  startBatch(replica: ServingReplica<Payload, Context>, nowMs: number): void;
  complete(request: RequestState<Payload, Context>, nowMs: number): void;
  drop(request: RequestState<Payload, Context>, reason: DropReason, nowMs: number): void;
  fail(request: RequestState<Payload, Context>, failure: Failure, nowMs: number): void;
  /** Call `advance` at this instant (later calls may name an earlier one; a call too many does no harm). */
  wakeAt(atMs: number): void;
  /** A replica hangs or stays bad: it is out of service for good and to be replaced. */
  unfit(replica: ServingReplica<Payload, Context>, trouble: HealthIssue, nowMs: number): void;
  /** What requests fail with whose batch hung. */
  hungFailure(stage: number): Failure;
  /** What requests fail with of which an output fans out into more items than may wait at one stage (`most`). */
  tooManyItems(edge: ServingEdge, items: number, most: number): Failure;
  /** A draining replica has finished its last batch and is out of service. */
  drained(replica: ServingReplica<Payload, Context>): void;
}

/** Bounds of the whole pipeline. */
export interface SchedulerLimits extends StageLimits {
  /** Cores of the host that run replicas; Infinity when they run elsewhere. */
  readonly hostCores: number;
  /** Whether replicas are watched for failures, slow-downs and hangs; not (when left out) where they cannot have any. */
  readonly watchReplicas?: boolean;
  /** See `AdmissionSpec`; 0 when left out. */
  readonly answerMarginMs?: number | undefined;
}
