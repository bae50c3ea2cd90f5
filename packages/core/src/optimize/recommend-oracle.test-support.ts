/** Small questions, and their exhaustive search: every plan is simulated, without any part of the planner. */
import type { Rng } from '../kernel/rng.js';
import { variantId } from '../model/ids.js';
import type { PipelineSpec, VariantSpec } from '../model/pipeline-spec.js';
import { type Plan, type StagePlan, showsSloMet } from '../model/plan.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import type { PlanningProblem, VerifyPlan } from './planning-problem.js';
import type { FreeQuantity, Recommendation } from './recommend.js';

export type Found = Extract<Recommendation, { kind: 'found' }>;

/** Bounds of the questions. `stages` are equally likely numbers. */
export interface QuestionSize {
  readonly stages: readonly number[];
  readonly variants: number;
  readonly batches: readonly number[];
  readonly mostReplicas: number;
  /** Work of a verification. With little, verdicts near the limit depend on the sample. */
  readonly workStageRequests: number;
}

export const SMALLEST: QuestionSize = {
  stages: [1, 1, 2],
  variants: 2,
  batches: [1, 4],
  mostReplicas: 2,
  workStageRequests: 4_000,
};

export interface Question {
  readonly spec: PipelineSpec;
  readonly arrivalRps: number;
  readonly accuracyFloor: number;
  readonly verifierOf: (problem: PlanningProblem) => VerifyPlan;
}

export function randomQuestion(rng: Rng, size: QuestionSize): Question {
  const between = (low: number, high: number) => low + (high - low) * rng.next();
  const count = size.stages[Math.floor(rng.next() * size.stages.length)] ?? 1;
  const names = ['a', 'b', 'c', 'd'].slice(0, count);
  const chain = chainSpec(Object.fromEntries(names.map((name) => [name, []])));
  const stages = chain.stages.map((stage) => {
    const fastMs = between(8, 30);
    const variant = (name: string, value: number, meanMs: number) => ({
      id: variantId(name),
      accuracy: { value, metric: 'accuracy' },
      cpuCores: [1],
      memoryBytes: 0,
      gpus: 0,
      profile: size.batches.map((batchSize) => ({
        cpuCores: 1,
        batchSize,
        meanMs: meanMs * (0.5 + 0.5 * batchSize),
        p99Ms: 1.3 * meanMs * (0.5 + 0.5 * batchSize),
      })),
      parameters: {},
    });
    return {
      ...stage,
      variants: [
        variant('small', between(0.5, 0.7), fastMs),
        variant('large', between(0.75, 0.95), between(2, 3) * fastMs),
        variant('medium', between(0.6, 0.85), between(1.2, 2) * fastMs),
      ].slice(0, size.variants),
      bounds: { ...stage.bounds, maxReplicas: size.mostReplicas },
    };
  });
  const spec: PipelineSpec = {
    ...chain,
    stages,
    slo: { latencyMs: Math.round(between(150, 400) * (1 + 0.3 * (count - 1))), percentile: 95 },
    budget: { cpuCores: count + Math.floor((count + 2) * rng.next()) },
  };
  return {
    spec,
    arrivalRps: between(4, 15),
    accuracyFloor: rng.next() < 0.5 ? 0 : 0.5 ** count + 0.1,
    verifierOf: verifiersWith(size.workStageRequests),
  };
}

const verifiersWith =
  (workStageRequests: number) =>
  ({ spec, arrivalRps, profiles, slo }: PlanningProblem): VerifyPlan => {
    const hostCores = spec.budget.cpuCores ?? Number.POSITIVE_INFINITY;
    const curves = requireCurves(spec, profiles);
    const verify = verifiersOf({ spec, hostCores, seed: 1, workStageRequests, curves })({ arrivalRps });
    return (plan, asked, workFraction) => verify(plan, asked ?? slo ?? spec.slo, workFraction);
  };

interface ListedPlan {
  readonly plan: Plan;
  readonly cores: number;
  readonly accuracy: number;
}

/** Every plan, by plain enumeration. */
function everyPlan(spec: PipelineSpec): readonly ListedPlan[] {
  let all: readonly { stages: Record<string, StagePlan[]>; cores: number; accuracy: number }[] = [
    { stages: {}, cores: 0, accuracy: 1 },
  ];
  for (const { id, variants, bounds } of spec.stages) {
    all = all.flatMap(({ stages, cores, accuracy }) =>
      variants.flatMap((variant) =>
        batchesOf(variant).flatMap((maxBatchSize) =>
          Array.from({ length: bounds.maxReplicas ?? 1 }, (_, index) => index + 1).map((replicas) => {
            const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
            const part: StagePlan = {
              ...{ variantId: variant.id, resources, maxBatchSize, replicas, maxBatchWaitMs: 0, trafficFraction: 1 },
            };
            return {
              stages: { ...stages, [id]: [part] },
              cores: cores + replicas,
              accuracy: accuracy * (variant.accuracy?.value ?? 1),
            };
          }),
        ),
      ),
    );
  }
  return all.map(({ stages, cores, accuracy }) => ({
    cores,
    accuracy,
    plan: {
      stages,
      predicted: { latencyMs: 0, percentile: 95, pas: accuracy, capacityRps: 0, cpuCores: cores, costPerHour: cores },
    },
  }));
}

