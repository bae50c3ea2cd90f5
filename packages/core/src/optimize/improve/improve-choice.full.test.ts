import { describe, expect, it } from 'vitest';
import type { EdgeSpec, PipelineSpec } from '../../model/pipeline-spec.js';
import { type PlanResult, showsSloMet } from '../../model/plan.js';
import { requireCurves } from '../../profile/service-curves.js';
import { verifiersOf } from '../../simulate/plan-verifier.js';
import { optimize } from '../optimize.js';
import { prepareProblem } from '../options/prepared-problem.js';
import { choiceKey, surrogateProblem } from '../options/surrogate.js';
import { problemOf, testPipeline, testStage } from '../planning.test-support.js';
import { sketchOf } from '../search/plan-of.js';
import { fitsLimits } from '../surrogate/node-packing.js';
import { ChoiceJudge } from './choice-judge.js';
import { ChoiceSearch, VISITS_PER_WORK } from './improve-choice.js';

const WORK = 20_000;

function verifierFor(spec: PipelineSpec, arrivalRps: number) {
  const curves = requireCurves(spec, []);
  return verifiersOf({ spec, curves, hostCores: 8, seed: 1, workStageRequests: WORK })({ arrivalRps });
}

function answer(spec: PipelineSpec, arrivalRps: number): PlanResult {
  return optimize(problemOf(spec, arrivalRps), verifierFor(spec, arrivalRps));
}

/** Of all plans that meet the SLO in simulation, the most accurate one; at equal accuracy the cheapest. */
function exhaustive(spec: PipelineSpec, arrivalRps: number): { pas: number; costPerHour: number } | undefined {
  const prepared = prepareProblem(problemOf(spec, arrivalRps));
  const verify = verifierFor(spec, arrivalRps);
  const { stages } = surrogateProblem(prepared, { theta: 0, kappa: 1 });
  let choices: (typeof stages)[number][] = [[]];
  for (const options of stages) choices = choices.flatMap((before) => options.map((o) => [...before, o]));
  return choices
    .map((choice) =>
      sketchOf(
        prepared,
        choice.map((o) => o.option),
      ),
    )
    .filter(({ predicted }) => predicted.cpuCores <= (spec.budget.cpuCores ?? Number.POSITIVE_INFINITY) + 1e-9)
    .sort((a, b) => b.predicted.pas - a.predicted.pas || a.predicted.costPerHour - b.predicted.costPerHour)
    .find((plan) => showsSloMet(verify(plan, spec.slo)))?.predicted;
}

const detect = testStage('detect', [
  { name: 'small', accuracy: 0.6, fixedMs: 6, perItemMs: 8, tail: 2 },
  { name: 'large', accuracy: 0.8, fixedMs: 15, perItemMs: 20, tail: 2 },
]);
const classify = testStage('classify', [
  { name: 'small', accuracy: 0.7, fixedMs: 4, perItemMs: 6, tail: 3 },
  { name: 'large', accuracy: 0.9, fixedMs: 12, perItemMs: 9, tail: 3 },
]);
const twoItems: readonly EdgeSpec[] = [{ from: detect.id, to: classify.id, fanOut: { expected: 2 } }];
const small = (edges: readonly EdgeSpec[] | undefined, latencyMs: number, cpuCores: number): PipelineSpec => {
  const batchSizes = [1, 4];
  const stages = [detect, classify].map((stage) => ({
    ...stage,
    bounds: { ...stage.bounds, batchSizes, maxReplicas: 4 },
  }));
  return { ...testPipeline(stages, edges), slo: { latencyMs, percentile: 99 }, budget: { cpuCores } };
};

