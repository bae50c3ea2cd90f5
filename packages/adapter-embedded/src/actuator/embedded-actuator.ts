/** Applies changes on this machine, with real replicas and real time. Core's `FleetScheduler` decides. */
import {
  type AlarmClock,
  AppError,
  type Change,
  type HealthIssue,
  invariant,
  type PipelineSpec,
  type ReplicaId,
  type RunningPlan,
  type RunningReplica,
  type StageId,
  type StagePlan,
  type TensorMap,
  type VariantId,
} from '@equipoise/core/model';
import type { Actuator, ModelRunner, ReplicaLauncher, ReplicaPool } from '@equipoise/core/ports';
import {
  canaryRules,
  changeBounds,
  defaultFleetLimits,
  type FleetEffects,
  type FleetLimits,
  FleetScheduler,
} from '@equipoise/core/serve';
import { preciseClock } from '../alarm-clock.js';
import { startReplica } from './start-replica.js';

export interface EmbeddedActuatorOptions {
  readonly pool: ReplicaPool;
  readonly launcher: ReplicaLauncher;
  readonly clock?: AlarmClock;
  readonly startConcurrency?: number;
  /** Maximum wait for draining replicas. Then the change counts as done; the replicas continue to drain. */
  readonly drainPatienceMs?: number;
  /** Inputs for the warm-up run of a replica. Each call creates new inputs: a run takes over their memory. */
  readonly warmUpBatch?: (stageId: StageId) => readonly TensorMap[] | undefined;
  /** Applies batching and drop rule before the replaced replicas drain; default: only batching. */
  readonly adopt?: (stageId: StageId, to: StagePlan) => void;
  readonly openCanary?: (stageId: StageId, to: StagePlan) => void;
  readonly onCanary?: FleetEffects['canaryChanged'];
  /** Reports failures that no caller awaits. */
  readonly onFailure?: (stageId: StageId, error: unknown) => void;
}

export type ActuatedSpec = Pick<PipelineSpec, 'stages' | 'baseDir' | 'budget' | 'control' | 'slo'>;

export class EmbeddedActuator implements Actuator {
  readonly #spec: Pick<PipelineSpec, 'stages' | 'baseDir'>;
  readonly #canaries = new Map<StageId, VariantId>();
  readonly #options: EmbeddedActuatorOptions;
  readonly #clock: AlarmClock;
  readonly #fleet: FleetScheduler;
  readonly #limits: FleetLimits;
  readonly #runners = new Map<ReplicaId, ModelRunner>();
  #alarmAtMs = Number.POSITIVE_INFINITY;
  #cancelAlarm = (): void => {};
  #closed: Promise<void> | undefined;

