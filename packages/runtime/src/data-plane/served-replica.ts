/** The replicas that the data plane holds, by name, from the moment they enter service until their last batch has ended. */
import type { ModelRunner, ReadyReplica, ReplicaId, ServingReplica, StageItem } from '@equipoise/core';
import type { PendingRequest, RequestTensors } from './pending-request.js';

/** A replica as the policies hold it. */
export type PolicyReplica = ServingReplica<RequestTensors, PendingRequest>;

/** An item of a batch as the policies hold it. */
export type PolicyItem = StageItem<RequestTensors, PendingRequest>;

/** One replica in service; `drained` resolves when it is out of service and free. */
export class ServedReplica {
  readonly replicaId: ReplicaId;
  readonly stage: number;
  readonly runner: ModelRunner;
  readonly drained: Promise<void>;
  readonly markDrained: () => void;
  /** Its counterpart in the policies, set when it has entered service. */
  inPolicies: PolicyReplica | undefined;
  lost = false;

  constructor(stage: number, { replicaId, runner }: ReadyReplica) {
    let markDrained = () => {};
    this.drained = new Promise((resolve) => {
      markDrained = resolve;
    });
    this.markDrained = markDrained;
    this.replicaId = replicaId;
    this.stage = stage;
    this.runner = runner;
  }
}
