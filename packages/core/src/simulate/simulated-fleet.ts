/**
 * The replicas of a simulated pipeline: what an actuator is to a served one. A change takes the load time of its variant (two replicas
 * start at a time); the new replicas then serve before the old ones are drained. Changes are carried out one after another.
 */
import { invariant } from '../kernel/invariant.js';
import type { Change } from '../model/change.js';
import { type ReplicaId, replicaId, type StageId, type VariantId } from '../model/ids.js';
import type { PipelineSpec, Resources } from '../model/pipeline-spec.js';
import type { Plan, StagePlan } from '../model/plan.js';
import type { RunningPlan, RunningStage } from '../model/running-plan.js';
import type { ServiceCurves } from '../profile/curves-of.js';
import { capacityRps, type ServiceCurve } from '../profile/service-curve.js';
import type { PipelineScheduler } from '../serve/pipeline-scheduler.js';
import type { ServingReplica } from '../serve/replica.js';
import type { ServingGraph } from '../serve/serving-graph.js';
import { batchPolicies } from './batch-policies.js';

/** A replica without tensors. */
export type SimulatedReplica = ServingReplica<undefined, undefined>;

/** What a fleet works on. `loadMs` is the time from start to ready of a variant. */
export interface FleetSetup {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  readonly graph: ServingGraph;
  readonly scheduler: PipelineScheduler<undefined, undefined>;
  readonly loadMs: (stageId: StageId, variantId: VariantId) => number;
}

interface Fielded {
  readonly replica: SimulatedReplica;
  readonly variantId: VariantId;
  readonly resources: Resources;
}

/** What a stage uses at one moment; `capacityRps` counts items of the replicas that take new batches. */
export interface StageUse {
  readonly replicas: number;
  readonly capacityRps: number;
  /** By replica, those that are being started included. */
  readonly resources: readonly Resources[];
}

/** What a replica runs from; `index` is its event code. */
interface Engine {
  readonly index: number;
  readonly curve: ServiceCurve;
}

const START_CONCURRENCY = 2;

/** Carries plans and changes out in simulated time. */
export class SimulatedFleet {
  readonly #setup: FleetSetup;
  /** Every replica that was ever there, by event code. */
  readonly #fielded: Fielded[] = [];
  /** Those that have not left. */
  readonly #present = new Set<Fielded>();
  /** By replica: the scheduler may start a batch before it has handed the new replica back. */
  readonly #engines = new Map<ReplicaId, Engine>();
  readonly #plans = new Map<StageId, StagePlan>();
  readonly #waiting: Change[] = [];
  #underWay: Change | undefined;

  constructor(setup: FleetSetup) {
    this.#setup = setup;
  }

  /** Puts a whole plan in service at once: how a simulation begins. */
  start(plan: Plan, nowMs: number): void {
    for (const { id, index } of this.#setup.graph.stages) {
      const stagePlan = plan.stages[id]?.[0];
      invariant(stagePlan !== undefined, `the plan has nothing for stage ${id}`);
      this.#plans.set(id, stagePlan);
      this.#field(index, stagePlan, { count: stagePlan.replicas, nowMs });
    }
    this.#refreshPolicies(nowMs);
  }

  /** The service curve and the event code of a replica. */
  engineOf({ replicaId: id }: SimulatedReplica): Engine {
    const engine = this.#engines.get(id);
    invariant(engine !== undefined, 'a batch for an unknown replica');
    return engine;
  }

