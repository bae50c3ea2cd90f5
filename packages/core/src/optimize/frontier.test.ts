import { describe, expect, it } from 'vitest';
import type { Plan } from '../model/plan.js';
import { bruteForceFront } from './brute-force.test-support.js';
import { frontier } from './frontier.js';
import { optimize } from './optimize.js';
import { prepareProblem } from './options/prepared-problem.js';
import { surrogateProblem } from './options/surrogate.js';
import { problemOf, testPipeline, testStage } from './planning.test-support.js';
import type { VerifyPlan } from './planning-problem.js';
import { families, randomProblem } from './random-problems.test-support.js';
import { pasOf } from './surrogate/objective-value.js';
import { steppedFrontier } from './surrogate/stepped-frontier.js';
import { surrogateFrontier } from './surrogate/surrogate-frontier.js';

const SMALL = { variants: 3, replicas: 2, batches: 2 };
const measured = ['any-join', 'quorum-join', 'combine', 'accuracy-table', 'nodes'];

describe('surrogate frontier', () => {
  const product = families.filter((family) => !measured.includes(family) && !family.includes('switching'));

  it.each(product)('is the front of all plans on %s', (family) => {
    for (let seed = 1; seed <= 12; seed++) {
      const { problem, theta, kappa } = randomProblem(family, seed, { size: SMALL, estimator: 'sum-of-tails' });
      const front = surrogateFrontier(surrogateProblem(prepareProblem(problem), { theta, kappa }), 0);
      const found = front.points.map(({ pas, costPerHour }) => [pas.toFixed(9), costPerHour.toFixed(9)]);
      const wanted = bruteForceFront(problem, theta, kappa).map(({ pas, cost }) => [pas.toFixed(9), cost.toFixed(9)]);
      expect(found, `${family} seed ${seed}`).toEqual(wanted);
      expect(front.complete).toBe(true);
    }
  });

  it('counts costs that differ by rounding alone as one', () => {
    const onCores = (name: string, cores: readonly [number, number], accuracies: readonly [number, number]) => {
      const stage = testStage(
        name,
        accuracies.map((accuracy, v) => ({ name: `v${v}`, accuracy, fixedMs: 1, perItemMs: 4 })),
        cores,
      );
      const variants = stage.variants.map((variant, v) => ({ ...variant, cpuCores: cores.slice(v, v + 1) }));
      return { ...stage, variants, bounds: { ...stage.bounds, maxReplicas: 1, batchSizes: [1] } };
    };
    const stages = [onCores('a', [1, 2], [0.5, 0.9]), onCores('b', [4, 5], [0.8, 0.85])];
    const prices = { cpuCorePerHour: 0.1, memoryGibPerHour: 0, gpuPerHour: 0 };
    const problem = problemOf({ ...testPipeline(stages), prices }, 1);
    expect(0.1 + 0.5).toBeLessThan(0.2 + 0.4);
    const { points } = surrogateFrontier(surrogateProblem(prepareProblem(problem), { theta: 1, kappa: 1 }), 0);
    expect(points.map(({ pas }) => pas.toFixed(6))).toEqual(['0.400000', '0.720000', '0.765000']);
  });

  it('covers every plan up to its tolerance', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const { problem, theta, kappa } = randomProblem('chain', seed, { size: SMALL, estimator: 'sum-of-tails' });
      const { points } = surrogateFrontier(surrogateProblem(prepareProblem(problem), { theta, kappa }), 0.05);
      for (const { pas, cost } of bruteForceFront(problem, theta, kappa))
        expect(points.some((p) => p.costPerHour <= cost * (1 + 1e-9) && p.pas >= pas / 1.0501)).toBe(true);
    }
  });
});

