import { describe, expect, it } from 'vitest';
import type { Plan } from '../model/plan.js';
import { bruteForceFront } from './brute-force.test-support.js';
import { frontier } from './frontier.js';
import { problemOf, testPipeline, testStage } from './planning.test-support.js';
import type { VerifyPlan } from './planning-problem.js';
import { pasOf } from './problem/objective-value.js';
import { planningSetting } from './problem/planning-setting.js';
import { families, randomProblem } from './random-problems.test-support.js';
import { steppedFrontier } from './surrogate/stepped-frontier.js';
import { surrogateProblem } from './surrogate/surrogate.js';
import { surrogateFrontier } from './surrogate/surrogate-frontier.js';

const SMALL = { variants: 3, replicas: 2, batches: 2 };
const measured = ['any-join', 'quorum-join', 'accuracy-table', 'nodes'];

describe('surrogate frontier', () => {
  const product = families.filter((family) => !measured.includes(family) && family !== 'switching-cost');

  it.each(product)('is the front of all plans on %s', (family) => {
    for (let seed = 1; seed <= 12; seed++) {
      const { problem, theta, kappa } = randomProblem(family, seed, { size: SMALL, estimator: 'sum-of-tails' });
      const front = surrogateFrontier(surrogateProblem(planningSetting(problem), { theta, kappa }), 0);
      const found = front.points.map(({ pas, costPerHour }) => [pas.toFixed(9), costPerHour.toFixed(9)]);
      const wanted = bruteForceFront(problem, theta, kappa).map(({ pas, cost }) => [pas.toFixed(9), cost.toFixed(9)]);
      expect(found, `${family} seed ${seed}`).toEqual(wanted);
      expect(front.complete).toBe(true);
    }
  });

  it('covers every plan up to its tolerance', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const { problem, theta, kappa } = randomProblem('chain', seed, { size: SMALL, estimator: 'sum-of-tails' });
      const { points } = surrogateFrontier(surrogateProblem(planningSetting(problem), { theta, kappa }), 0.05);
      for (const { pas, cost } of bruteForceFront(problem, theta, kappa))
        expect(points.some((p) => p.costPerHour <= cost * (1 + 1e-9) && p.pas >= pas / 1.0501)).toBe(true);
    }
  });
});

describe('stepped frontier', () => {
  it.each(measured)('is the front of all plans on %s', (family) => {
    for (let seed = 1; seed <= 12; seed++) {
      const { problem, theta, kappa } = randomProblem(family as 'nodes', seed, {
        size: SMALL,
        estimator: 'sum-of-tails',
      });
      const surrogate = surrogateProblem(planningSetting(problem), { theta, kappa });
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

  it('says why there is none', () => {
    expect(frontier(problemOf(spec, 60, { budget: { cpuCores: 0 } }))).toMatchObject({
      kind: 'infeasible',
      bindingConstraint: 'budget',
    });
  });
});