const batchesOf = ({ profile = [] }: VariantSpec) => profile.map(({ batchSize }) => batchSize);

export const planCount = ({ spec }: Question): number => everyPlan(spec).length;

/** Best value over all plans; undefined if none meets the SLO. */
export function exhaustiveBest(question: Question, free: FreeQuantity): number | undefined {
  const { spec, accuracyFloor, arrivalRps, verifierOf } = question;
  const budget = free === 'cost' ? Number.POSITIVE_INFINITY : (spec.budget.cpuCores ?? Number.POSITIVE_INFINITY);
  const floor = free === 'accuracy' ? 0 : accuracyFloor;
  const plans = everyPlan(spec).filter(({ cores, accuracy }) => cores <= budget && accuracy >= floor);
  const unlimited = free === 'cost' ? { ...spec, budget: {} } : spec;
  const meets = (plan: Plan, at: { rps?: number; sloMs?: number; serviceFactor?: number } = {}) => {
    const { rps = arrivalRps, sloMs = spec.slo.latencyMs, serviceFactor } = at;
    const slo = { ...spec.slo, latencyMs: sloMs };
    const asked = serviceFactor === undefined ? unlimited : { ...unlimited, robustness: { serviceFactor } };
    const problem = { spec: asked, profiles: [], arrivalRps: rps, estimator: 'distribution' as const };
    return showsSloMet(verifierOf(problem)(plan, slo));
  };
  if (free === 'cost' || free === 'accuracy') {
    const lossOf = ({ cores, accuracy }: ListedPlan) => (free === 'cost' ? cores : -accuracy);
    const best = [...plans].sort((p, q) => lossOf(p) - lossOf(q)).find(({ plan }) => meets(plan));
    return best && Math.abs(lossOf(best));
  }
  const holds = (plan: Plan, value: number) =>
    meets(plan, free === 'load' ? { rps: value } : free === 'slo' ? { sloMs: value } : { serviceFactor: value });
  return hardestValue(plans, holds, free);
}

/** Steps of 1 % from easy to hard. A plan counts only if it holds one step beyond the best value of earlier plans. */
function hardestValue(
  plans: readonly ListedPlan[],
  holds: (plan: Plan, value: number) => boolean,
  free: FreeQuantity,
): number | undefined {
  const [easiest, step] = free === 'load' ? [0.5, 1.01] : free === 'slo' ? [3000, 1 / 1.01] : [1, 1.01];
  const most = free === 'robustness' ? 10 : Number.POSITIVE_INFINITY;
  let best: number | undefined;
  for (const { plan } of [...plans].sort((p, q) => q.cores - p.cores)) {
    const next = best === undefined ? easiest : Math.min(most, best * step);
    if (next !== best && holds(plan, next))
      best = climbFrom(next, step, (value) => value <= most && holds(plan, value));
  }
  return best;
}

/** Largest number of steps with which the value still holds, by doubling and halving. */
function climbFrom(start: number, step: number, holds: (value: number) => boolean): number {
  let width = 1;
  while (holds(start * step ** width)) width *= 2;
  let steps = width === 1 ? 0 : width / 2;
  for (let rest = steps / 2; rest >= 1; rest /= 2) if (holds(start * step ** (steps + rest))) steps += rest;
  return start * step ** steps;
}

export const FREE: readonly FreeQuantity[] = ['cost', 'accuracy', 'load', 'slo', 'robustness'];
/** Precision of the search and of the steps of the oracle. Verdicts near the limit depend on the sample. */
export const TOLERANCE = 0.02;

/** The limits and the verdict of the oracle's own verifier at the recommended value. */
export function isAllowed({ spec, accuracyFloor, verifierOf }: Question, { free, plan, problem }: Found): boolean {
  const { pas, cpuCores } = plan.predicted;
  const isAccurate = free === 'accuracy' || pas >= accuracyFloor;
  const isAffordable = free === 'cost' || cpuCores <= (spec.budget.cpuCores ?? 0);
  return isAccurate && isAffordable && showsSloMet(verifierOf(problem)(plan, problem.slo ?? problem.spec.slo));
}
