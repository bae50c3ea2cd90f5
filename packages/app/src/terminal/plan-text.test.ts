import type { Certificate, PipelineSpec, Plan, PlanResult } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { planSummary } from './plan-table.js';
import { accuraciesText, accuracySource, accuracyText, type PlanAsked, planText } from './plan-text.js';

const plan: Plan = {
  stages: {},
  predicted: { latencyMs: 90, percentile: 99, pas: 0.8, capacityRps: 20, cpuCores: 1, costPerHour: 1 },
};
const certificate: Certificate = {
  claim: 'surrogate',
  theta: 0.7,
  kappa: 1,
  optimal: true,
  gapFraction: 0,
  upperBound: 0.9,
  gapToBoundFraction: 0.1,
  solver: 'label-setting',
  elapsedMs: 1,
  labels: 1,
};
const asked: PlanAsked = { arrivalRps: 10, policy: 'equipoise', estimator: 'distribution' };

function told(over: { certificate?: Partial<Certificate>; plan?: Partial<Plan>; asked?: Partial<PlanAsked> }): string {
  const result: PlanResult = {
    kind: 'feasible',
    plan: { ...plan, ...over.plan },
    objectiveValue: 0.8,
    certificate: { ...certificate, ...over.certificate },
  };
  return planText(result, { ...asked, ...over.asked });
}

describe('the text of a plan', () => {
  it('says what is not estimated, in place of zeros', () => {
    const predicted = { ...plan.predicted, latencyMs: 0, capacityRps: 0 };
    const text = planSummary({ ...plan, predicted });
    expect(text).toContain('capacity and latency not estimated');
    expect(text).not.toContain('0 ms');
  });

  it('says best only as far as it is proven', () => {
    expect(told({})).toContain(
      'proven best for its latency estimate; no plan that meets the SLO has an objective better than 0.9000',
    );
    const gap = { optimal: false, gapFraction: 0.021 };
    expect(told({ certificate: gap })).toContain('\nwithin 2.10 % of the best for its latency estimate;');
    expect(told({ certificate: { optimal: false, gapFraction: 1 } })).toContain(
      '\nthe best found, not proven best for',
    );
    expect(told({ asked: { estimator: 'sum-of-tails' } })).toContain(
      'proven best by the sum of tails, which knows no queue',
    );
  });

  it('claims nothing beyond the rules of a baseline', () => {
    const text = told({ asked: { policy: 'ipa' } });
    expect(text).toContain('\nbest by the rules of ipa; other plans may be better');
    expect(text).not.toMatch(/proven|no plan/);
  });

  it('says when the simulation disagrees', () => {
    const verified = { latencyMs: 120, percentile: 99, sloAttainmentFraction: 0.9, conclusive: true, seeds: [1] };
    expect(told({ plan: { verified } })).toContain('The simulation does not confirm');
    expect(told({ plan: { verified: { ...verified, sloAttainmentFraction: 1 } } })).not.toContain('does not confirm');
  });

  it('says that a plan below the load does not keep up, and no latency of a simulation that ended', () => {
    const verified = { latencyMs: 542_000, percentile: 99, sloAttainmentFraction: 0.012, conclusive: true, seeds: [1] };
    const overloaded = { ...plan, predicted: { ...plan.predicted, latencyMs: Number.POSITIVE_INFINITY } };
    const textOf = (bestEffort: Plan) =>
      planText({ kind: 'infeasible', proven: true, bindingConstraint: 'budget', fixes: {}, bestEffort }, asked);
    const text = textOf({ ...overloaded, verified });
    expect(text).toContain(
      'latency p99 without bound: it does not keep up with the load, 1.2 % within the SLO as simulated',
    );
    expect(text).not.toMatch(/542|simulated \d/);
    expect(textOf(overloaded)).toContain('does not keep up with the load (not verified by simulation)');
  });

  it('names every fix, and whether it is proven that there is no plan', () => {
    const result: PlanResult = {
      kind: 'not-found',
      tried: 7,
      bindingConstraint: 'slo',
      fixes: { slo: { latencyMs: 12_345 }, budget: { cpuCores: 3, gpus: 1 }, accuracyFloor: 0.7109 },
    };
    expect(planText(result, asked)).toBe(
      [
        'No plan meets the SLO at 10 rps: the latency target is too tight. None was found, which does not prove that there is none.',
        'Any one of these would make it feasible:',
        '  · an SLO of 12345 ms or more',
        '  · a budget of 3 cores, gpus 1',
        '  · an accuracy floor of 0.710 or less',
      ].join('\n'),
    );
    expect(planText({ ...result, kind: 'infeasible', proven: true }, { ...asked, policy: 'rim' })).toMatch(
      /^No plan of rim meets the SLO at 10 rps: the latency target is too tight\.\n/,
    );
  });
});