describe('the search by simulation', () => {
  it.each([
    ['a chain', undefined, 180, 4, 25],
    ['a chain with a tight SLO', undefined, 120, 5, 20],
    ['a fan-out', twoItems, 160, 5, 20],
  ] as const)('finds the best of all plans that hold, of %s', (_, edges, latencyMs, cpuCores, arrivalRps) => {
    const spec = small(edges, latencyMs, cpuCores);
    const best = exhaustive(spec, arrivalRps);
    const found = answer(spec, arrivalRps);
    expect(found.kind === 'feasible').toBe(best !== undefined);
    if (found.kind !== 'feasible' || best === undefined) return;
    expect(found.plan.verified && showsSloMet(found.plan.verified)).toBe(true);
    const { pas, costPerHour } = found.plan.predicted;
    expect({ pas, costPerHour }).toMatchObject({ pas: best.pas, costPerHour: best.costPerHour });
  });

  it('has no better plan for a higher load, a smaller budget or a tighter SLO', () => {
    const values = (specs: readonly (readonly [PipelineSpec, number])[]): readonly number[] =>
      specs.map(([spec, rps]) => {
        const found = answer(spec, rps);
        return found.kind === 'feasible' ? found.objectiveValue : 0;
      });
    const spec = small(undefined, 180, 5);
    const falling = [
      values([10, 20, 30, 40].map((rps) => [spec, rps])),
      values([7, 5, 4, 3].map((cores) => [small(undefined, 180, cores), 25])),
      values([300, 180, 130, 90].map((ms) => [small(undefined, ms, 5), 25])),
    ];
    for (const each of falling) expect(each).toEqual(each.toSorted((a, b) => b - a));
  });

  it('counts its work, and ends at a limit', () => {
    const spec = small(undefined, 180, 5);
    const verify = verifierFor(spec, 25);
    const free = optimize(problemOf(spec, 25), verify);
    const limited = optimize(problemOf(spec, 25, { workLimit: 0 }), verify);
    const effort = (result: PlanResult) => (result.kind === 'feasible' ? result.certificate.search : undefined);
    expect(effort(free)).toMatchObject({ exhausted: true });
    expect(effort(limited)?.looked ?? 0).toBeLessThan(effort(free)?.looked ?? 0);
  });
});

it('also ends at a number of visits of stages, because a long pipeline has many candidates', () => {
  const names = Array.from({ length: 40 }, (_, i) => `stage-${i}`);
  const stages = names.map((name) =>
    testStage(name, [
      { name: 'small', accuracy: 0.9, fixedMs: 6, perItemMs: 8, tail: 2 },
      { name: 'large', accuracy: 0.95, fixedMs: 9, perItemMs: 9, tail: 2 },
    ]),
  );
  const edges = stages.slice(1).map((stage, i) => ({ from: (stages[i] as typeof stage).id, to: stage.id }));
  const spec = { ...testPipeline(stages, edges), slo: { latencyMs: 1800, percentile: 99 }, budget: { cpuCores: 80 } };
  const prepared = prepareProblem(problemOf(spec, 20));
  const { latencyMs, percentile } = spec.slo;
  const verdict = { latencyMs: 1.01 * latencyMs, percentile, sloAttainmentFraction: 0.985, conclusive: false };
  let ranked = 0;
  const judge = new (class extends ChoiceJudge {
    override chance(expected: Parameters<ChoiceJudge['chance']>[0]): ReturnType<ChoiceJudge['chance']> {
      ranked++;
      return super.chance(expected);
    }
  })(prepared, () => ({ ...verdict, seeds: [1] }));
  const workLimit = 0.5;
  const { exhausted } = new ChoiceSearch(prepared, judge).run(undefined, workLimit);
  expect(exhausted).toBe(false);
  expect(judge.work).toBeLessThan(workLimit);
  expect(ranked * stages.length).toBeLessThan(2 * VISITS_PER_WORK * workLimit);
});

it('looks wider where all that a narrow look found has failed', () => {
  const prepared = prepareProblem(problemOf(small(undefined, 180, 5), 25));
  const { stages } = surrogateProblem(prepared, { theta: 0, kappa: 1 });
  const [first = [], second = []] = stages;
  const all = first.flatMap((a) => second.map((b) => [a, b])).filter((choice) => fitsLimits(prepared, choice));
  const found = all.filter((choice) => {
    const only = choiceKey(choice);
    const judge = new ChoiceJudge(prepared, (of) => {
      const holds = choiceKey(of) === only;
      const { latencyMs, percentile } = prepared.spec.slo;
      return {
        latencyMs: latencyMs * (holds ? 0.5 : 1.01),
        percentile,
        sloAttainmentFraction: holds ? 1 : 0.98,
        conclusive: true,
        seeds: [1],
      };
    });
    return new ChoiceSearch(prepared, judge).run(undefined, Number.POSITIVE_INFINITY).held !== undefined;
  });
  expect(all.length).toBeGreaterThan(30);
  // The search skips most other plans: a plan with at least their replicas failed, or their estimate is worse.
  expect(found.length / all.length).toBeGreaterThan(0.3);
});

