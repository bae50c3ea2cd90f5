import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import { type PlanResult, showsSloMet } from '../model/plan.js';
import { scaledPoint } from '../profile/scale-profile.js';
import { requireCurves } from '../profile/service-curves.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import { optimize } from './optimize.js';
import { problemOf, testPipeline, testStage } from './planning.test-support.js';
import { estimateStages } from './search/estimate-stages.js';

const FACTORS = [1.3, 1.5];

function randomPipeline(seed: number): PipelineSpec {
  const rng = new SeededRng(seed);
  const between = (low: number, high: number): number => low + (high - low) * rng.next();
  const variant = (name: string, accuracy: number, slower: number) => ({
    ...{ name, accuracy, tail: between(1.1, 3) },
    ...{ fixedMs: slower * between(3, 9), perItemMs: slower * between(2, 9) },
  });
  const stage = (name: string) => testStage(name, [variant('small', 0.6, 1), variant('large', 0.8, 2)]);
  return {
    ...testPipeline(['a', 'b'].map(stage)),
    slo: { latencyMs: between(120, 400), percentile: 99 },
    budget: { cpuCores: 6 },
    objective: seed % 2 === 0 ? { kind: 'max-accuracy' } : { kind: 'min-cost', accuracyFloor: 0.4 },
  };
}

const slowed = (spec: PipelineSpec, factor: number): PipelineSpec => ({
  ...spec,
  stages: spec.stages.map((stage) => ({
    ...stage,
    variants: stage.variants.map((variant) => ({
      ...variant,
      profile: (variant.profile ?? []).map((point) => scaledPoint(point, factor)),
    })),
  })),
});

const verifierFor = (spec: PipelineSpec, arrivalRps: number) =>
  verifiersOf({ spec, curves: requireCurves(spec, []), hostCores: 6, seed: 1, workStageRequests: 5000 })({
    arrivalRps,
  });

const answer = (spec: PipelineSpec, arrivalRps: number): PlanResult =>
  optimize(problemOf(spec, arrivalRps), verifierFor(spec, arrivalRps));

describe('a robust plan', () => {
  it.each([0, 1, 2])('is the nominal plan for all times × the factor (seed %i)', (seed) => {
    const spec = randomPipeline(seed);
    const arrivalRps = 8 + 6 * seed;
    for (const serviceFactor of FACTORS) {
      const robust = answer({ ...spec, robustness: { serviceFactor } }, arrivalRps);
      expect(robust).toEqual(answer(slowed(spec, serviceFactor), arrivalRps));
      if (robust.kind !== 'feasible') continue;
      const { plan } = robust;
      expect(showsSloMet(verifierFor(slowed(spec, serviceFactor), arrivalRps)(plan, spec.slo))).toBe(true);
    }
  });

  it('differs from the nominal one, and its prediction is that of the slow times', () => {
    const spec = { ...randomPipeline(1), slo: { latencyMs: 150, percentile: 99 } };
    const [nominal, robust] = [spec, { ...spec, robustness: { serviceFactor: 1.5 } }].map((of) => answer(of, 40));
    expect(robust).not.toEqual(nominal);
    const { stages } = (robust as Extract<PlanResult, { kind: 'feasible' }>).plan;
    const estimated = (of: PipelineSpec) => estimateStages({ spec: of, curves: requireCurves(of, []) }, stages, 40);
    expect(estimated({ ...spec, robustness: { serviceFactor: 1.5 } })).toEqual(estimated(slowed(spec, 1.5)));
  });
});
