import { describe, expect, it } from 'vitest';
import { replicaId, stageId, variantId } from '../model/ids.js';
import type { PipelineSpec, StageSpec } from '../model/pipeline-spec.js';
import type { Plan, PlanResult } from '../model/plan.js';
import { curvesOf } from '../profile/service-curves.js';
import { planVerifier } from '../simulate/plan-verifier.js';
import { staticBest, staticCheapest } from './baselines/static-policies.js';
import { frontier } from './frontier.js';
import { optimize } from './optimize.js';
import { problemOf, testPipeline, testStage } from './planning.test-support.js';
import type { PlanningProblem, VerifyPlan } from './planning-problem.js';

const detect = testStage('detect', [
  { name: 'small', accuracy: 0.7, fixedMs: 2, perItemMs: 4 },
  { name: 'large', accuracy: 0.9, fixedMs: 4, perItemMs: 20 },
]);
const classify = testStage('classify', [
  { name: 'small', accuracy: 0.8, fixedMs: 1, perItemMs: 5 },
  { name: 'large', accuracy: 0.9, fixedMs: 2, perItemMs: 15 },
]);
const spec = testPipeline([detect, classify]);

function verifierAt(arrivalRps: number, of = spec): VerifyPlan {
  const curves = curvesOf(of, []);
  if (curves.kind === 'invalid') throw new Error('the profiles of the test are invalid');
  return planVerifier({
    spec: of,
    curves,
    arrivalRps,
    hostCores: Number.POSITIVE_INFINITY,
    seed: 1,
    workStageRequests: 20_000,
  });
}

const variantsOf = (plan: Plan | undefined): readonly string[] =>
  Object.values(plan?.stages ?? {}).map((parts) => parts[0]?.variantId ?? '');

function feasible(result: PlanResult): PlanResult & { kind: 'feasible' } {
  if (result.kind !== 'feasible') throw new Error(`infeasible: ${result.bindingConstraint}`);
  return result;
}

function infeasible(result: PlanResult): Exclude<PlanResult, { kind: 'feasible' }> {
  if (result.kind === 'feasible') throw new Error('a plan where none should be');
  return result;
}

const withPins = (stage: StageSpec, pins: StageSpec['pins']): StageSpec => ({ ...stage, pins });

/** Paths of infinite or NaN numbers. */
function unwritable(value: unknown): readonly string[] {
  if (typeof value === 'number') return Number.isFinite(value) ? [] : [''];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    unwritable(part).map((path) => (path === '' ? key : `${key}.${path}`)),
  );
}

