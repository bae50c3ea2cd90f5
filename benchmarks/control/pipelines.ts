/** The pipelines. The peak of the loads needs four fifths of a pipeline's budget. */
import type { ControlContext } from '@equipoise/core/control';
import type { Objective, PipelineSpec, Plan } from '@equipoise/core/model';
import { optimize, requireCurves } from '@equipoise/core/plan';
import { literaturePipeline } from '../literature/pipelines.js';
import { dayPipeline } from '../simulator/day/day-pipeline.js';

export type ControlMode = 'min-cost' | 'max-accuracy';

export type Verifiers = ControlContext['verifierAt'];

const PEAK_FRACTION = 0.8;
const CONTROL = { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 1000, minDwellMs: 30_000 } as const;
/** Load times between 0.1 and 1 s. Larger variants take longer. */
const LOAD_MS = [100, 300, 500, 700, 1000];
const MOST_REPLICAS = 64;

/** A pipeline as described, with load times and intervals of this comparison. Each core costs 1. */
export function pipelineNamed(name: string, referenceDir: string): PipelineSpec {
  const spec = name === 'video' ? literaturePipeline(referenceDir, 'video').spec : dayPipeline;
  const stages = spec.stages.map((stage) => ({
    ...stage,
    bounds: { ...stage.bounds, maxReplicas: MOST_REPLICAS },
    variants: stage.variants.map((variant, i) => ({
      ...variant,
      loadMs: LOAD_MS[Math.min(i, LOAD_MS.length - 1)] ?? 0,
    })),
  }));
  const admission = { ...spec.admission, maxQueueLength: 1_000_000 };
  return { ...spec, name, budget: {}, stages, admission, control: CONTROL };
}

/** Accuracy of the plan that uses the middle variant of every stage. */
export function middleFloor(spec: PipelineSpec): number {
  const pins = Object.fromEntries(
    spec.stages.map(({ id, variants }) => {
      const ordered = variants.toSorted((a, b) => (a.accuracy?.value ?? 1) - (b.accuracy?.value ?? 1));
      return [id, { variantId: (ordered[Math.floor(ordered.length / 2)] ?? ordered[0])?.id as never }];
    }),
  );
  const objective: Objective = { kind: 'min-cost', accuracyFloor: 0 };
  const result = optimize({
    spec: { ...spec, objective },
    profiles: [],
    arrivalRps: 1,
    estimator: 'distribution',
    pins,
  });
  if (result.kind !== 'feasible') throw new Error(`no plan with the middle variants of ${spec.name}`);
  return result.plan.predicted.pas - 1e-9;
}

/** The spec of a mode. The cheapest plan for the peak at the accuracy of the middle variants sets the budget. */
export function specFor(spec: PipelineSpec, mode: ControlMode, peakRps: number): PipelineSpec {
  const floor = middleFloor(spec);
  const cheapest: PipelineSpec = { ...spec, objective: { kind: 'min-cost', accuracyFloor: floor } };
  const cpuCores = planAt(cheapest, peakRps).predicted.cpuCores / PEAK_FRACTION;
  const objective: Objective = mode === 'min-cost' ? cheapest.objective : { kind: 'max-accuracy' };
  return { ...spec, objective, budget: { cpuCores } };
}

/** Plan for a rate, by the estimate without verification. */
export function planAt(spec: PipelineSpec, arrivalRps: number): Plan {
  const result = optimize({ spec, profiles: [], arrivalRps, estimator: 'distribution' });
  const plan = result.kind === 'feasible' ? result.plan : result.bestEffort;
  if (plan === undefined) throw new Error(`no plan of ${spec.name} at ${arrivalRps} rps`);
  return plan;
}

/** Largest rate with a feasible plan by the estimate, within 1 %. The plan may use the budget plus `extraCores`. */
export function largestRate(spec: PipelineSpec, extraCores: number): number {
  const budget = { cpuCores: (spec.budget.cpuCores ?? 0) + extraCores };
  const holds = (arrivalRps: number): boolean =>
    optimize({ spec, profiles: [], arrivalRps, budget, estimator: 'distribution' }).kind === 'feasible';
  let [low, high] = [0, 1];
  while (holds(high)) [low, high] = [high, 2 * high];
  while (high - low > 0.01 * high) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** Service curves of a pipeline whose spec contains its points. */
export const curvesOf = (spec: PipelineSpec) => requireCurves(spec, []);