describe('the label limit of the surrogate frontier', () => {
  const stages = Array.from({ length: 6 }, (_, i) => {
    const variants = Array.from({ length: 6 }, (__, v) => ({
      name: `v${v}`,
      accuracy: 0.7 + 0.043 * v + 0.0037 * i,
      fixedMs: 3 + 1.7 * v + 0.31 * i,
      perItemMs: 2 + 1.3 * v + 0.17 * i,
    }));
    return testStage(`s${i}`, variants, [1, 2, 4]);
  });
  const tight = { ...testPipeline(stages), slo: { latencyMs: 160, percentile: 99 }, budget: { cpuCores: 14 } };
  const frontWith = (labelLimit: number) =>
    surrogateFrontier(
      surrogateProblem(prepareProblem(problemOf(tight, 30, { labelLimit })), { theta: 0.5, kappa: 1 }),
      0,
    );

  it('bounds the labels of all nodes together: 1024 at each of six nodes are enough, 512 are not', () => {
    expect(frontWith(6 * 1024).complete).toBe(true);
    expect(frontWith(6 * 512).complete).toBe(false);
  });
});

describe('stepped frontier', () => {
  it.each(measured)('is the front of all plans on %s', (family) => {
    for (let seed = 1; seed <= 12; seed++) {
      const { problem, theta, kappa } = randomProblem(family as 'nodes', seed, {
        size: SMALL,
        estimator: 'sum-of-tails',
      });
      const surrogate = surrogateProblem(prepareProblem(problem), { theta, kappa });
      const front = steppedFrontier(surrogate, 0);
      const found = front.points.map(({ choice, costPerHour }) => [
        pasOf(surrogate.accuracy, choice).toFixed(9),
        costPerHour.toFixed(9),
      ]);
      const wanted = bruteForceFront(problem, theta, kappa).map(({ pas, cost }) => [pas.toFixed(9), cost.toFixed(9)]);
      expect(found, `${family} seed ${seed}`).toEqual(wanted);
      expect(front.complete).toBe(true);
    }
  });
});

describe('stepped frontier where plans are free', () => {
  it('ends at the first that costs nothing', () => {
    const variants = [0.6, 0.7, 0.8].map((accuracy, v) => ({ name: `v${v}`, accuracy, fixedMs: 1, perItemMs: 4 }));
    const stage = testStage('a', variants);
    const withGpus = { ...stage, variants: stage.variants.map((variant, gpus) => ({ ...variant, gpus })) };
    const prices = { cpuCorePerHour: 0, memoryGibPerHour: 0, gpuPerHour: 1 };
    const nodes = [{ cpuCores: 4, memoryBytes: 0, gpus: 4, count: 1 }];
    const problem = problemOf({ ...testPipeline([withGpus]), prices, nodes }, 1);
    const surrogate = surrogateProblem(prepareProblem(problem), { theta: 1, kappa: 1 });
    for (const tolerance of [0, 1e-3]) {
      const { points, complete } = steppedFrontier(surrogate, tolerance);
      expect(points.map(({ pas, costPerHour }) => [pas, costPerHour])).toEqual([
        [0.6, 0],
        [0.7, 1],
        [0.8, 2],
      ]);
      expect(complete).toBe(true);
    }
  });
});

