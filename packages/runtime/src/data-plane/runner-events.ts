/** Events of a served pipeline. Listeners are called after the turn in which an event happened. */
import type { HealthIssue, ReplicaId, StageId } from '@equipoise/core/model';
import type { QuarantinedInput } from './quarantined-input.js';
import type { BatchEnd } from './replica-batches.js';
import type { RequestEnd } from './request-end.js';
import { Listeners, type TurnQueue } from './turn-queue.js';

interface ReplicaEvent {
  readonly stageId: StageId;
  readonly replicaId: ReplicaId;
}

export class RunnerEvents {
  readonly replicaLost: Listeners<ReplicaEvent>;
  readonly replicaUnhealthy: Listeners<ReplicaEvent & { readonly issue: HealthIssue }>;
  readonly replicaLate: Listeners<ReplicaEvent & { readonly isLate: boolean }>;
  readonly inputQuarantined: Listeners<QuarantinedInput>;
  readonly requestEnded: Listeners<RequestEnd>;
  readonly batchEnded: Listeners<BatchEnd>;

  constructor(turns: TurnQueue) {
    this.replicaLost = new Listeners(turns);
    this.replicaUnhealthy = new Listeners(turns);
    this.replicaLate = new Listeners(turns);
    this.inputQuarantined = new Listeners(turns);
    this.requestEnded = new Listeners(turns);
    this.batchEnded = new Listeners(turns);
  }
}
