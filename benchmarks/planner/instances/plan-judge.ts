/** Judges plans of one question: limits, accuracy, cost, and the public verifier with several seeds. */
import {
  measurementCause,
  type NodeGroup,
  type PipelineSpec,
  type Plan,
  type PlanVerification,
  type StageId,
  type StagePlan,
  showsSloMet,
  type VariantId,
} from '@equipoise/core/model';
import {
  type PlanningProblem,
  pipelineAccuracy,
  requireCurves,
  type ServiceCurves,
  type VerifyPlan,
} from '@equipoise/core/plan';
import { verifiersOf } from '@equipoise/core/simulate';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import type { Instance } from './instance.js';

export type StagePlans = Readonly<Record<StageId, readonly StagePlan[]>>;

/** Accuracy, cost and objective value of a plan, by the definitions of the pipeline file. */
export interface Worth {
  readonly pas: number;
  readonly cost: number;
  /** Accuracy, minus cost, or weighted sum; more is better. */
  readonly value: number;
}

/** Fractions by which a plan is worse than another; at most one fraction is not 0. */
export interface Loss {
  readonly accuracy: number;
  readonly cost: number;
  /** Cost at equal accuracy, where accuracy is the objective. */
  readonly tieCost: number;
}

const NO_LOSS: Loss = { accuracy: 0, cost: 0, tieCost: 0 };
const SAME = 1e-9;
const GIB = 1024 ** 3;
/** Seed of the verifier of `equipoise plan`. */
const PLANNER_SEED = 1;
const INDEPENDENT_SEED = 20_011;
const DEFAULT_WORK = 100_000;
const LONG_WORK = 3;
const SCREENING_WORK = 12_000;
/** Misses of a hopeless plan in a short run, as a multiple of those allowed. */
const HOPELESS_MISSES = 4;

export function specOf({ name, document, nodeCores }: Instance): PipelineSpec {
  const parsed = parsePipelineFile(JSON.stringify(document), { fileName: name, baseDir: '.' });
  if (parsed.kind === 'invalid')
    throw new Error(`${name}: ${parsed.problems.map(({ message }) => message).join('; ')}`);
  return nodeCores === undefined ? parsed.spec : { ...parsed.spec, nodes: nodeCores.map(nodeOfCores) };
}

/** Node as the flag `--node-cores` of `plan` makes it. */
const nodeOfCores = (cpuCores: number): NodeGroup => ({
  cpuCores,
  memoryBytes: Number.MAX_SAFE_INTEGER,
  gpus: Number.MAX_SAFE_INTEGER,
  count: 1,
});

type Verifier = (plan: Plan) => PlanVerification;

export class PlanJudge {
  readonly spec: PipelineSpec;
  readonly arrivalRps: number;
  readonly curves: ServiceCurves;
  /** Simulations so far, by kind. */
  readonly simulated = { screening: 0, full: 0, independent: 0 };
  readonly #screening: Verifier;
  readonly #full: Verifier;
  readonly #independent: Verifier;
  readonly #long: Verifier;

  constructor(spec: PipelineSpec, arrivalRps: number) {
    this.spec = spec;
    this.arrivalRps = arrivalRps;
    this.curves = requireCurves(spec, []);
    const verifier = (seed: number, workStageRequests: number): Verifier => {
      const { curves } = this;
      const verify = verifiersOf({ spec, curves, hostCores: this.hostCores, seed, workStageRequests })({ arrivalRps });
      return (plan) => verify(plan, spec.slo);
    };
    this.#screening = verifier(PLANNER_SEED, SCREENING_WORK);
    this.#full = verifier(PLANNER_SEED, DEFAULT_WORK);
    this.#independent = verifier(INDEPENDENT_SEED, DEFAULT_WORK);
    this.#long = verifier(INDEPENDENT_SEED, DEFAULT_WORK * LONG_WORK);
  }

  /** The question as `equipoise plan` puts it. */
  get problem(): PlanningProblem {
    return {
      spec: this.spec,
      profiles: [],
      arrivalRps: this.arrivalRps,
      estimator: 'distribution',
      clock: { nowMs: () => performance.now() },
    };
  }

  get hostCores(): number {
    return Math.max(1, Math.ceil(this.spec.budget.cpuCores ?? Number.POSITIVE_INFINITY));
  }

  get allowedMisses(): number {
    return 1 - this.spec.slo.percentile / 100;
  }

  worth(stages: StagePlans): Worth {
    const { objective } = this.spec;
    const pas = this.accuracy(choiceOf(stages));
    const { cost, batches } = this.#use(stages);
    if (objective.kind === 'max-accuracy') return { pas, cost, value: pas };
    if (objective.kind === 'min-cost') return { pas, cost, value: -cost };
    const value = objective.accuracy * pas - objective.cost * cost - objective.batch * batches;
    return { pas, cost, value };
  }

  accuracy(choice: Readonly<Record<StageId, VariantId>>): number {
    return pipelineAccuracy(this.spec, choice).pas;
  }

  /** False for a combination whose accuracy must be measured and is not. No plan may use it. */
  isAllowed(choice: Readonly<Record<StageId, VariantId>>): boolean {
    return measurementCause(this.spec) === undefined || pipelineAccuracy(this.spec, choice).entry !== undefined;
  }