  constructor(spec: ActuatedSpec, options: EmbeddedActuatorOptions) {
    const { startConcurrency, drainPatienceMs } = { ...defaultFleetLimits, ...options };
    this.#spec = spec;
    this.#options = options;
    this.#clock = options.clock ?? preciseClock;
    this.#limits = { ...changeBounds(spec), startConcurrency, drainPatienceMs, canary: canaryRules(spec) };
    this.#fleet = new FleetScheduler(
      spec.stages.map(({ id }) => id),
      this.#limits,
      this.#effects(),
    );
    options.pool.onReplicaLost((stageId, replicaId) => this.#lose(stageId, replicaId));
    options.pool.onReplicaLate((_, ...late) => this.#event((nowMs) => this.#fleet.runsLate(...late, nowMs)));
    options.pool.onReplicaUnhealthy((...unfit) => this.#replace(...unfit));
  }

  runningPlan(): RunningPlan {
    return this.#fleet.runningPlan();
  }

  /** Maximum cores that replicas may hold without the surge of a change. */
  get limitCores(): number {
    return this.#fleet.limitCores;
  }

  setBounds(spec: Omit<ActuatedSpec, 'baseDir'>): void {
    Object.assign(this.#limits, { ...changeBounds(spec), canary: canaryRules(spec) });
    this.#event((nowMs) => this.#fleet.limitsChanged(nowMs));
  }

  async apply(change: Change): Promise<void> {
    invariant(this.#closed === undefined, 'no change is applied after close');
    await new Promise<void>((resolve, reject) => {
      this.#event((nowMs) =>
        this.#fleet.apply(change, nowMs, (end) => (end.kind === 'failed' ? reject(end.failure) : resolve())),
      );
    });
  }

  preempt(): void {
    this.#event((nowMs) => this.#fleet.preempt(nowMs));
  }

  /** Address of the server that a replica is; undefined for other replicas. */
  addressOf(replicaId: ReplicaId): string | undefined {
    return this.#runners.get(replicaId)?.address;
  }

  /** Drains a replica whose server leaves. Its stage then has one replica fewer. */
  release(replicaId: ReplicaId): void {
    this.#event((nowMs) => this.#fleet.release(replicaId, nowMs));
  }

  endCanary(...pinned: Parameters<Actuator['endCanary']>): boolean {
    let hasEnded = false;
    this.#event((nowMs) => {
      hasEnded = this.#fleet.endCanary(nowMs, ...pinned);
    });
    return hasEnded;
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => this.#event((nowMs) => this.#fleet.close(nowMs, resolve)));
    return this.#closed;
  }

  #effects(): FleetEffects {
    const { pool, adopt = pool.setBatching.bind(pool), openCanary = pool.openCanary.bind(pool) } = this.#options;
    return {
      start: (stageId, replica) => this.#start(stageId, replica),
      serve: (stageId, { replicaId, variantId, resources }) =>
        pool.addReplica(stageId, {
          replicaId,
          variantId,
          resources,
          runner: this.#runnerOf(replicaId),
          inCanary: this.#canaries.get(stageId) === variantId,
        }),
      adopt,
      openCanary: (stageId, to) => {
        this.#canaries.set(stageId, to.variantId);
        openCanary(stageId, to);
      },
      shareCanary: (stageId, fraction) => pool.shareCanary(stageId, fraction),
      canaryCounts: (stageId) => pool.canaryCounts(stageId),
      canaryChanged: (stageId, news) => this.#options.onCanary?.(stageId, news),
      closeCanary: (stageId) => {
        this.#canaries.delete(stageId);
        pool.closeCanary(stageId);
      },
      isSkipped: (stageId) => pool.isSkipped(stageId),
      drain: (stageId, { replicaId }) =>
        void pool.drainReplica(stageId, replicaId).then(() => this.#close(stageId, replicaId)),
      discard: (stageId, { replicaId }) => void this.#close(stageId, replicaId),
      restartFailed: (stageId, failure) => this.#report(stageId, failure),
    };
  }

  #start(stageId: StageId, { replicaId, variantId, resources }: RunningReplica): void {
    const { launcher, warmUpBatch } = this.#options;
    const stage = this.#spec.stages.find(({ id }) => id === stageId);
    invariant(stage !== undefined, `stage '${stageId}' is part of the pipeline`);
    startReplica({
      ...{ launcher, stage, variantId, resources, baseDir: this.#spec.baseDir },
      warmUpBatch: () => warmUpBatch?.(stageId),
      onFailure: (error) => this.#report(stageId, error),
    }).then(
      (runner) => {
        this.#runners.set(replicaId, runner);
        this.#event((nowMs) => this.#fleet.started(replicaId, nowMs));
      },
      (error: unknown) => this.#event((nowMs) => this.#fleet.startFailed(replicaId, error, nowMs)),
    );
  }

  async #close(stageId: StageId, replicaId: ReplicaId): Promise<void> {
    try {
      await this.#runners.get(replicaId)?.close();
    } catch (error) {
      this.#report(stageId, error);
    }
    this.#runners.delete(replicaId);
    this.#event((nowMs) => this.#fleet.left(replicaId, nowMs));
  }

  #lose(stageId: StageId, replicaId: ReplicaId): void {
    this.#event((nowMs) => {
      if (!this.#fleet.lost(replicaId, nowMs)) return;
      const runner = this.#runners.get(replicaId);
      this.#runners.delete(replicaId);
      runner?.close().catch((error: unknown) => this.#report(stageId, error));
    });
  }

  /** Abandons a hung replica first, because it could not be closed. */
  #replace(stageId: StageId, replicaId: ReplicaId, trouble: HealthIssue): void {
    this.#report(stageId, unfitReplica(stageId, replicaId, trouble));
    if (trouble === 'hung') this.#runners.get(replicaId)?.abandon?.();
    this.#event((nowMs) => this.#fleet.unhealthy(replicaId, trouble, nowMs));
  }

  #runnerOf(replicaId: ReplicaId): ModelRunner {
    const runner = this.#runners.get(replicaId);
    invariant(runner !== undefined, `replica '${replicaId}' has started`);
    return runner;
  }

  #report(stageId: StageId, failure: unknown): void {
    this.#options.onFailure?.(stageId, failure);
  }

  #event(step: (nowMs: number) => void): void {
    step(this.#clock.nowMs());
    const atMs = this.#fleet.nextWakeAtMs;
    if (atMs === this.#alarmAtMs) return;
    this.#cancelAlarm();
    this.#alarmAtMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.#cancelAlarm = this.#clock.ringAt(atMs, () => {
      this.#alarmAtMs = Number.POSITIVE_INFINITY;
      this.#event((nowMs) => this.#fleet.advance(nowMs));
    });
  }
}

const troubles: Readonly<Record<HealthIssue, string>> = {
  failing: 'every batch fails',
  slow: 'it stays slower than its profile and its peers',
  hung: 'a batch does not end',
};

function unfitReplica(stageId: StageId, replicaId: ReplicaId, trouble: HealthIssue): AppError {
  return new AppError(
    'REPLICA_LOST',
    `Replica '${replicaId}' of stage '${stageId}' is replaced: ${troubles[trouble]}.`,
    {
      details: { stage: stageId, trouble },
      retryable: true,
    },
  );
}
