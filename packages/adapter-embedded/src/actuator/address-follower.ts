/**
 * Gives stages one replica on each address of their server. It looks once a second, a second after the last answer. A
 * look or a change that fails leaves the replicas as they are until the next look.
 */
import type { AlarmClock, Plan, RunningReplica, StageId, StagePlan } from '@equipoise/core/model';
import { followSteps } from '@equipoise/core/serve';
import { preciseClock } from '../alarm-clock.js';
import type { EmbeddedActuator } from './embedded-actuator.js';

export interface FollowedStage {
  readonly stageId: StageId;
  readonly mostReplicas: number;
  /** Addresses of the server now; rejects if they are unknown. */
  readonly addresses: () => Promise<readonly string[]>;
}

/** Steps that may fail: finding the addresses, and changing the replicas. */
type FollowStep = 'observe' | 'apply';

export interface AddressFollowerDeps {
  readonly stages: readonly FollowedStage[];
  readonly actuator: Pick<EmbeddedActuator, 'runningPlan' | 'addressOf' | 'release' | 'apply'>;
  /** Plan in force, except for numbers of replicas. */
  readonly plan: Pick<Plan, 'stages'>;
  readonly clock?: AlarmClock;
  /** Called when a number of replicas has changed, which took this time. */
  readonly onChanged: (tookMs: number) => void;
  readonly onFailure: (step: FollowStep, error: unknown) => void;
  /** Called when a step works again at all stages. */
  readonly onRecovery: (step: FollowStep) => void;
}

const EVERY_MS = 1000;

export class AddressFollower {
  readonly #deps: AddressFollowerDeps;
  readonly #clock: AlarmClock;
  readonly #changing = new Set<StageId>();
  readonly #failing: Readonly<Record<FollowStep, Set<StageId>>> = { observe: new Set(), apply: new Set() };
  #isClosed = false;
  #cancel = (): void => {};

  constructor(deps: AddressFollowerDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? preciseClock;
  }

  start(): void {
    if (this.#isClosed) return;
    this.#cancel = this.#clock.ringAt(this.#clock.nowMs() + EVERY_MS, () => {
      void this.#look().then(() => this.start());
    });
  }

  /** Resolves when the changes of one look have ended. */
  async lookOnce(): Promise<void> {
    const changes = await this.#look();
    await Promise.all(changes);
  }

  /** Ends all looks. A running change continues. */
  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  /** Asks for one stage after another: names without an answer would take all resolving threads of the process. */
  async #look(): Promise<readonly Promise<void>[]> {
    const changes: Promise<void>[] = [];
    for (const stage of this.#deps.stages) {
      const { stageId } = stage;
      try {
        const addresses = await stage.addresses();
        if (this.#isClosed) break;
        this.#succeeded('observe', stageId);
        changes.push(this.#follow(stage, addresses));
      } catch (error) {
        this.#failed('observe', stageId, error);
      }
    }
    return changes;
  }

  /** Never rejects, because no caller of a look waits for its changes. */
  async #follow(stage: FollowedStage, addresses: readonly string[]): Promise<void> {
    try {
      await this.#takeSteps(stage, addresses);
    } catch (error) {
      this.#failed('apply', stage.stageId, error);
    }
  }

  async #takeSteps({ stageId, mostReplicas }: FollowedStage, addresses: readonly string[]): Promise<void> {
    const { actuator, onChanged } = this.#deps;
    const startedAtMs = this.#clock.nowMs();
    const ready = this.#replicas(stageId, ['ready']).map(({ replicaId }) => ({
      replicaId,
      address: actuator.addressOf(replicaId),
    }));
    const { release, replicas } = followSteps({ addresses, ready, mostReplicas });
    for (const replicaId of release) actuator.release(replicaId);
    const to = this.#planOf(stageId, replicas);
    const fromReplicas = this.#replicas(stageId, ['ready', 'starting', 'failed']).length;
    if (fromReplicas === replicas) this.#succeeded('apply', stageId);
    const isChange = fromReplicas !== replicas && !this.#changing.has(stageId);
    try {
      if (isChange && to !== undefined) {
        this.#changing.add(stageId);
        await actuator.apply({ kind: 'scale', stageId, fromReplicas, to });
        this.#succeeded('apply', stageId);
      }
    } catch (error) {
      this.#failed('apply', stageId, error);
    } finally {
      if (isChange) this.#changing.delete(stageId);
    }
    if (isChange || release.length > 0) onChanged(this.#clock.nowMs() - startedAtMs);
  }

  #failed(step: FollowStep, stageId: StageId, error: unknown): void {
    this.#failing[step].add(stageId);
    this.#deps.onFailure(step, error);
  }

  #succeeded(step: FollowStep, stageId: StageId): void {
    const failing = this.#failing[step];
    if (failing.delete(stageId) && failing.size === 0) this.#deps.onRecovery(step);
  }

  #planOf(stageId: StageId, replicas: number): StagePlan | undefined {
    const [plan] = this.#deps.plan.stages[stageId] ?? [];
    return plan && { ...plan, replicas };
  }

  #replicas(stageId: StageId, statuses: readonly RunningReplica['status'][]): readonly RunningReplica[] {
    const { replicas = [] } = this.#deps.actuator.runningPlan().stages[stageId] ?? {};
    return replicas.filter(({ status }) => statuses.includes(status));
  }
}