describe('optimize', () => {
  it('takes the most accurate variants while they fit', () => {
    const { plan, objectiveValue, certificate } = feasible(optimize(problemOf(spec, 20), verifierAt(20)));
    expect(variantsOf(plan)).toEqual(['large', 'large']);
    expect(objectiveValue).toBeCloseTo(0.81, 12);
    expect(certificate.upperBound).toBeCloseTo(0.81, 12);
    expect(plan.verified?.sloAttainmentFraction).toBeGreaterThanOrEqual(0.99);
    expect(plan.predicted.cpuCores).toBeLessThanOrEqual(8);
  });

  it('steps down when the load no longer fits the budget', () => {
    const { plan, objectiveValue, certificate } = feasible(optimize(problemOf(spec, 300), verifierAt(300)));
    expect(objectiveValue).toBeLessThan(0.81);
    expect(objectiveValue).toBeLessThanOrEqual(certificate.upperBound);
    expect(plan.predicted.cpuCores).toBeLessThanOrEqual(8);
    expect(plan.verified?.latencyMs).toBeLessThanOrEqual(200);
  });

  it('leaves a dearer plan where a minute pays for the switch, though one interval does not', () => {
    // Two replicas of 'many' replace three of 'few'.
    const stage = testStage('detect', [
      { name: 'few', accuracy: 0.9, fixedMs: 0, perItemMs: 20 },
      { name: 'many', accuracy: 0.9, fixedMs: 0, perItemMs: 10 },
    ]);
    const running = (replicas: number) => ({
      stages: {
        [stage.id]: {
          replicas: Array.from({ length: replicas }, (_, i) => ({
            replicaId: replicaId(`r${i}`),
            variantId: variantId('few'),
            resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
            status: 'ready' as const,
          })),
          maxBatchSize: 1,
          maxBatchWaitMs: 0,
        },
      },
    });
    const objective = { kind: 'min-cost', accuracyFloor: 0.5 } as const;
    const chosen = (loadMs: number, control: Partial<PipelineSpec['control']> = {}) => {
      const variants = stage.variants.map((variant) => ({ ...variant, loadMs }));
      const pipeline = testPipeline([{ ...stage, variants }]);
      const asked = { ...pipeline, control: { ...pipeline.control, ...control } };
      const problem = problemOf(asked, 120, { objective, runningPlan: running(3) });
      return variantsOf(feasible(optimize(problem)).plan);
    };
    // Starting two replicas saves one core. That pays if loading takes less than 30 s per minute in force.
    expect(chosen(0)).toEqual(['many']);
    expect(chosen(20_000)).toEqual(['many']);
    expect(chosen(40_000)).toEqual(['few']);
    expect(chosen(40_000, { minDwellMs: 120_000 })).toEqual(['many']);
  });

  it('finds the cheapest plan above an accuracy floor', () => {
    const objective = { kind: 'min-cost', accuracyFloor: 0.7 } as const;
    const { plan, objectiveValue, certificate } = feasible(
      optimize(problemOf(spec, 60, { objective }), verifierAt(60)),
    );
    expect(plan.predicted.pas).toBeGreaterThanOrEqual(0.7);
    expect(objectiveValue).toBe(plan.predicted.costPerHour);
    expect(certificate.upperBound).toBeLessThanOrEqual(objectiveValue);
  });

  it('lets a measured combination win over the product', () => {
    const accuracyTable = {
      combinations: [{ variants: { detect: 'small', classify: 'large' }, accuracy: 0.85 }],
    } as unknown as NonNullable<typeof spec.accuracyTable>;
    const result = feasible(optimize(problemOf({ ...spec, accuracyTable }, 20), verifierAt(20)));
    expect(variantsOf(result.plan)).toEqual(['small', 'large']);
    expect(result.objectiveValue).toBe(0.85);
  });

  it('keeps pins', () => {
    const pinned = {
      ...spec,
      stages: [withPins(detect, { variantId: detect.variants[0]?.id as never, replicas: 3 }), classify],
    };
    const { plan } = feasible(optimize(problemOf(pinned, 20), verifierAt(20)));
    expect(plan.stages[detect.id]?.[0]).toMatchObject({ variantId: 'small', replicas: 3 });
  });

  it('gives the smallest plan for no load at all', () => {
    const { plan } = feasible(optimize(problemOf(spec, 0), verifierAt(0)));
    expect(Object.values(plan.stages).map((parts) => parts[0]?.replicas)).toEqual([1, 1]);
    expect(variantsOf(plan)).toEqual(['large', 'large']);
  });

  it('proves that no budget carries an absurd load and gives the plan of largest capacity', () => {
    for (const arrivalRps of [1e9, 1e300]) {
      const result = infeasible(optimize(problemOf(spec, arrivalRps), verifierAt(arrivalRps)));
      expect(result).toMatchObject({ proven: true, bindingConstraint: 'capacity' });
      expect(result.bestEffort?.predicted.cpuCores).toBeLessThanOrEqual(8);
      expect(result.bestEffort?.predicted.capacityRps).toBeGreaterThan(500);
    }
  });

  it('says that several limits are too tight if no single one helps', () => {
    const tight = { budget: { cpuCores: 1 }, slo: { latencyMs: 1, percentile: 99 } };
    const result = infeasible(optimize(problemOf(spec, 20, tight), verifierAt(20)));
    expect(result).toMatchObject({ proven: true, bindingConstraint: 'several-limits', fixes: {} });
    const unpayable = { objective: { kind: 'min-cost', accuracyFloor: 0.99 }, budget: { cpuCores: 1 } } as const;
    const dear = infeasible(optimize(problemOf(spec, 20, unpayable), verifierAt(20)));
    expect(dear).toMatchObject({ bindingConstraint: 'several-limits', fixes: {} });
  });

  it('names the accuracy floor if it alone is too high, even if the search found no plan without it', () => {
    const neverMet: VerifyPlan = (_, { percentile }) => ({
      ...{ latencyMs: 1e6, percentile, sloAttainmentFraction: 0.5, conclusive: true, seeds: [1] },
    });
    const floor = { objective: { kind: 'min-cost', accuracyFloor: 0.99 } } as const;
    const result = infeasible(optimize(problemOf(spec, 20, floor), neverMet));
    expect(result).toMatchObject({ proven: true, bindingConstraint: 'accuracy-floor', fixes: {} });
  });

  it('tells the smallest budget when none is given', () => {
    const result = infeasible(optimize(problemOf(spec, 20, { budget: { cpuCores: 0 } }), verifierAt(20)));
    expect(result).toMatchObject({ proven: true, bindingConstraint: 'budget' });
    const budget = result.fixes.budget as { cpuCores: number };
    expect(optimize(problemOf(spec, 20, { budget }), verifierAt(20)).kind).toBe('feasible');
    const less = { cpuCores: budget.cpuCores - 1 };
    expect(optimize(problemOf(spec, 20, { budget: less }), verifierAt(20)).kind).toBe('infeasible');
  });

  it('tells the same smallest budget whatever runs', () => {
    const slow = { ...detect, variants: detect.variants.map((variant) => ({ ...variant, loadMs: 600_000 })) };
    const replicas = Array.from({ length: 3 }, (_, i) => ({
      replicaId: replicaId(`r${i}`),
      variantId: variantId('large'),
      status: 'ready' as const,
      resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
    }));
    const problem = problemOf(testPipeline([slow]), 60, { budget: { cpuCores: 0 } });
    const running = { stages: { detect: { replicas, maxBatchSize: 1, maxBatchWaitMs: 0 } } };
    const [fresh, moved] = [problem, { ...problem, runningPlan: running }].map((p) => infeasible(optimize(p)).fixes);
    expect(fresh).toEqual({ budget: { cpuCores: 1 } });
    expect(moved).toEqual(fresh);
  });

  it('tells the smallest SLO when the asked one is below the fastest service time', () => {
    const slo = { latencyMs: 5, percentile: 99 };
    const result = infeasible(optimize(problemOf(spec, 20, { slo }), verifierAt(20)));
    expect(result).toMatchObject({ proven: true, bindingConstraint: 'slo' });
    const relaxed = { latencyMs: result.fixes.slo?.latencyMs ?? 0, percentile: 99 };
    expect(optimize(problemOf(spec, 20, { slo: relaxed }), verifierAt(20)).kind).toBe('feasible');
  });

  it('tells an SLO above the asked one at which a simulation shows that a plan holds, or none', () => {
    const fixOf = (shownFromMs: number) => {
      const verify: VerifyPlan = (_, slo) => ({
        latencyMs: 195,
        percentile: slo.percentile,
        sloAttainmentFraction: 1,
        seeds: [1],
        conclusive: slo.latencyMs >= shownFromMs,
      });
      return infeasible(optimize(problemOf(spec, 20), verify)).fixes.slo?.latencyMs;
    };
    expect(fixOf(201)).toBe(201);
    expect(fixOf(210)).toBe(210);
    expect(fixOf(500)).toBe(508);
    expect(fixOf(1e6)).toBeUndefined();
  });

  it('verifies nothing but plans where advice need not be verified', () => {
    const askedFor = (verifiesAdvice?: boolean) => {
      const slos = new Set<number>();
      const verify: VerifyPlan = (_, slo) => {
        slos.add(slo.latencyMs);
        return { ...slo, sloAttainmentFraction: 1, conclusive: false, seeds: [1] };
      };
      const problem = { ...problemOf(spec, 20), ...(verifiesAdvice === undefined ? {} : { verifiesAdvice }) };
      return { fixes: infeasible(optimize(problem, verify)).fixes, slos: slos.size };
    };
    expect(askedFor().slos).toBeGreaterThan(1);
    expect(askedFor(false)).toMatchObject({ slos: 1, fixes: { slo: {}, budget: {} } });
  });

  it('tells the SLO that the sum of tails reaches where that decides', () => {
    const slo = { latencyMs: 5, percentile: 99 };
    const problem = problemOf(spec, 20, { slo, estimator: 'sum-of-tails' });
    const late: VerifyPlan = (_, { percentile }) => ({
      latencyMs: 3000,
      percentile,
      sloAttainmentFraction: 0,
      conclusive: true,
      seeds: [1],
    });
    const latencyMs = infeasible(optimize(problem, late)).fixes.slo?.latencyMs as number;
    expect(latencyMs).toBeLessThan(100);
    expect(optimize({ ...problem, slo: { ...slo, latencyMs } }, late).kind).toBe('feasible');
  });

  it('tells the largest accuracy floor that works', () => {
    const objective = { kind: 'min-cost', accuracyFloor: 0.9 } as const;
    const result = infeasible(optimize(problemOf(spec, 20, { objective }), verifierAt(20)));
    expect(result.bindingConstraint).toBe('accuracy-floor');
    expect(result.fixes.accuracyFloor).toBeCloseTo(0.81, 12);
  });

  it('refuses impossible numbers and missing profiles', () => {
    expect(() => optimize(problemOf(spec, Number.NaN))).toThrow(/arrival rate/);
    expect(() => optimize(problemOf(spec, -1))).toThrow(/arrival rate/);
    expect(() => optimize(problemOf(spec, 1, { budget: { cpuCores: -1 } }))).toThrow(/budget.cpuCores/);
    expect(() => optimize(problemOf(spec, 1, { slo: { latencyMs: 0, percentile: 99 } }))).toThrow(/slo.latencyMs/);
    const { profile: _, ...bare } = detect.variants[0] as (typeof detect.variants)[0];
    const missing = { ...spec, stages: [{ ...detect, variants: [bare] }, classify] };
    expect(() => optimize(problemOf(missing, 1))).toThrow(/no profile/);
  });

  it('names what is wrong with a profile', () => {
    const [small] = detect.variants as [(typeof detect.variants)[0]];
    const withPoint = (point: object) => {
      const variant = { ...small, profile: [{ cpuCores: 1, batchSize: 1, ...point }] } as typeof small;
      return { ...spec, stages: [{ ...detect, variants: [variant] }, classify] };
    };
    expect(() => optimize(problemOf(withPoint({ meanMs: 20, p99Ms: 10 }), 1))).toThrow(/below the mean/);
    expect(() => optimize(problemOf(withPoint({ meanMs: Number.NaN }), 1))).toThrow(/meanMs must be positive/);
    expect(() => optimize(problemOf(withPoint({ meanMs: -1 }), 1))).toThrow(/meanMs must be positive/);
  });

  it('asks for measured accuracies behind a quorum join', () => {
    const third = testStage('third', [{ name: 'v', accuracy: 0.9, fixedMs: 1, perItemMs: 1 }]);
    const join = { join: 'any' as const };
    const edges = [
      { from: detect.id, to: third.id, ...join },
      { from: classify.id, to: third.id, ...join },
    ];
    const joined = testPipeline([detect, classify, third], edges);
    expect(() => optimize(problemOf(joined, 1))).toThrow(/equipoise evaluate/);
    const combinations = [
      { variants: { detect: 'small', classify: 'large' }, accuracy: 0.7 },
    ] as unknown as NonNullable<typeof spec.accuracyTable>['combinations'];
    const { plan } = feasible(optimize(problemOf({ ...joined, accuracyTable: { combinations } }, 1)));
    expect(variantsOf(plan)).toEqual(['small', 'large', 'v']);
    const pinned = problemOf({ ...joined, accuracyTable: { combinations } }, 1);
    const pins = { [detect.id]: { variantId: 'large' } } as unknown as NonNullable<typeof pinned.pins>;
    expect(optimize({ ...pinned, pins })).toMatchObject({
      kind: 'infeasible',
      bindingConstraint: 'unmeasured-accuracy',
      fixes: {},
    });
  });

  it('omits optional members where they do not fit, and says so by entries without replicas', () => {
    const member = (name: string, optional?: true): StageSpec => ({
      ...testStage(name, [{ name: 'v', accuracy: 0.8, fixedMs: 2, perItemMs: 10 }]),
      ...(optional && { optional }),
    });
    const [a, b, c] = [member('a'), member('b', true), member('c', true)];
    const vote = { id: stageId('vote'), method: 'vote', tensor: 'label', output: 'label' } as const;
    const measured = (of: string, accuracy: number) => {
      const [first, second] = of.split(' ');
      return { variants: { [b.id]: variantId(first ?? ''), [c.id]: variantId(second ?? '') }, accuracy };
    };
    const ensemble: PipelineSpec = {
      ...testPipeline([a, b, c]),
      combines: [vote],
      edges: [a, b, c].map(({ id }) => ({ from: id, to: vote.id })),
      sources: [{ name: 'in', to: [a.id, b.id, c.id], tensors: [] }],
      outputs: [{ from: vote.id }],
      accuracyTable: {
        combinations: [
          measured('v v', 0.95),
          measured('v omitted', 0.7),
          measured('omitted v', 0.9),
          measured('omitted omitted', 0.85),
        ],
      },
    };
    const shown = (cpuCores: number, more: Partial<PlanningProblem> = {}) => {
      const { plan } = feasible(optimize({ ...problemOf(ensemble, 30), budget: { cpuCores }, ...more }));
      const counts = [a, b, c].map(({ id }) => Math.min(1, plan.stages[id]?.[0]?.replicas ?? -1));
      return [...counts, plan.predicted.pas, plan.predicted.cpuCores];
    };
    expect(shown(8)).toEqual([1, 1, 1, 0.95, 3]);
    expect(shown(2)).toEqual([1, 0, 1, 0.9, 2]);
    expect(shown(1)).toEqual([1, 0, 0, 0.85, 1]);
    expect(shown(8, { pins: { [b.id]: { omitted: true } } })).toEqual([1, 0, 1, 0.9, 2]);
    expect(shown(2, { pins: { [b.id]: { replicas: 1 } } })).toEqual([1, 1, 0, 0.7, 2]);
    const unmeasured = problemOf({ ...ensemble, accuracyTable: { combinations: [measured('v v', 0.95)] } }, 30);
    const bindingConstraint = 'unmeasured-accuracy';
    const pins = { [b.id]: { omitted: true } };
    expect(optimize({ ...unmeasured, pins })).toMatchObject({ kind: 'infeasible', bindingConstraint });
    expect(frontier({ ...unmeasured, pins })).toMatchObject({ kind: 'infeasible', bindingConstraint });
    const { plan } = feasible(optimize({ ...problemOf(ensemble, 30), budget: { cpuCores: 2 } }));
    const verified = verifierAt(30, ensemble)(plan, ensemble.slo);
    expect(verified).toMatchObject({ conclusive: true, sloAttainmentFraction: 1 });
    const front = frontier({ ...problemOf(ensemble, 120), budget: { cpuCores: 4 } }, verifierAt(120, ensemble));
    const shownPoints =
      front.kind === 'frontier' && front.points.map(({ pas, plan: of }) => [pas, variantsOf(of).length]);
    expect(shownPoints).toEqual([
      [0.85, 3],
      [0.9, 3],
    ]);
  });

  it('stops at the label limit with a gap instead of a proof', () => {
    const wide = testPipeline(
      Array.from({ length: 8 }, (_, i) =>
        testStage(
          `s${i}`,
          Array.from({ length: 6 }, (__, v) => ({
            name: `v${v}`,
            accuracy: 0.7 + 0.043 * v + 0.0037 * i,
            fixedMs: 3 + 1.7 * v + 0.31 * i,
            perItemMs: 2 + 1.3 * v + 0.17 * i,
          })),
          [1, 2, 4],
        ),
      ),
    );
    const tight = { ...wide, slo: { latencyMs: 160, percentile: 99 }, budget: { cpuCores: 17 } };
    const limited = feasible(optimize(problemOf(tight, 30, { labelLimit: 1 })));
    const proven = feasible(optimize(problemOf(tight, 30)));
    expect(proven.certificate.optimal).toBe(true);
    expect(limited.certificate.gapFraction).toBeGreaterThanOrEqual(0);
    expect(limited.objectiveValue).toBeLessThanOrEqual(proven.certificate.upperBound);
    expect(limited.certificate.upperBound).toBeLessThanOrEqual(1);
    expect(unwritable(limited)).toEqual([]);
  });

  it('says nothing that JSON cannot, but for the latency of a load above the capacity', () => {
    expect(unwritable(optimize(problemOf(spec, 1e6), verifierAt(1e6)))).toEqual(['bestEffort.predicted.latencyMs']);
    expect(unwritable(optimize(problemOf(spec, 20), verifierAt(20)))).toEqual([]);
  });

  it('answers by the estimate alone without a verifier', () => {
    const { plan } = feasible(optimize(problemOf(spec, 20)));
    expect(plan.verified).toBeUndefined();
    expect(plan.predicted.latencyMs).toBeLessThanOrEqual(200);
  });

  it('solves the sum of tails once and reports θ = 1', () => {
    const { certificate } = feasible(optimize(problemOf(spec, 20, { estimator: 'sum-of-tails' })));
    expect(certificate).toMatchObject({ theta: 1, kappa: 1, optimal: true });
  });
});

