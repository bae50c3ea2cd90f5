/**
 * Random changes of variant, batch size, replicas and cores under a steady load. No request is lost, and capacity does
 * not fall below the smaller of both plans' capacities.
 */
import { EmbeddedActuator } from '@equipoise/adapter-embedded';
import { diffPlans } from '@equipoise/core/control';
import type { Change, PipelineSpec, Plan, ReplicaId, SeededRng, StageId, StagePlan } from '@equipoise/core/model';
import { capacityRps, type ServiceCurves } from '@equipoise/core/plan';
import type { ReplicaLauncher, ReplicaPool } from '@equipoise/core/ports';
import type { LoadSpec } from '@equipoise/core/simulate';
import { PipelineRunner } from '@equipoise/runtime';
import { stageLoads } from '../../../packages/core/src/estimate/stage-load.js';
import { planAt } from '../pipelines.js';
import { type Content, sendLoad } from './served-load.js';

/** Input of a run. In every plan, each stage can carry at least `leastRps`. */
export interface ChangesQuestion {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  readonly launcher: ReplicaLauncher;
  readonly hostCores: number;
  readonly changes: number;
  readonly arrivalRps: number;
  readonly leastRps: number;
  readonly mostReplicas: number;
  readonly content?: Content;
  readonly timeoutMs: number;
  readonly rng: SeededRng;
  readonly onProgress?: (done: number) => void;
}

/** Result of a run. */
export interface ChangesFigures {
  readonly changes: Readonly<Record<Change['kind'], number>>;
  readonly failedChanges: number;
  readonly sent: number;
  readonly completed: number;
  readonly foreignContent: number;
  /**
   * Number of instants at which a stage had less than the smaller of both plans' capacities. `leastCapacityFraction`:
   * minimum capacity ÷ the smaller of both.
   */
  readonly belowBoth: number;
  readonly leastCapacityFraction: number;
  readonly slowestMs: number;
}

type StageBounds = Pick<StagePlan, 'variantId' | 'resources' | 'maxBatchSize' | 'replicas'>;

/**
 * Capacity of the replicas that take new batches. It is checked whenever a replica or the batching of a stage changes.
 */
class WatchedPool implements ReplicaPool {
  readonly onReplicaLost: ReplicaPool['onReplicaLost'];
  readonly onReplicaLate: ReplicaPool['onReplicaLate'];
  readonly onReplicaUnhealthy: ReplicaPool['onReplicaUnhealthy'];
  readonly isSkipped: ReplicaPool['isSkipped'];
  readonly openCanary: ReplicaPool['openCanary'];
  readonly shareCanary: ReplicaPool['shareCanary'];
  readonly canaryCounts: ReplicaPool['canaryCounts'];
  readonly closeCanary: ReplicaPool['closeCanary'];
  /**
   * Lowest capacity of the changing stage, as a fraction of the smaller of its capacities in the old and the new plan.
   */
  leastFraction = Number.POSITIVE_INFINITY;
  belowBoth = 0;
  readonly #pool: PipelineRunner;
  readonly #curves: ServiceCurves;
  readonly #replicas = new Map<StageId, Map<ReplicaId, Pick<StagePlan, 'variantId' | 'resources'>>>();
  readonly #batchSize = new Map<StageId, number>();
  #leastRps = new Map<StageId, number>();

  constructor(pool: PipelineRunner, curves: ServiceCurves) {
    this.#pool = pool;
    this.#curves = curves;
    this.onReplicaLost = pool.onReplicaLost.bind(pool);
    this.onReplicaLate = pool.onReplicaLate.bind(pool);
    this.onReplicaUnhealthy = pool.onReplicaUnhealthy.bind(pool);
    this.isSkipped = pool.isSkipped.bind(pool);
    this.openCanary = pool.openCanary.bind(pool);
    this.shareCanary = pool.shareCanary.bind(pool);
    this.canaryCounts = pool.canaryCounts.bind(pool);
    this.closeCanary = pool.closeCanary.bind(pool);
  }

  /** Sets the minimum capacity of each stage from now on. */
  expect(leastRps: ReadonlyMap<StageId, number>): void {
    this.#leastRps = new Map(leastRps);
  }

  addReplica(...[stageId, replica]: Parameters<ReplicaPool['addReplica']>): void {
    const { replicaId, variantId, resources } = replica;
    const own = this.#replicas.get(stageId) ?? new Map();
    this.#replicas.set(stageId, own.set(replicaId, { variantId, resources }));
    this.#pool.addReplica(stageId, replica);
    this.#look(stageId);
  }

  drainReplica(...[stageId, replicaId]: Parameters<ReplicaPool['drainReplica']>): Promise<void> {
    this.#replicas.get(stageId)?.delete(replicaId);
    const drained = this.#pool.drainReplica(stageId, replicaId);
    this.#look(stageId);
    return drained;
  }

  setBatching(...[stageId, batching]: Parameters<ReplicaPool['setBatching']>): void {
    this.#batchSize.set(stageId, batching.maxBatchSize);
    this.#pool.setBatching(stageId, batching);
    this.#look(stageId);
  }