function manyCombinations() {
  const stages = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => {
    const variants = [0.6, 0.7, 0.8, 0.9].map((accuracy) => ({
      name: `v${accuracy}`,
      accuracy,
      fixedMs: 2,
      perItemMs: 10 * accuracy,
    }));
    const stage = testStage(name, variants);
    return { ...stage, bounds: { ...stage.bounds, batchSizes: [1], maxReplicas: 1 } };
  });
  const prepared = prepareProblem(problemOf(testPipeline(stages), 5));
  return { prepared, options: surrogateProblem(prepared, { theta: 0, kappa: 1 }).stages };
}

it('reaches combinations of variants that are too many to list, by neighbours of plans that hold', () => {
  const { prepared, options } = manyCombinations();
  const smallest = options.map(([first]) => first as NonNullable<typeof first>);
  // The listed combinations are the most accurate ones, which all fail.
  const judge = new ChoiceJudge(prepared, (choice) => {
    const holds = choice.filter(({ option }) => option.variantIndex > 0).length <= 1;
    const { latencyMs, percentile } = prepared.spec.slo;
    const sloAttainmentFraction = holds ? 1 : 0.9;
    return {
      latencyMs: latencyMs * (holds ? 0.5 : 1.2),
      percentile,
      sloAttainmentFraction,
      conclusive: true,
      seeds: [1],
    };
  });
  const held = { choice: smallest, verdict: judge.verdict(smallest) };
  const found = new ChoiceSearch(prepared, judge).run(held, 100).held?.choice ?? [];
  expect(found.map(({ option }) => option.variantIndex).sort()).toEqual([0, 0, 0, 0, 0, 3]);
});

it('reaches combinations that differ from the plan that holds in two stages', () => {
  const { prepared, options } = manyCombinations();
  const smallest = options.map(([first]) => first as NonNullable<typeof first>);
  const judge = new ChoiceJudge(prepared, (choice) => {
    const variants = choice.map(({ option }) => option.variantIndex).join('');
    const holds = variants === '000000' || variants === '001010';
    const { latencyMs, percentile } = prepared.spec.slo;
    const sloAttainmentFraction = holds ? 1 : 0.98;
    return {
      latencyMs: latencyMs * (holds ? 0.9 : 1.02),
      percentile,
      sloAttainmentFraction,
      conclusive: true,
      seeds: [1],
    };
  });
  const held = { choice: smallest, verdict: judge.verdict(smallest) };
  const found = new ChoiceSearch(prepared, judge).run(held, 100).held?.choice ?? [];
  expect(found.map(({ option }) => option.variantIndex).join('')).toBe('001010');
});

it('looks at almost every option before it ends, even if all plans so far were far too late', () => {
  const prepared = prepareProblem(problemOf(small(undefined, 180, 5), 25));
  const { stages } = surrogateProblem(prepared, { theta: 0, kappa: 1 });
  const seen = new Set<unknown>();
  const judge = new ChoiceJudge(prepared, (choice) => {
    for (const { option } of choice) seen.add(option);
    const { latencyMs, percentile } = prepared.spec.slo;
    const holds = seen.size === choice.length;
    const sloAttainmentFraction = holds ? 1 : 0.5;
    return {
      latencyMs: latencyMs * (holds ? 0.9 : 3),
      percentile,
      sloAttainmentFraction,
      conclusive: true,
      seeds: [1],
    };
  });
  const cheapest = stages.map(([first]) => first as NonNullable<typeof first>);
  const held = { choice: cheapest, verdict: judge.verdict(cheapest) };
  new ChoiceSearch(prepared, judge).run(held, Number.POSITIVE_INFINITY);
  expect(seen.size).toBeGreaterThan(0.9 * stages.flat().length);
});

