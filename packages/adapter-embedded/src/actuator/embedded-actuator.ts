/**
 * Carries out changes on this machine. Changes and restarts go through one queue, so one stage at a time has replicas that
 * start beside those that serve. A lost replica is replaced after a back-off, as often as needed and never beyond the target
 * of the stage's last change; until then it shows as `failed`, while it starts as `starting`.
 */
import {
  type Actuator,
  AppError,
  type Change,
  invariant,
  type PipelineSpec,
  type RunningPlan,
  type RunningStage,
  type StageId,
} from '@equipoise/core';
import { preciseClock } from '../alarm-clock.js';
import { RestartBackoff } from './restart-backoff.js';
import { StageReplicas, type StageSurroundings } from './stage-replicas.js';

/** What an EmbeddedActuator works with; all but the first two have defaults. */
export interface EmbeddedActuatorOptions
  extends Pick<StageSurroundings, 'pool' | 'launcher'>,
    Partial<Omit<StageSurroundings, 'pool' | 'launcher' | 'baseDir'>> {}

const defaults = {
  clock: preciseClock,
  startConcurrency: 2,
  drainPatienceMs: 30_000,
  warmUpBatch: () => undefined,
  onServing: () => undefined,
  onFailure: () => undefined,
} as const satisfies Partial<StageSurroundings>;

interface SupervisedStage {
  readonly replicas: StageReplicas;
  readonly backoff: RestartBackoff;
  cancelRestart?: (() => void) | undefined;
}

/** The actuator of replicas in this process, of whatever kind its launcher starts. */
export class EmbeddedActuator implements Actuator {
  readonly #around: StageSurroundings;
  readonly #stages: ReadonlyMap<StageId, SupervisedStage>;
  #queue: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor({ stages, baseDir }: Pick<PipelineSpec, 'stages' | 'baseDir'>, options: EmbeddedActuatorOptions) {
    const around = { ...defaults, ...options, baseDir };
    this.#around = around;
    this.#stages = new Map(
      stages.map((stage) => [stage.id, { replicas: new StageReplicas(stage, around), backoff: new RestartBackoff() }]),
    );
    around.pool.onReplicaLost((stageId, replicaId) => {
      if (!this.#stage(stageId).replicas.lose(replicaId)) return;
      void this.#enqueue(async () => this.#supervise(stageId));
    });
  }

  runningPlan(): RunningPlan {
    const stages: Record<StageId, RunningStage> = {};
    for (const [stageId, { replicas }] of this.#stages) stages[stageId] = replicas.running();
    return { stages };
  }

  async apply(change: Change): Promise<void> {
    invariant(this.#closed === undefined, 'no change is applied after close');
    const stage = this.#stage(change.stageId);
    await this.#enqueue(async () => {
      if (this.#closed !== undefined) {
        throw new AppError('REPLICA_LOST', `Stage '${change.stageId}' was not changed: its replicas are being closed.`);
      }
      await this.#carryOut(change, stage);
    });
  }

  close(): Promise<void> {
    if (this.#closed !== undefined) return this.#closed;
    const stages = [...this.#stages.values()];
    for (const { cancelRestart } of stages) cancelRestart?.();
    this.#closed = this.#enqueue(async () => {
      await Promise.all(stages.map(({ replicas }) => replicas.close()));
    });
    return this.#closed;
  }

  async #carryOut({ kind, stageId, to }: Change, stage: SupervisedStage): Promise<void> {
    if (kind === 'set-batch') {
      stage.replicas.rebatch(to);
      return;
    }
    stage.cancelRestart?.();
    stage.cancelRestart = undefined;
    try {
      await stage.replicas.converge(to);
    } finally {
      this.#supervise(stageId);
    }
  }

  #stage(stageId: StageId): SupervisedStage {
    const stage = this.#stages.get(stageId);
    invariant(stage !== undefined, `stage '${stageId}' is part of the pipeline`);
    return stage;
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  /** Plans the restart of what a stage lacks; runs inside the queue, when nothing else of the stage is under way. */
  #supervise(stageId: StageId): void {
    const stage = this.#stage(stageId);
    if (this.#closed !== undefined || stage.replicas.markMissing() === 0 || stage.cancelRestart !== undefined) return;
    const { clock } = this.#around;
    const nowMs = clock.nowMs();
    stage.cancelRestart = clock.ringAt(nowMs + stage.backoff.nextDelayMs(nowMs), () => {
      stage.cancelRestart = undefined;
      void this.#enqueue(() => this.#restart(stageId));
    });
  }

  async #restart(stageId: StageId): Promise<void> {
    if (this.#closed !== undefined) return;
    const { replicas, backoff } = this.#stage(stageId);
    try {
      await replicas.replaceMissing();
    } catch (error) {
      this.#around.onFailure(stageId, error);
    }
    backoff.noteRestart(this.#around.clock.nowMs());
    this.#supervise(stageId);
  }
}
