/** Replicas of a pipeline in service: entry, exit after their batch, loss. */
import { type AppError, invariant, type ReplicaId } from '@equipoise/core/model';
import type { ReadyReplica } from '@equipoise/core/ports';
import type { PipelineScheduler } from '@equipoise/core/serve';
import type { PendingRequest, RequestTensors } from './pending-request.js';
import { ServedReplica } from './served-replica.js';

export interface ReplicaSurroundings {
  readonly scheduler: PipelineScheduler<RequestTensors, PendingRequest, AppError>;
  /** Runs a step on the policies. */
  turn(step: (nowMs: number) => void): void;
  /** Called once for each lost replica. */
  lost(served: ServedReplica): void;
}

export class ServedReplicas {
  readonly #around: ReplicaSurroundings;
  readonly #byId = new Map<ReplicaId, ServedReplica>();

  constructor(around: ReplicaSurroundings) {
    this.#around = around;
  }

  get all(): readonly ServedReplica[] {
    return [...this.#byId.values()];
  }

  /** Indices of the stages with a replica that takes batches. */
  get stages(): ReadonlySet<number> {
    return new Set(this.all.filter(({ inPolicies }) => inPolicies?.draining === false).map(({ stage }) => stage));
  }

  /** Replica of this name, which must be in service. */
  named(replicaId: ReplicaId): ServedReplica {
    const served = this.#byId.get(replicaId);
    invariant(served !== undefined, `replica ${replicaId} is in service`);
    return served;
  }

  /** Takes one into service. */
  add(stage: number, replica: ReadyReplica): void {
    const { replicaId, resources } = replica;
    invariant(!this.#byId.has(replicaId), `replica ${replicaId} is in service already`);
    const served = new ServedReplica(stage, replica);
    this.#byId.set(replicaId, served);
    const { scheduler, turn } = this.#around;
    turn((nowMs) => {
      const description = { replicaId, cpuCores: resources.cpuCores, inCanary: replica.inCanary === true };
      served.inPolicies = scheduler.addReplica(served.stage, description, nowMs);
      replica.runner.onLost(() => turn(() => this.lose(served)));
    });
  }

  /** Takes one out of service. Resolves when its batch has ended, at once if the name is unknown. */
  async drain(replicaId: ReplicaId): Promise<void> {
    const served = this.#byId.get(replicaId);
    if (served === undefined) return;
    this.#around.turn(() => this.#takeOut(served));
    await served.drained;
  }

  /** A replica out of service has ended its batch. */
  drained(replicaId: ReplicaId): void {
    this.#byId.get(replicaId)?.markDrained();
    this.#byId.delete(replicaId);
  }

  /** Takes a lost one out of service, within a turn. */
  lose(served: ServedReplica): void {
    if (served.lost) return;
    served.lost = true;
    this.#takeOut(served);
    this.#around.lost(served);
  }

  #takeOut({ inPolicies }: ServedReplica): void {
    if (inPolicies !== undefined) this.#around.scheduler.drainReplica(inPolicies);
  }
}
