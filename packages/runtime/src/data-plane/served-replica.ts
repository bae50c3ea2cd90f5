/** Replicas of the data plane by name, from their entry into service until their last batch has ended. */
import type { ReplicaId, StageId, VariantId } from '@equipoise/core/model';
import type { ModelRunner, ReadyReplica } from '@equipoise/core/ports';
import type { ServingReplica, StageItem } from '@equipoise/core/serve';
import type { PendingRequest, RequestTensors } from './pending-request.js';

export type PolicyReplica = ServingReplica<RequestTensors, PendingRequest>;

export type PolicyItem = StageItem<RequestTensors, PendingRequest>;

/** State of a replica's circuit breaker: `open` gets no batches, `half-open` one as a probe. */
export type BreakerState = 'closed' | 'open' | 'half-open';

export interface ReplicaBreaker {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly state: BreakerState;
}

/** One replica in service; `drained` resolves when it is out of service and free. */
export class ServedReplica {
  readonly replicaId: ReplicaId;
  readonly stage: number;
  readonly variantId: VariantId;
  readonly runner: ModelRunner;
  readonly drained: Promise<void>;
  readonly markDrained: () => void;
  /** Its counterpart in the policies once it is in service. */
  inPolicies: PolicyReplica | undefined;
  lost = false;

  constructor(stage: number, { replicaId, variantId, runner }: ReadyReplica) {
    let markDrained = () => {};
    this.drained = new Promise((resolve) => {
      markDrained = resolve;
    });
    this.markDrained = markDrained;
    this.replicaId = replicaId;
    this.stage = stage;
    this.variantId = variantId;
    this.runner = runner;
  }

  /** State of its breaker at an instant of the policies' clock. */
  breaker(nowMs: number): BreakerState {
    const health = this.inPolicies?.health;
    if (health === undefined) return 'closed';
    if (nowMs < health.openUntilMs) return 'open';
    return health.onProbation ? 'half-open' : 'closed';
  }
}
