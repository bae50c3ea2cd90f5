import type { ReplicaId, StageId, VariantId } from './ids.js';
import { omittedPlan } from './omission.js';
import type { PipelineSpec, Resources } from './pipeline-spec.js';
import type { Plan, StagePlan } from './plan.js';
import type { VariantOf } from './resolved-spec.js';

/** Health issue of a replica: its batches fail; it is slower than its curve and its peers; or it does not answer. */
export type HealthIssue = 'failing' | 'slow' | 'hung';

/** Only `ready` replicas receive new batches. */
export type ReplicaStatus = 'starting' | 'ready' | 'draining' | 'failed';

export interface RunningReplica {
  readonly replicaId: ReplicaId;
  readonly variantId: VariantId;
  readonly resources: Resources;
  readonly status: ReplicaStatus;
}

export interface RunningStage {
  readonly replicas: readonly RunningReplica[];
  readonly maxBatchSize: number;
  readonly maxBatchWaitMs: number;
  /** True while requests skip the stage. */
  readonly omitted?: true;
  /** Threshold for new requests, if the plan in service chooses one. */
  readonly threshold?: number;
  /** Quorum for new requests, if the plan in service chooses one at this stage. */
  readonly quorum?: number;
  readonly canary?: RunningCanary;
  /** Variants in back-off after failed changes; absent if there are none. */
  readonly rolledBack?: readonly RolledBackVariant[];
}

/** `untilMs` is on the clock of `Observation.atMs`. */
export interface RolledBackVariant {
  readonly variantId: VariantId;
  readonly untilMs: number;
}

/**
 * Canary that gets `fraction` of the requests. `missingOutcomes`: outcomes still needed for a verdict; 0 until the
 * step's minimum time is over.
 */
export interface RunningCanary {
  readonly variantId: VariantId;
  readonly fraction: number;
  readonly missingOutcomes: number;
}

/** Observed on every tick and never assumed. */
export interface RunningPlan {
  readonly stages: Readonly<Record<StageId, RunningStage>>;
}

export type ReplicaKind = Pick<StagePlan, 'variantId' | 'resources'>;

export function isOfKind(replica: ReplicaKind, { variantId, resources }: ReplicaKind): boolean {
  return (
    replica.variantId === variantId &&
    replica.resources.cpuCores === resources.cpuCores &&
    replica.resources.memoryBytes === resources.memoryBytes &&
    replica.resources.gpus === resources.gpus
  );
}

/** Ready and starting replicas of a stage. */
export function liveReplicas(stage: RunningStage | undefined): readonly RunningReplica[] {
  return stage?.replicas.filter(({ status }) => status === 'ready' || status === 'starting') ?? [];
}

/**
 * Running plan; undefined while a stage that is not omitted has no ready replica. If a stage has several replica kinds,
 * the most frequent one counts. Canaries count only without others.
 */
export function runningStages(
  { stages }: Pick<PipelineSpec, 'stages'>,
  running: RunningPlan,
): Plan['stages'] | undefined {
  const found: Record<StageId, readonly StagePlan[]> = {};
  for (const stage of stages) {
    const present = running.stages[stage.id];
    const stagePlan = present?.omitted ? omittedPlan(stage) : servingStage(present);
    if (stagePlan === undefined) return undefined;
    found[stage.id] = [stagePlan];
  }
  return found;
}

/** Variant in service by stage; undefined for omitted stages and those without a ready replica. */
export const servingVariants =
  ({ stages }: RunningPlan): VariantOf =>
  (id) => {
    const stage = stages[id];
    return stage?.omitted ? undefined : servingStage(stage)?.variantId;
  };

function servingStage(stage: RunningStage | undefined): StagePlan | undefined {
  const all = stage?.replicas.filter(({ status }) => status === 'ready') ?? [];
  const proven = all.filter(({ variantId: id }) => id !== stage?.canary?.variantId);
  const ready = proven.length > 0 ? proven : all;
  const kinds = ready.map((replica) => ready.filter((other) => isOfKind(replica, other)));
  const largest = kinds.reduce((best, kind) => (kind.length > best.length ? kind : best), []);
  const [replica] = largest;
  if (stage === undefined || replica === undefined) return undefined;
  const { variantId, resources } = replica;
  const { maxBatchSize, maxBatchWaitMs, threshold, quorum } = stage;
  return {
    ...{ variantId, resources, maxBatchSize, maxBatchWaitMs, replicas: largest.length, trafficFraction: 1 },
    ...(threshold !== undefined && { threshold }),
    ...(quorum !== undefined && { quorum }),
  };
}

interface Age {
  readonly variantId: VariantId;
  readonly sinceMs: number | undefined;
}

/**
 * Tracks variant switches for the dwell time. The first variant of a stage is no switch, so a restart starts no dwell
 * time.
 */
export class DwellTracker {
  readonly #ages = new Map<StageId, Age>();

  /** The newest ready replica determines the variant of its stage. */
  note(running: RunningPlan, nowMs: number): void {
    for (const [id, { replicas }] of Object.entries(running.stages)) {
      const variantId = replicas.findLast(({ status }) => status === 'ready')?.variantId;
      const known = this.#ages.get(id as StageId);
      if (variantId === undefined || known?.variantId === variantId) continue;
      this.#ages.set(id as StageId, { variantId, sinceMs: known === undefined ? undefined : nowMs });
    }
  }

  /** Last variant switch; undefined without one. */
  sinceMs(stageId: StageId): number | undefined {
    return this.#ages.get(stageId)?.sinceMs;
  }
}
