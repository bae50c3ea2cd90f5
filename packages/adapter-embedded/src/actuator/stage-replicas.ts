/**
 * The replicas of one stage: what runs, what should run, and the way from one to the other, make before break:
 * start and warm up what is missing → put it in service → set the batching → drain what is too much. When a start fails while
 * old replicas are to be replaced, the new ones are closed and the old ones serve on; when the stage only grows, each new
 * replica serves as soon as it is ready and stays. Calls must not overlap, except `lose`.
 */
import {
  type AlarmClock,
  AppError,
  invariant,
  type ModelRunner,
  type ReplicaId,
  type ReplicaLauncher,
  type ReplicaPool,
  type ReplicaStatus,
  type Resources,
  type RunningReplica,
  type RunningStage,
  replicaId,
  type StageBatching,
  type StageId,
  type StagePlan,
  type StageSpec,
  type TensorMap,
  type VariantId,
} from '@equipoise/core';
import { waitAtMost } from '../alarm-clock.js';

/** What a stage's replicas need around them. */
export interface StageSurroundings {
  readonly baseDir: string;
  readonly pool: ReplicaPool;
  readonly launcher: ReplicaLauncher;
  readonly clock: AlarmClock;
  /** Replicas of a stage that start at the same time. */
  readonly startConcurrency: number;
  /** Longest wait for draining replicas before a change counts as done; they go on draining after it. */
  readonly drainPatienceMs: number;
  /** Inputs for one run before a replica serves; made anew for each call, because a run takes them. */
  readonly warmUpBatch: (stageId: StageId) => readonly TensorMap[] | undefined;
  /** Told when a stage serves as `to` says, before what it replaces is drained. */
  readonly onServing: (stageId: StageId, to: StagePlan) => void;
  /** Told of failures that no caller waits for. */
  readonly onFailure: (stageId: StageId, error: unknown) => void;
}

interface Replica {
  readonly replicaId: ReplicaId;
  readonly variantId: VariantId;
  readonly resources: Resources;
  status: ReplicaStatus;
  runner?: ModelRunner;
}

type Wanted = Pick<StagePlan, 'variantId' | 'resources'>;

const isLike = (replica: Replica, { variantId, resources }: Wanted): boolean =>
  replica.variantId === variantId &&
  replica.resources.cpuCores === resources.cpuCores &&
  replica.resources.memoryBytes === resources.memoryBytes &&
  replica.resources.gpus === resources.gpus;

/** See the head of the file. */
export class StageReplicas {
  readonly #stage: StageSpec;
  readonly #around: StageSurroundings;
  readonly #replicas = new Map<ReplicaId, Replica>();
  readonly #drains = new Set<Promise<void>>();
  #batching: StageBatching | undefined;
  #target: StagePlan | undefined;
  #made = 0;

  constructor(stage: StageSpec, around: StageSurroundings) {
    this.#stage = stage;
    this.#around = around;
  }