it('finds the cheapest plan of a cascade, although the estimates of its busy CPU share are far too long', () => {
  const stage = (name: string, times: Readonly<Record<string, number>>, cpuCores: readonly (readonly number[])[]) => {
    const variants = Object.entries(times).map(([id, perItemMs]) => ({
      name: id,
      accuracy: 0.7,
      fixedMs: 0,
      perItemMs,
      tail: 1,
    }));
    const made = testStage(name, variants, [1, 2]);
    const shared = made.variants.map((variant, v) => ({ ...variant, cpuCores: cpuCores[v] ?? [] }));
    return { ...made, variants: shared, bounds: { ...made.bounds, batchSizes: [1], maxReplicas: 3 } };
  };
  const cheap = stage('cheap', { v1: 1.9, v2: 8.43 }, [
    [0.25, 0.5, 1],
    [0.3, 1, 2],
  ]);
  const strong = stage('strong', { v0: 2.17, v1: 5.57, v2: 20.15 }, [
    [0.3, 1, 2],
    [0.3, 1, 2],
    [0.25, 0.5, 1],
  ]);
  const combinations = cheap.variants.flatMap((a, i) =>
    strong.variants.map((b, j) => ({
      variants: { [cheap.id]: a.id, [strong.id]: b.id },
      accuracy: [0.6684, 0.677, 0.6916, 0.68, 0.68, 0.69][3 * i + j] as number,
    })),
  );
  const spec: PipelineSpec = {
    ...testPipeline(
      [cheap, strong],
      [{ from: cheap.id, to: strong.id, when: { condition: 'output.confidence < 0.8', probability: 0.05 } }],
    ),
    slo: { latencyMs: 19.4, percentile: 99.5 },
    budget: { cpuCores: 1.55 },
    outputs: [{ from: cheap.id, unless: strong.id }, { from: strong.id }],
    accuracyTable: { combinations },
  };
  const verify = verifiersOf({ spec, curves: requireCurves(spec, []), hostCores: 2, seed: 1 })({ arrivalRps: 114 });
  const found = optimize(problemOf(spec, 114), verify);
  expect(found).toMatchObject({ kind: 'feasible', plan: { predicted: { pas: 0.677, cpuCores: 0.55 } } });
});

it('makes the plan that holds cheaper, even if plans of more accuracy use up the work', () => {
  const variants = [0.6, 0.7, 0.8, 0.9].map((accuracy) => ({
    name: `v${accuracy}`,
    accuracy,
    fixedMs: 4,
    perItemMs: 6,
  }));
  const stages = ['a', 'b', 'c'].map((name) => {
    const stage = testStage(name, variants);
    return { ...stage, bounds: { ...stage.bounds, batchSizes: [1], maxReplicas: 4 } };
  });
  const prepared = prepareProblem(problemOf({ ...testPipeline(stages), budget: { cpuCores: 12 } }, 20));
  const options = surrogateProblem(prepared, { theta: 0, kappa: 1 }).stages;
  const costly = options.map((of) => of.filter(({ option }) => option.variantIndex === 0).at(-1) as (typeof of)[0]);
  // Plans of other variants meet the SLO, but no run shows it.
  const judge = new ChoiceJudge(prepared, (choice) => {
    const conclusive = choice.every(({ option }) => option.variantIndex === 0);
    const { latencyMs, percentile } = prepared.spec.slo;
    return { latencyMs: 0.9 * latencyMs, percentile, sloAttainmentFraction: 0.995, conclusive, seeds: [1] };
  });
  const held = { choice: costly, verdict: judge.verdict(costly) };
  const found = new ChoiceSearch(prepared, judge).run(held, 165).held?.choice ?? [];
  expect(costly.map(({ option }) => option.replicas)).not.toEqual([1, 1, 1]);
  expect(found.map(({ option }) => [option.variantIndex, option.replicas])).toEqual([
    [0, 1],
    [0, 1],
    [0, 1],
  ]);
});

it('searches a bounded number of combinations, even if the neighbours of each are narrow misses', () => {
  const { prepared } = manyCombinations();
  const combinations = new Set<string>();
  const judge = new ChoiceJudge(prepared, (choice) => {
    combinations.add(choice.map(({ option }) => option.variantIndex).join());
    const { latencyMs, percentile } = prepared.spec.slo;
    return { latencyMs, percentile, sloAttainmentFraction: 0.995, conclusive: false, seeds: [1] };
  });
  new ChoiceSearch(prepared, judge).run(undefined, 2_000);
  expect(combinations.size).toBeGreaterThan(60);
  expect(combinations.size).toBeLessThanOrEqual(120);
});