  #look(stageId: StageId): void {
    const leastRps = this.#leastRps.get(stageId);
    if (leastRps === undefined) return;
    const maxBatchSize = this.#batchSize.get(stageId) ?? 1;
    let rps = 0;
    for (const { variantId, resources } of this.#replicas.get(stageId)?.values() ?? [])
      rps += capacityOf(this.#curves, stageId, { variantId, resources, maxBatchSize, replicas: 1 });
    this.leastFraction = Math.min(this.leastFraction, rps / leastRps);
    if (rps < leastRps * (1 - 1e-9)) this.belowBoth += 1;
  }
}

function capacityOf(curves: ServiceCurves, stageId: StageId, plan: StageBounds): number {
  const curve = curves.curve(stageId, plan.variantId, plan.resources.cpuCores);
  return curve === undefined ? 0 : capacityRps(curve, plan.replicas, plan.maxBatchSize);
}

/** Makes the changes; each change is a random plan of one stage. */
export async function serveChanges(question: ChangesQuestion): Promise<ChangesFigures> {
  const { spec, curves, launcher, hostCores, arrivalRps, timeoutMs, rng, content } = question;
  const runner = new PipelineRunner({ spec, hostCores });
  const pool = new WatchedPool(runner, curves);
  const actuator = new EmbeddedActuator(spec, { pool, launcher });
  let plan = planAt(spec, question.leastRps);
  const enact = async (next: Plan): Promise<readonly Change[]> => {
    const changes = diffPlans(actuator.runningPlan(), next, spec);
    for (const change of changes) await actuator.apply(change);
    return changes;
  };
  await enact(plan);
  const load: LoadSpec = { kind: 'poisson', arrivalRps, durationS: 86_400 };
  const sent = sendLoad(runner, { load, rng: rng.fork('arrivals'), timeoutMs, ...(content && { content }) });
  const counts = {
    ...{ scale: 0, 'switch-variant': 0, 'set-batch': 0, 'set-resources': 0 },
    ...{ 'set-threshold': 0, 'set-quorum': 0 },
  };
  const done = () => Object.values(counts).reduce((sum, count) => sum + count, 0);
  let failedChanges = 0;
  while (done() < question.changes) {
    const next = changedPlan(plan, question, rng);
    pool.expect(smallerOf(plan, next, curves));
    try {
      for (const { kind } of await enact(next)) counts[kind] += 1;
      plan = next;
      question.onProgress?.(done());
    } catch {
      failedChanges += 1;
    }
  }
  sent.stop();
  const requests = await sent.ended;
  pool.expect(new Map());
  runner.beginDraining();
  await runner.drained;
  await actuator.close();
  const completed = requests.filter(({ kind }) => kind === 'completed');
  return {
    ...{ changes: counts, failedChanges, sent: requests.length, completed: completed.length },
    foreignContent: completed.filter(({ ownContent }) => !ownContent).length,
    ...{ belowBoth: pool.belowBoth, leastCapacityFraction: pool.leastFraction },
    slowestMs: Math.max(0, ...requests.map(({ arrivedAtMs, endedAtMs }) => endedAtMs - arrivedAtMs)),
  };
}

/** Smaller of both plans' capacities (rps), by stage. */
function smallerOf(old: Plan, next: Plan, curves: ServiceCurves): ReadonlyMap<StageId, number> {
  const capacities = ({ stages }: Plan) =>
    Object.entries(stages).map(([id, [stage]]) => (stage === undefined ? 0 : capacityOf(curves, id as StageId, stage)));
  const [before, after] = [capacities(old), capacities(next)];
  return new Map(
    Object.keys(old.stages).map((id, i) => [id as StageId, Math.min(before[i] as number, after[i] as number)]),
  );
}

const oneOf = <Item>(items: readonly Item[], rng: SeededRng): Item =>
  items[Math.floor(rng.next() * items.length)] as Item;

/**
 * Plan with another variant, batch size, core count or number of replicas at one stage. All stages can still carry the
 * load.
 */
function changedPlan(plan: Plan, question: ChangesQuestion, rng: SeededRng): Plan {
  const { spec, curves, leastRps, mostReplicas } = question;
  for (;;) {
    const stage = oneOf(spec.stages, rng);
    const [present] = plan.stages[stage.id] ?? [];
    if (present === undefined) continue;
    const variant = oneOf(stage.variants, rng);
    const cpuCores = oneOf(variant.cpuCores, rng);
    const batchSizes = stage.bounds.batchSizes ?? [1, 2, 4];
    const replicas = 1 + Math.floor(rng.next() * mostReplicas);
    const kind = oneOf(['variant', 'batch', 'replicas', 'resources'] as const, rng);
    const changed: StagePlan = {
      ...present,
      ...(kind === 'variant' && { variantId: variant.id, replicas }),
      ...(kind === 'batch' && { maxBatchSize: oneOf(batchSizes, rng) }),
      ...(kind === 'replicas' && { replicas }),
      ...(kind === 'resources' && { resources: { ...present.resources, cpuCores }, replicas }),
    };
    const next: Plan = { ...plan, stages: { ...plan.stages, [stage.id]: [changed] } };
    const itemsRps = stageLoads(spec, leastRps).get(stage.id)?.arrivalRps ?? 0;
    const cores = Object.values(next.stages)
      .flat()
      .reduce((sum, each) => sum + each.replicas * each.resources.cpuCores, 0);
    const fits = cores <= (spec.budget.cpuCores ?? Number.POSITIVE_INFINITY);
    if (fits && capacityOf(curves, stage.id, changed) >= itemsRps) return next;
  }
}