  replicaAt(index: number): SimulatedReplica {
    return (this.#fielded[index] as Fielded).replica;
  }

  /** Takes changes in; gives the instant at which the first will be done, if one begins now. */
  enqueue(changes: readonly Change[], nowMs: number): number | undefined {
    this.#waiting.push(...changes);
    return this.#underWay === undefined ? this.#beginNext(nowMs) : undefined;
  }

  /** Whether changes are still under way. */
  get changing(): boolean {
    return this.#underWay !== undefined;
  }

  /** Puts the change under way in force; gives the instant at which the next will be done, if there is one. */
  finishChange(nowMs: number): number | undefined {
    const change = this.#underWay;
    invariant(change !== undefined, 'no change is under way');
    const { stageId, to } = change;
    const index = this.#stageIndex(stageId);
    const live = this.#live(index);
    const fitting = live.filter((each) => isLike(each, to));
    this.#field(index, to, { count: to.replicas - fitting.length, nowMs });
    const surplus = [...live.filter((each) => !isLike(each, to)), ...fitting.slice(to.replicas)];
    this.#plans.set(stageId, to);
    this.#refreshPolicies(nowMs);
    for (const { replica } of surplus) this.#setup.scheduler.drainReplica(replica);
    return this.#beginNext(nowMs);
  }

  /** Takes note that a drained replica is gone. */
  left(replica: SimulatedReplica): void {
    this.#present.delete(this.#fielded[this.engineOf(replica).index] as Fielded);
  }

  /** What each stage uses at this moment, by stage index: what serves, what still finishes a batch, and what is being started. */
  uses(): readonly StageUse[] {
    const { graph } = this.#setup;
    return graph.stages.map(({ id, index }) => {
      const present = [...this.#present].filter(({ replica }) => replica.stage === index);
      const starting = this.#underWay?.stageId === id ? this.#startingResources(index, this.#underWay.to) : [];
      const ready = present.filter(({ replica }) => !replica.draining);
      return {
        replicas: present.length,
        capacityRps: ready.reduce((sum, { replica }) => sum + this.#capacityRps(index, replica), 0),
        resources: [...present.map(({ resources }) => resources), ...starting],
      };
    });
  }

  #startingResources(stage: number, to: StagePlan): readonly Resources[] {
    const fitting = this.#live(stage).filter((each) => isLike(each, to)).length;
    return Array.from({ length: Math.max(0, to.replicas - fitting) }, () => to.resources);
  }

  #capacityRps(stage: number, replica: SimulatedReplica): number {
    const id = this.#setup.graph.stages[stage]?.id as StageId;
    return capacityRps(this.engineOf(replica).curve, 1, this.#plans.get(id)?.maxBatchSize ?? 1);
  }

  /** What serves now; replicas that only finish their batch are left out. */
  runningPlan(): RunningPlan {
    const stages: Record<StageId, RunningStage> = {};
    for (const { id, index } of this.#setup.graph.stages) {
      const plan = this.#plans.get(id);
      const replicas = this.#live(index).map(({ replica, variantId, resources }) => ({
        replicaId: replica.replicaId,
        variantId,
        resources,
        status: 'ready' as const,
      }));
      stages[id] = { replicas, maxBatchSize: plan?.maxBatchSize ?? 1, maxBatchWaitMs: plan?.maxBatchWaitMs ?? 0 };
    }
    return { stages };
  }

  #beginNext(nowMs: number): number | undefined {
    this.#underWay = this.#waiting.shift();
    if (this.#underWay === undefined) return undefined;
    const { stageId, to } = this.#underWay;
    const fitting = this.#live(this.#stageIndex(stageId)).filter((each) => isLike(each, to)).length;
    const rounds = Math.ceil(Math.max(0, to.replicas - fitting) / START_CONCURRENCY);
    return nowMs + rounds * this.#setup.loadMs(stageId, to.variantId);
  }

  #field(stage: number, plan: StagePlan, { count, nowMs }: { readonly count: number; readonly nowMs: number }): void {
    const { curves, graph, scheduler } = this.#setup;
    const { variantId, resources } = plan;
    const curve = curves.curve(graph.stages[stage]?.id as StageId, variantId, resources.cpuCores);
    invariant(curve !== undefined, `variant ${variantId} was profiled for ${resources.cpuCores} cores`);
    for (let i = 0; i < count; i++) {
      const index = this.#fielded.length;
      const id = replicaId(`${variantId}-${index}`);
      this.#engines.set(id, { index, curve });
      const replica = scheduler.addReplica(stage, { replicaId: id, cpuCores: resources.cpuCores }, nowMs);
      const fielded = { replica, variantId, resources };
      this.#fielded.push(fielded);
      this.#present.add(fielded);
    }
  }

  #live(stage: number): readonly Fielded[] {
    return [...this.#present].filter(({ replica }) => replica.stage === stage && !replica.draining);
  }

  #refreshPolicies(nowMs: number): void {
    const { spec, curves, scheduler } = this.#setup;
    const stages = Object.fromEntries([...this.#plans].map(([id, plan]) => [id, [plan]]));
    for (const [index, policy] of batchPolicies(spec, { stages }, curves).entries())
      scheduler.setPolicy(index, policy, nowMs);
  }

  #stageIndex(stageId: StageId): number {
    const index = this.#setup.spec.stages.findIndex(({ id }) => id === stageId);
    invariant(index >= 0, `the pipeline has no stage ${stageId}`);
    return index;
  }
}

function isLike({ variantId, resources }: Fielded, to: StagePlan): boolean {
  return variantId === to.variantId && resources.cpuCores === to.resources.cpuCores;
}
