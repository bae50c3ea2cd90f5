import {
  AppError,
  type CanaryCounts,
  type HealthIssue,
  type ReplicaId,
  type StageId,
  type TensorMap,
} from '@equipoise/core/model';
import type { BatchResult, ReadyReplica, ReplicaPool, StageBatching } from '@equipoise/core/ports';

export type PoolEvent =
  | {
      readonly kind: 'added' | 'draining' | 'drained' | 'lost';
      readonly stageId: StageId;
      readonly replicaId: ReplicaId;
    }
  | { readonly kind: 'canary-opened' | 'canary-closed'; readonly stageId: StageId }
  | { readonly kind: 'canary-shared'; readonly stageId: StageId; readonly fraction: number }
  | { readonly kind: 'batching'; readonly stageId: StageId; readonly batching: StageBatching };

type UnfitListener = (stageId: StageId, replicaId: ReplicaId, trouble: HealthIssue) => void;

interface Member {
  readonly stageId: StageId;
  readonly replica: ReadyReplica;
  running?: Promise<unknown> | undefined;
}

/** ReplicaPool in memory with visible state. Runs single batches and reports each step. */
export class FakePool implements ReplicaPool {
  readonly events: PoolEvent[] = [];
  /** Outcomes of both sides of a canary. */
  counts: CanaryCounts = { before: { ended: 0, missed: 0 }, after: { ended: 0, missed: 0 } };
  readonly #members = new Map<ReplicaId, Member>();
  readonly #batching = new Map<StageId, StageBatching>();
  readonly #lostListeners: ((stageId: StageId, replicaId: ReplicaId) => void)[] = [];
  readonly #unfitListeners: UnfitListener[] = [];
  readonly #eventListeners: ((event: PoolEvent) => void)[] = [];

  /** Replicas of a stage that take batches, oldest first. */
  serving(stageId: StageId): readonly ReadyReplica[] {
    return [...this.#members.values()].filter((member) => member.stageId === stageId).map(({ replica }) => replica);
  }

  batchingOf(stageId: StageId): StageBatching | undefined {
    return this.#batching.get(stageId);
  }

  /** Calls `listener` after each step. */
  onEvent(listener: (event: PoolEvent) => void): void {
    this.#eventListeners.push(listener);
  }

  /** Runs a batch on a replica in service and reports its loss. */
  async run(stageId: StageId, id: ReplicaId, batch: readonly TensorMap[]): Promise<BatchResult> {
    const member = this.#members.get(id);
    if (member === undefined) throw new AppError('REPLICA_LOST', `No replica '${id}' is in service.`);
    const running = member.replica.runner.run(batch);
    member.running = running.catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'REPLICA_LOST') this.#lose(stageId, id);
    });
    return running;
  }

  addReplica(stageId: StageId, replica: ReadyReplica): void {
    const { replicaId } = replica;
    this.#members.set(replicaId, { stageId, replica });
    replica.runner.onLost(() => this.#lose(stageId, replicaId));
    this.#tell({ kind: 'added', stageId, replicaId });
  }

  async drainReplica(stageId: StageId, replicaId: ReplicaId): Promise<void> {
    const member = this.#members.get(replicaId);
    if (member === undefined) return;
    this.#members.delete(replicaId);
    this.#tell({ kind: 'draining', stageId, replicaId });
    await member.running;
    this.#tell({ kind: 'drained', stageId, replicaId });
  }

  setBatching(stageId: StageId, batching: StageBatching): void {
    this.#batching.set(stageId, batching);
    this.#tell({ kind: 'batching', stageId, batching });
  }

  /** Without a graph, no join needs an omitted stage. */
  isSkipped(): boolean {
    return true;
  }

  openCanary(stageId: StageId): void {
    this.#tell({ kind: 'canary-opened', stageId });
  }

  shareCanary(stageId: StageId, fraction: number): void {
    this.#tell({ kind: 'canary-shared', stageId, fraction });
  }

  canaryCounts(): CanaryCounts {
    return this.counts;
  }

  closeCanary(stageId: StageId): void {
    this.#tell({ kind: 'canary-closed', stageId });
  }

  onReplicaLost(listener: (stageId: StageId, replicaId: ReplicaId) => void): void {
    this.#lostListeners.push(listener);
  }

  onReplicaLate(): void {}

  onReplicaUnhealthy(listener: UnfitListener): void {
    this.#unfitListeners.push(listener);
  }

  /** Takes an unhealthy replica out of service for good. */
  dismiss(replicaId: ReplicaId, trouble: HealthIssue): void {
    const member = this.#members.get(replicaId);
    if (member === undefined) return;
    this.#members.delete(replicaId);
    for (const listener of this.#unfitListeners) listener(member.stageId, replicaId, trouble);
  }

  #lose(stageId: StageId, replicaId: ReplicaId): void {
    if (!this.#members.delete(replicaId)) return;
    this.#tell({ kind: 'lost', stageId, replicaId });
    for (const listener of this.#lostListeners) listener(stageId, replicaId);
  }

  #tell(event: PoolEvent): void {
    this.events.push(event);
    for (const listener of this.#eventListeners) listener(event);
  }
}