  /** What runs now; a stage that never ran has batches of one. */
  running(): RunningStage {
    const replicas = [...this.#replicas.values()].map(({ runner: _, ...replica }): RunningReplica => replica);
    return { replicas, ...(this.#batching ?? { maxBatchSize: 1, maxBatchWaitMs: 0 }) };
  }

  /** Puts the batching of `to` in force and leaves the replicas alone. */
  rebatch(to: StagePlan): void {
    this.#setBatching(to);
    this.#around.onServing(this.#stage.id, to);
  }

  /** Makes the stage what `to` says and remembers it as the target; rejects with the error of a start. */
  async converge(to: StagePlan): Promise<void> {
    this.#forgetFailed();
    const fitting = this.#ready().filter((replica) => isLike(replica, to));
    const replaced = this.#ready().filter((replica) => !isLike(replica, to));
    await this.#startMissing(to, to.replicas - fitting.length, replaced.length === 0);
    this.#target = to;
    this.rebatch(to);
    const surplus = this.#ready()
      .filter((replica) => isLike(replica, to))
      .slice(to.replicas);
    await this.#drain([...replaced, ...surplus]);
  }

  /** Removes a lost replica; the answer tells whether it was one of this stage's. */
  lose(lostId: ReplicaId): boolean {
    const replica = this.#replicas.get(lostId);
    if (replica === undefined) return false;
    this.#replicas.delete(lostId);
    replica.runner?.close().catch((error: unknown) => this.#around.onFailure(this.#stage.id, error));
    return true;
  }

  /** Shows each replica that the target has and the stage lacks as failed; the answer is their number. */
  markMissing(): number {
    this.#forgetFailed();
    const target = this.#target;
    if (target === undefined) return 0;
    const missing = target.replicas - this.#ready().filter((replica) => isLike(replica, target)).length;
    for (let count = 0; count < missing; count++) this.#register(target, 'failed');
    return Math.max(0, missing);
  }

  /** Starts what the target lacks, one after another; rejects with the error of the first start that fails. */
  async replaceMissing(): Promise<void> {
    this.markMissing();
    for (const replica of [...this.#replicas.values()].filter(({ status }) => status === 'failed')) {
      replica.status = 'starting';
      try {
        await this.#start(replica);
      } catch (error) {
        this.#replicas.delete(replica.replicaId);
        throw error;
      }
      this.#serve(replica);
    }
  }

  /** Drains everything and waits for all of it. */
  async close(): Promise<void> {
    this.#target = undefined;
    this.#forgetFailed();
    for (const replica of this.#ready()) void this.#beginDrain(replica);
    await Promise.all(this.#drains);
  }

  #setBatching({ maxBatchSize, maxBatchWaitMs }: StageBatching): void {
    const inForce = this.#batching;
    if (inForce?.maxBatchSize === maxBatchSize && inForce.maxBatchWaitMs === maxBatchWaitMs) return;
    this.#batching = { maxBatchSize, maxBatchWaitMs };
    this.#around.pool.setBatching(this.#stage.id, this.#batching);
  }

  #ready(): Replica[] {
    return [...this.#replicas.values()].filter(({ status }) => status === 'ready');
  }

  #forgetFailed(): void {
    for (const { replicaId: id, status } of [...this.#replicas.values()])
      if (status === 'failed') this.#replicas.delete(id);
  }

  #register({ variantId, resources }: Wanted, status: ReplicaStatus): Replica {
    this.#made += 1;
    const id = replicaId(`${this.#stage.id}-${variantId}-${this.#made}`);
    const replica: Replica = { replicaId: id, variantId, resources, status };
    this.#replicas.set(id, replica);
    return replica;
  }

  async #start(replica: Replica): Promise<void> {
    const { baseDir, launcher, warmUpBatch } = this.#around;
    const variant = this.#stage.variants.find(({ id }) => id === replica.variantId);
    invariant(variant !== undefined, `stage '${this.#stage.id}' has the variant '${replica.variantId}'`);
    const { runner } = await launcher.launch({ stage: this.#stage, variant, resources: replica.resources, baseDir });
    replica.runner = runner;
    const batch = warmUpBatch(this.#stage.id);
    if (batch === undefined) return;
    try {
      await warmUp(runner, batch);
    } catch (error) {
      await this.#closeRunner(replica);
      throw error;
    }
  }

  #serve(replica: Replica): void {
    const { replicaId: id, variantId, resources, runner } = replica;
    invariant(runner !== undefined, `replica '${id}' has started`);
    replica.status = 'ready';
    this.#around.pool.addReplica(this.#stage.id, { replicaId: id, variantId, resources, runner });
  }

  async #startMissing(to: StagePlan, count: number, serveAtOnce: boolean): Promise<void> {
    if (count <= 0) return;
    if (this.#batching === undefined) this.#setBatching(to);
    const waiting = Array.from({ length: count }, () => this.#register(to, 'starting'));
    const started: Replica[] = [];
    const failures: unknown[] = [];
    const startNext = async (): Promise<void> => {
      for (let replica = waiting.shift(); replica !== undefined; replica = waiting.shift()) {
        try {
          await this.#start(replica);
          if (serveAtOnce) this.#serve(replica);
          else started.push(replica);
        } catch (error) {
          failures.push(error);
          for (const given of [replica, ...waiting.splice(0)]) this.#replicas.delete(given.replicaId);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(count, this.#around.startConcurrency) }, startNext));
    if (failures.length === 0) {
      for (const replica of started) this.#serve(replica);
      return;
    }
    for (const { replicaId: id } of started) this.#replicas.delete(id);
    await Promise.all(started.map((replica) => this.#closeRunner(replica)));
    throw failures[0];
  }

  #beginDrain(replica: Replica): Promise<void> {
    replica.status = 'draining';
    const drain = this.#around.pool
      .drainReplica(this.#stage.id, replica.replicaId)
      .then(() => this.#closeRunner(replica))
      .finally(() => {
        this.#replicas.delete(replica.replicaId);
        this.#drains.delete(drain);
      });
    this.#drains.add(drain);
    return drain;
  }

  async #drain(replicas: readonly Replica[]): Promise<void> {
    const drains = replicas.filter(({ replicaId: id }) => this.#replicas.has(id)).map((each) => this.#beginDrain(each));
    if (drains.length === 0) return;
    await waitAtMost(this.#around.clock, this.#around.drainPatienceMs, Promise.all(drains));
  }

  async #closeRunner({ runner }: Replica): Promise<void> {
    try {
      await runner?.close();
    } catch (error) {
      this.#around.onFailure(this.#stage.id, error);
    }
  }
}

async function warmUp(runner: ModelRunner, batch: readonly TensorMap[]): Promise<void> {
  const { items } = await runner.run(batch);
  for (const item of items) {
    // An input that this variant refuses says nothing about the replica: it serves without having been warmed.
    if (item.kind === 'ok' || item.error.code === 'INVALID_INPUT') continue;
    throw new AppError('MODEL_LOAD_FAILED', `The warm-up run failed: ${item.error.message}`, { cause: item.error });
  }
}