describe('frontier', () => {
  const detect = testStage('detect', [
    { name: 'small', accuracy: 0.7, fixedMs: 2, perItemMs: 4 },
    { name: 'large', accuracy: 0.9, fixedMs: 4, perItemMs: 20 },
  ]);
  const spec = testPipeline([detect]);

  it('runs from the cheapest to the most accurate plan', () => {
    const front = frontier(problemOf(spec, 60));
    if (front.kind !== 'frontier') throw new Error('no frontier');
    expect(front.points.map(({ pas }) => pas)).toEqual([0.7, 0.9]);
    expect(front.points.every(({ plan }) => plan.predicted.latencyMs <= 200)).toBe(true);
    expect(front.points[0]?.costPerHour).toBeLessThan(front.points[1]?.costPerHour as number);
  });

  it('says how many points it was not asked to look at, and whether the label limit ended it', () => {
    const variants = [0.6, 0.7, 0.8, 0.9].map((accuracy, i) => ({
      name: `v${i}`,
      accuracy,
      fixedMs: 2,
      perItemMs: 8 * 2 ** i,
    }));
    const rising = testPipeline([testStage('detect', variants)]);
    const all = frontier(problemOf(rising, 60));
    const ends = frontier(problemOf(rising, 60), undefined, { mostPoints: 2 });
    if (all.kind !== 'frontier' || ends.kind !== 'frontier') throw new Error('no frontier');
    expect(all).toMatchObject({ complete: true, omittedPoints: 0 });
    expect(all.points).toHaveLength(4);
    expect(ends).toMatchObject({ complete: true, omittedPoints: 2 });
    expect(ends.points.map(({ pas }) => pas)).toEqual([0.6, 0.9]);
  });

  it('leaves out what a simulation rejects', () => {
    const front = frontier(problemOf(spec, 60), (plan, slo) => ({
      latencyMs: 1,
      percentile: slo.percentile,
      sloAttainmentFraction: plan.predicted.pas > 0.8 ? 1 : 0.5,
      conclusive: true,
      seeds: [1],
    }));
    if (front.kind !== 'frontier') throw new Error('no frontier');
    expect(front.points.map(({ pas }) => pas)).toEqual([0.9]);
  });

  it('puts the cheapest as accurate plan that holds in the place of one that misses', () => {
    const holdsUnless = (misses: (plan: Plan) => boolean): VerifyPlan => {
      return (plan, slo) => ({
        latencyMs: misses(plan) ? 2 * slo.latencyMs : 1,
        percentile: slo.percentile,
        sloAttainmentFraction: misses(plan) ? 0.5 : 1,
        conclusive: true,
        seeds: [1],
      });
    };
    const costsOf = (verify: VerifyPlan) => {
      const front = frontier(problemOf(spec, 120), verify);
      return front.kind === 'frontier' ? front.points.map(({ costPerHour }) => costPerHour) : [];
    };
    const before = costsOf(holdsUnless(() => false));
    const after = costsOf(holdsUnless((plan) => plan.predicted.costPerHour === before[0]));
    expect(before).toHaveLength(2);
    expect(after).toHaveLength(2);
    expect(after[0]).toBeGreaterThan(before[0] as number);
    expect(after[0]).toBeLessThan(after[1] as number);
  });

  it('has no dearer plan than a search for the cheapest of that accuracy finds', () => {
    const classify = testStage('classify', [
      { name: 'small', accuracy: 0.8, fixedMs: 1, perItemMs: 5 },
      { name: 'large', accuracy: 0.9, fixedMs: 2, perItemMs: 15 },
    ]);
    const always: VerifyPlan = (_, { percentile }) => ({
      latencyMs: 1,
      percentile,
      sloAttainmentFraction: 1,
      conclusive: true,
      seeds: [1],
    });
    for (const latencyMs of [60, 80]) {
      const asked = { ...testPipeline([detect, classify]), slo: { latencyMs, percentile: 99 }, budget: {} };
      const front = frontier(problemOf(asked, 150), always);
      if (front.kind !== 'frontier') throw new Error('no frontier');
      const cheapest = front.points.map(({ pas }) => {
        const objective = { kind: 'min-cost', accuracyFloor: pas - 1e-9 } as const;
        const answer = optimize(problemOf(asked, 150, { objective }), always);
        return answer.kind === 'feasible' ? answer.plan.predicted.costPerHour : 0;
      });
      expect(front.points).toHaveLength(4);
      expect(front.points.map(({ costPerHour }) => costPerHour)).toEqual(cheapest);
    }
  });

  it('says why there is none', () => {
    expect(frontier(problemOf(spec, 60, { budget: { cpuCores: 0 } }))).toMatchObject({
      kind: 'infeasible',
      bindingConstraint: 'budget',
    });
  });
});