describe('the source of an accuracy', () => {
  const variants = ['s', 'm', 'l'].map((id) => ({ id }));
  const specWith = (accuracyTable?: object) =>
    ({
      stages: [{ id: 'detect', variants }],
      sources: [],
      edges: [],
      outputs: [],
      accuracyTable,
    }) as unknown as PipelineSpec;
  const spec = specWith({
    combinations: [
      { variants: { detect: 's' }, accuracy: 0.8, samples: 200, confidence95: [0.74, 0.86] },
      { variants: { detect: 'm' }, accuracy: 0.82, confidence95: [0.7, 0.9], measured: false },
    ],
    modelError: 0.012,
    productError: 0.05,
  });

  it.each([
    ['s', spec, 'accuracy measured on 200 samples, 95 % interval 0.740 to 0.860'],
    [
      'm',
      spec,
      'accuracy computed from measured combinations, interval of the model 0.700 to 0.900, error of such accuracies 0.012 for measured combinations',
    ],
    [
      'l',
      spec,
      'accuracy is the product of the stage accuracies, error of such accuracies 0.050 for measured combinations',
    ],
    ['l', specWith(), 'accuracy is the product of the stage accuracies'],
  ])('of the variant %s', (variantId, of, text) => {
    const stages = { detect: [{ variantId }] } as unknown as Plan['stages'];
    expect(accuracyText(accuracySource(of, { ...plan, stages }))).toBe(text);
  });

  it('is counted for all combinations', () => {
    expect(accuraciesText(spec).split('\n').slice(1)).toEqual([
      '  1 of 3 measured',
      '  1 of 3 computed from these, error 0.012 for measured ones',
      '  1 of 3 products of the stage accuracies, error 0.050 for measured ones',
    ]);
    const cascade = { ...spec, outputs: [{ from: 'detect', unless: [{}] }] } as unknown as PipelineSpec;
    expect(accuraciesText(cascade)).toContain('1 of 3 unknown, so no plan has them');
  });

  it('counts each threshold and quorum', () => {
    const listed = { join: { quorum: 1, quorums: [1, 2] } };
    const voted = {
      ...spec,
      stages: [...spec.stages, { id: 'other', variants: [{ id: 'v' }] }, { id: 'vote', variants: [{ id: 'v' }] }],
      edges: [
        { from: 'detect', to: 'other', when: { condition: 'x', thresholds: [0.5, 0.8], probability: 0.5 } },
        { from: 'detect', to: 'vote', ...listed },
        { from: 'other', to: 'vote', ...listed },
      ],
      outputs: [{ from: 'vote' }],
    } as unknown as PipelineSpec;
    expect(accuraciesText(voted)).toContain(`1 of ${3 * 2 * 2} measured`);
  });

  it('counts omitted stages', () => {
    const variants = [{ id: 's' }, { id: 'l' }];
    const ensemble = {
      sources: [{ to: ['a', 'b'] }],
      stages: [
        { id: 'a', variants },
        { id: 'b', variants, optional: true },
      ],
      combines: [{ id: 'both', method: 'vote', tensor: 'label' }],
      edges: [
        { from: 'a', to: 'both' },
        { from: 'b', to: 'both' },
      ],
      outputs: [{ from: 'both' }],
      accuracyTable: { combinations: [{ variants: { a: 'l', b: 'omitted' }, accuracy: 0.8, samples: 90 }] },
    } as unknown as PipelineSpec;
    expect(accuraciesText(ensemble)).toContain('5 of 6 unknown');
    const stages = { a: [{ variantId: 'l', replicas: 1 }], b: [{ variantId: 's', replicas: 0 }] };
    const source = accuracySource(ensemble, { ...plan, stages: stages as unknown as Plan['stages'] });
    expect(source).toEqual({ source: 'measured', samples: 90, confidence95: undefined });
  });
});