describe('static policies', () => {
  it('freeze the cheapest and the most accurate variants', () => {
    expect(variantsOf(feasible(staticCheapest(problemOf(spec, 20), verifierAt(20))).plan)).toEqual(['small', 'small']);
    expect(variantsOf(feasible(staticBest(problemOf(spec, 20), verifierAt(20))).plan)).toEqual(['large', 'large']);
  });

  it('give the largest capacity of the best variants when the budget cannot carry the rate', () => {
    const { bestEffort } = infeasible(staticBest(problemOf(spec, 1000), verifierAt(1000)));
    expect(variantsOf(bestEffort)).toEqual(['large', 'large']);
    expect(bestEffort?.predicted.cpuCores).toBe(8);
  });
});

describe('shares by variant', () => {
  const first = testStage('first', [
    { name: 'small', accuracy: 0.7, fixedMs: 1, perItemMs: 3 },
    { name: 'medium', accuracy: 0.8, fixedMs: 1, perItemMs: 5 },
  ]);
  const second = testStage('second', [{ name: 'only', accuracy: 0.9, fixedMs: 5, perItemMs: 30 }]);
  /** The same accuracy whichever variant runs first, so that cost decides. */
  const cascade = (small: number, medium: number): PipelineSpec => {
    const when = { condition: 'unsure', probability: (small + medium) / 2, byVariant: { small, medium } };
    const plain = testPipeline([first, second]);
    const combinations = first.variants.map(({ id }) => ({ variants: { [first.id]: id }, accuracy: 0.9 }));
    return {
      ...plain,
      objective: { kind: 'min-cost', accuracyFloor: 0.5 },
      edges: [{ from: first.id, to: second.id, when }],
      outputs: [{ from: first.id, unless: second.id }, { from: second.id }],
      accuracyTable: { combinations },
    };
  };

  it.each([
    [1, 0.25, 'medium'],
    [0.25, 1, 'small'],
  ])('behind small %d, behind medium %d: the plan takes the variant that escalates less', (small, medium, taken) => {
    const asked = problemOf(cascade(small, medium), 40);
    const { plan, certificate } = feasible(optimize(asked));
    expect(variantsOf(plan)[0]).toBe(taken);
    const other = taken === 'small' ? variantId('medium') : variantId('small');
    const pinned = feasible(optimize({ ...asked, pins: { [first.id]: { variantId: other } } }));
    expect(pinned.plan.predicted.costPerHour).toBeGreaterThan(plan.predicted.costPerHour);
    expect(certificate.upperBound).toBeLessThanOrEqual(plan.predicted.costPerHour);
  });

  it('has no complete front if the search found no plan for the shares of a variant', () => {
    const asked = problemOf(cascade(1, 0.25), 40);
    const verify =
      (refused: string | undefined): VerifyPlan =>
      (plan, { percentile }) => {
        const sloAttainmentFraction = variantsOf(plan)[0] === refused ? 0 : 1;
        return { latencyMs: 1, percentile, sloAttainmentFraction, conclusive: true, seeds: [1] };
      };
    expect(frontier(asked, verify(undefined))).toMatchObject({ kind: 'frontier', complete: true });
    expect(frontier(asked, verify('small'))).toMatchObject({ kind: 'frontier', complete: false });
  });

  it('is verified with the share of the variant that runs', () => {
    const byVariant = cascade(1, 0.25);
    const curves = curvesOf(byVariant, []);
    if (curves.kind === 'invalid') throw new Error('the profiles of the test are invalid');
    const verify = planVerifier({
      ...{ spec: byVariant, curves, arrivalRps: 40, hostCores: Number.POSITIVE_INFINITY },
      ...{ seed: 1, workStageRequests: 20_000 },
    });
    const { plan } = feasible(optimize(problemOf(byVariant, 40), verify));
    expect(variantsOf(plan)[0]).toBe('medium');
    // Behind small, the same replicas get four times the load.
    const swapped = {
      ...plan,
      stages: { ...plan.stages, [first.id]: [{ ...plan.stages[first.id]?.[0], variantId: variantId('small') }] },
    } as Plan;
    expect(verify(swapped, byVariant.slo).sloAttainmentFraction).toBeLessThan(0.9);
  });
});
