/** Replicas of a pipeline from entry into service until their last batch has ended. */
import {
  type AppError,
  invariant,
  type ReplicaId,
  type StageId,
  type TensorMap,
  type VariantId,
} from '@equipoise/core/model';
import type { ModelRunner, ReadyReplica } from '@equipoise/core/ports';
import type { PipelineScheduler, ServingReplica, StageItem } from '@equipoise/core/serve';
import type { PendingRequest } from './pending-request.js';

export type PolicyReplica = ServingReplica<TensorMap, PendingRequest>;

export type PolicyItem = StageItem<TensorMap, PendingRequest>;

/** An `open` replica gets no batches, a `half-open` one gets one item as a probe. */
export type BreakerState = 'closed' | 'open' | 'half-open';

export interface ReplicaBreaker {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly state: BreakerState;
  readonly isDraining: boolean;
}

/** `drained` resolves when the replica is out of service and free. */
export class ServedReplica {
  readonly replicaId: ReplicaId;
  readonly stage: number;
  readonly variantId: VariantId;
  readonly cpuCores: number;
  readonly runner: ModelRunner;
  readonly drained: Promise<void>;
  readonly markDrained: () => void;
  /** Undefined before the replica is in service. */
  inPolicies: PolicyReplica | undefined;
  lost = false;

  constructor(stage: number, { replicaId, variantId, resources, runner }: ReadyReplica) {
    let markDrained = () => {};
    this.drained = new Promise((resolve) => {
      markDrained = resolve;
    });
    this.markDrained = markDrained;
    this.replicaId = replicaId;
    this.stage = stage;
    this.variantId = variantId;
    this.cpuCores = resources.cpuCores;
    this.runner = runner;
  }

  /** State at an instant of the policies' clock. */
  breaker(nowMs: number): BreakerState {
    const health = this.inPolicies?.health;
    if (health === undefined) return 'closed';
    if (nowMs < health.openUntilMs) return 'open';
    return health.onProbation ? 'half-open' : 'closed';
  }
}

export interface ReplicaDeps {
  readonly scheduler: PipelineScheduler<TensorMap, PendingRequest, AppError>;
  runsElsewhere(stage: number, variantId: VariantId): boolean;
  turn(step: (nowMs: number) => void): void;
  lost(served: ServedReplica): void;
}

export class ServedReplicas {
  /** By stage: the variant in service, or the one that served last; undefined if there are several. */
  readonly variants: (VariantId | undefined)[] = [];
  readonly #deps: ReplicaDeps;
  readonly #byId = new Map<ReplicaId, ServedReplica>();

  constructor(deps: ReplicaDeps) {
    this.#deps = deps;
  }

  get all(): readonly ServedReplica[] {
    return [...this.#byId.values()];
  }

  get stages(): ReadonlySet<number> {
    return new Set(this.all.filter(({ inPolicies }) => inPolicies?.draining === false).map(({ stage }) => stage));
  }

  isInCanary(stage: number, variantId: VariantId): boolean {
    return this.all.some(
      (served) => served.stage === stage && served.variantId === variantId && served.inPolicies?.inCanary === true,
    );
  }

  /** The replica must be in service. */
  named(replicaId: ReplicaId): ServedReplica {
    const served = this.#byId.get(replicaId);
    invariant(served !== undefined, `replica ${replicaId} is in service`);
    return served;
  }

  add(stage: number, replica: ReadyReplica): void {
    const { replicaId, variantId, resources } = replica;
    invariant(!this.#byId.has(replicaId), `replica ${replicaId} is in service already`);
    const served = new ServedReplica(stage, replica);
    this.#byId.set(replicaId, served);
    const { scheduler, turn } = this.#deps;
    turn((nowMs) => {
      const cpuCores = this.#deps.runsElsewhere(stage, variantId) ? 0 : resources.cpuCores;
      const description = { replicaId, variantId, cpuCores, inCanary: replica.inCanary === true };
      served.inPolicies = scheduler.addReplica(served.stage, description, nowMs);
      this.#noteVariants(stage);
      replica.runner.onLost(() => turn(() => this.lose(served)));
    });
  }

  /** Takes a replica out of service. Resolves when its batch has ended, or at once for an unknown replica. */
  async drain(replicaId: ReplicaId): Promise<void> {
    const served = this.#byId.get(replicaId);
    if (served === undefined) return;
    this.#deps.turn(() => this.#takeOut(served, (replica) => this.#deps.scheduler.drainReplica(replica)));
    await served.drained;
  }

  drained(replicaId: ReplicaId): void {
    this.#byId.get(replicaId)?.markDrained();
    this.#byId.delete(replicaId);
  }

  /** Call within a turn. */
  lose(served: ServedReplica): void {
    if (served.lost) return;
    served.lost = true;
    this.#takeOut(served, (replica) => this.#deps.scheduler.removeReplica(replica));
    this.#deps.lost(served);
  }

  #takeOut({ inPolicies, stage }: ServedReplica, takeOut: (replica: PolicyReplica) => void): void {
    if (inPolicies === undefined) return;
    takeOut(inPolicies);
    this.#noteVariants(stage);
  }

  #noteVariants(stage: number): void {
    const inService = this.all.filter((each) => each.stage === stage && each.inPolicies?.draining === false);
    const [variant, ...others] = new Set(inService.map(({ variantId }) => variantId));
    if (variant !== undefined) this.variants[stage] = others.length === 0 ? variant : undefined;
  }
}