  priceOf({ cpuCores, memoryBytes }: Pick<StagePlan['resources'], 'cpuCores' | 'memoryBytes'>): number {
    const { cpuCorePerHour, memoryGibPerHour } = this.spec.prices;
    return cpuCores * cpuCorePerHour + (memoryBytes / GIB) * memoryGibPerHour;
  }

  #use(stages: StagePlans): { cpuCores: number; memoryBytes: number; cost: number; batches: number } {
    const use = { cpuCores: 0, memoryBytes: 0, cost: 0, batches: 0 };
    for (const { resources, replicas, maxBatchSize } of Object.values(stages).flat()) {
      use.cpuCores += replicas * resources.cpuCores;
      use.memoryBytes += replicas * resources.memoryBytes;
      use.cost += replicas * this.priceOf(resources);
      use.batches += maxBatchSize;
    }
    return use;
  }

  /** True if the plan is allowed, and within budget, floor and nodes. Options already respect pins and bounds. */
  fits(stages: StagePlans): boolean {
    const { budget, objective, nodes } = this.spec;
    const { cpuCores, memoryBytes, cost } = this.#use(stages);
    if (cpuCores > (budget.cpuCores ?? Number.POSITIVE_INFINITY) + SAME) return false;
    if (memoryBytes > (budget.memoryBytes ?? Number.POSITIVE_INFINITY)) return false;
    if (cost > (budget.costPerHour ?? Number.POSITIVE_INFINITY) + SAME) return false;
    if (!this.isAllowed(choiceOf(stages))) return false;
    if (objective.kind === 'min-cost' && this.accuracy(choiceOf(stages)) < objective.accuracyFloor - SAME) return false;
    return nodes === undefined || fitOnNodes(stages, nodes);
  }

  /** Loss of `of` against `against`. Negative if `of` is better. */
  loss(of: Worth, against: Worth): Loss {
    const { objective } = this.spec;
    if (objective.kind === 'min-cost') return { ...NO_LOSS, cost: of.cost / against.cost - 1 };
    if (objective.kind === 'weights')
      return { ...NO_LOSS, accuracy: (against.value - of.value) / Math.max(SAME, objective.accuracy * against.pas) };
    const accuracy = 1 - of.pas / against.pas;
    return Math.abs(accuracy) > SAME ? { ...NO_LOSS, accuracy } : { ...NO_LOSS, tieCost: of.cost / against.cost - 1 };
  }

  planOf(stages: StagePlans): Plan {
    const { cpuCores, cost } = this.#use(stages);
    const { latencyMs, percentile } = this.spec.slo;
    const pas = this.accuracy(choiceOf(stages));
    return { stages, predicted: { latencyMs, percentile, pas, capacityRps: 0, cpuCores, costPerHour: cost } };
  }

  /** A fresh verifier, as `equipoise plan` makes one. */
  plannerVerifier(): VerifyPlan {
    const { spec, curves, hostCores, arrivalRps } = this;
    return verifiersOf({ spec, curves, hostCores, seed: PLANNER_SEED })({ arrivalRps });
  }

  /** Verdict of a short run, followed by a full one unless the plan is clearly lost. */
  holds(stages: StagePlans): { readonly holds: boolean; readonly latencyMs: number } {
    const plan = this.planOf(stages);
    this.simulated.screening++;
    const short = this.#screening(plan);
    const misses = 1 - short.sloAttainmentFraction;
    if (misses > this.allowedMisses * (short.conclusive ? 1 : HOPELESS_MISSES))
      return { holds: false, latencyMs: short.latencyMs };
    const full = this.verified(plan);
    return { holds: showsSloMet(full), latencyMs: full.latencyMs };
  }

  /** Verdict of the planner's own verifier. */
  verified(plan: Plan): PlanVerification {
    this.simulated.full++;
    return this.#full(plan);
  }

  /** Verdict with a seed that the planner does not use. */
  verifiedIndependently(plan: Plan): PlanVerification {
    this.simulated.independent++;
    return this.#independent(plan);
  }

  /** As `verifiedIndependently`, with three times the work. */
  verifiedLong(plan: Plan): PlanVerification {
    this.simulated.independent++;
    return this.#long(plan);
  }
}

export const choiceOf = (stages: StagePlans): Readonly<Record<StageId, VariantId>> =>
  Object.fromEntries(Object.entries(stages).map(([id, [first]]) => [id, (first as StagePlan).variantId]));

/** Maximum steps of the packing search; after them, a plan counts as not fitting. */
const MOST_STEPS = 20_000;

/**
 * First-fit decreasing by cores, then tries other nodes for each replica. Nodes with equal free cores are tried once.
 */
function fitOnNodes(stages: StagePlans, nodes: readonly NodeGroup[]): boolean {
  const left = nodes.flatMap(({ cpuCores, count }) => Array.from({ length: count }, () => cpuCores));
  const replicas = Object.values(stages)
    .flat()
    .flatMap(({ replicas: count, resources }) => Array.from({ length: count }, () => resources.cpuCores))
    .sort((a, b) => b - a);
  let steps = 0;
  const place = (next: number): boolean => {
    const cpuCores = replicas[next];
    if (cpuCores === undefined) return true;
    if (++steps > MOST_STEPS) return false;
    const tried = new Set<number>();
    for (const [node, free] of left.entries()) {
      const room = Math.round(free * 1000);
      if (free < cpuCores - SAME || tried.has(room)) continue;
      tried.add(room);
      left[node] = free - cpuCores;
      if (place(next + 1)) return true;
      left[node] = free;
    }
    return false;
  };
  return place(0);
}
