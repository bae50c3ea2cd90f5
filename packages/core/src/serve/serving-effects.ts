import type { DropReason } from '../model/request-outcome.js';
import type { HealthIssue } from '../model/running-plan.js';
import type { ServingReplica } from './replica.js';
import type { RequestState, StageItem } from './request-state.js';
import type { ServingEdge } from './serving-graph.js';
import type { StageLimits } from './stage-scheduler.js';

/** Effects of the scheduler, implemented once per clock. */
export interface ServingEffects<Payload, Context, Failure> {
  /** Runs `replica.batch`; answered by `batchDone`. */
  startBatch(replica: ServingReplica<Payload, Context>, nowMs: number): void;
  complete(request: RequestState<Payload, Context>, nowMs: number): void;
  drop(request: RequestState<Payload, Context>, reason: DropReason, nowMs: number): void;
  fail(request: RequestState<Payload, Context>, failure: Failure, nowMs: number): void;
  /** Calls `advance` at this time. A later `wakeAt` may set an earlier time; extra calls of `advance` do no harm. */
  wakeAt(atMs: number): void;
  /** Takes a hanging or bad replica out of service and has it replaced. */
  unhealthy(replica: ServingReplica<Payload, Context>, trouble: HealthIssue, nowMs: number): void;
  /** Reports that the batch of a replica may hang (`isLate`), or that such a batch has ended. */
  runsLate(replica: ServingReplica<Payload, Context>, isLate: boolean): void;
  /** Failure of an item whose batch hung, if it is not retried. */
  hungFailure(stage: number): Failure;
  quarantineFailure(stage: number): Failure;
  /** Digest of an item's input and tenant: equal for equal inputs of one tenant. */
  inputKey(item: StageItem<Payload, Context>): string;
  inputQuarantined(stage: number, key: string): void;
  /** Failure of a request whose output has more than `most` items. */
  tooManyItems(edge: ServingEdge, items: number, most: number): Failure;
  /** Calls `walkOn` in a later turn, so that other work of this thread comes first. Without it, no walk pauses. */
  walkLater?(): void;
  /** Reports that a draining replica is out of service. */
  drained(replica: ServingReplica<Payload, Context>): void;
}

export interface SchedulerLimits extends StageLimits {
  /** Infinity if the replicas run elsewhere. */
  readonly hostCores: number;
  /** Watches replicas for failures, slow-downs and hangs. Default: no. */
  readonly watchReplicas?: boolean;
  /** See `AdmissionSpec`; default 0. */
  readonly answerMarginMs?: number | undefined;
}
