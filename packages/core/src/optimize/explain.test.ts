import { describe, expect, it } from 'vitest';
import type { StageId } from '../model/ids.js';
import { explainPlan } from './explain.js';
import { optimize } from './optimize.js';
import { problemOf, testPipeline, testStage } from './planning.test-support.js';
import type { PlanningProblem, VerifyPlan } from './planning-problem.js';

const detect = testStage('detect', [
  { name: 'small', accuracy: 0.7, fixedMs: 2, perItemMs: 4 },
  { name: 'medium', accuracy: 0.8, fixedMs: 3, perItemMs: 10 },
  { name: 'large', accuracy: 0.88, fixedMs: 4, perItemMs: 40 },
]);
const classify = testStage('classify', [
  { name: 'small', accuracy: 0.8, fixedMs: 1, perItemMs: 5 },
  { name: 'large', accuracy: 0.9, fixedMs: 2, perItemMs: 15 },
]);
const spec = { ...testPipeline([detect, classify]), budget: { cpuCores: 5 } };

function explained(problem: PlanningProblem) {
  const result = optimize(problem);
  if (result.kind !== 'feasible') throw new Error(`infeasible: ${result.bindingConstraint}`);
  return explainPlan(problem, result);
}

const stageOf = (name: string) => name as StageId;

describe('explanation', () => {
  const problem = problemOf(spec, 60);
  const { result, explanation } = explained(problem);

  it('says what another core, more time and more load would do, as solving again does', () => {
    expect(explanation.value).toBe(result.objectiveValue);
    expect(explanation.oneMoreCore?.value).toBeGreaterThan(explanation.value);
    expect(explanation.oneMoreCore?.changedStages.length).toBeGreaterThan(0);
    expect(explanation.tenMoreMs.value).toBeGreaterThanOrEqual(explanation.value);
    expect(explanation.tenPercentMoreLoad.value ?? 0).toBeLessThanOrEqual(explanation.value);
  });

  it('finds the rate up to which the plan holds', () => {
    expect(explanation.holdsUntilRps).toBeGreaterThanOrEqual(60);
    expect(explanation.holdsUntilRps).toBeLessThan(result.plan.predicted.capacityRps);
  });

  it('tells why the neighbours of each variant lost', () => {
    const { nextBetter, nextCheaper } = explanation.stages[stageOf('detect')] ?? {};
    expect(result.plan.stages[stageOf('detect')]?.[0]?.variantId).toBe('medium');
    // With the larger detector, only the smaller classifier fits.
    expect(nextBetter).toMatchObject({ variantId: 'large', verdict: { kind: 'worse' } });
    if (nextBetter?.verdict.kind === 'worse') expect(nextBetter.verdict.value).toBeCloseTo(0.88 * 0.8, 12);
    expect(nextCheaper?.variantId).toBe('small');
    expect(nextCheaper?.verdict.kind).toBe('worse');
  });

  it('takes for the next cheaper variant one that costs less, also if it is the more accurate one', () => {
    const odd = testStage('detect', [
      { name: 'dear', accuracy: 0.6, fixedMs: 4, perItemMs: 60 },
      { name: 'quick', accuracy: 0.7, fixedMs: 2, perItemMs: 4 },
      { name: 'best', accuracy: 0.8, fixedMs: 3, perItemMs: 10 },
    ]);
    const pinned = { ...odd, pins: { variantId: odd.variants[0]?.id as never } };
    const { stages } = explained(problemOf({ ...spec, stages: [pinned, classify] }, 10)).explanation;
    expect(stages[stageOf('detect')]).toMatchObject({
      nextBetter: { variantId: 'quick' },
      nextCheaper: { variantId: 'best', verdict: { kind: 'pinned', value: expect.closeTo(0.72, 12) } },
    });
    const { detect: best } = explained(problemOf({ ...spec, stages: [odd, classify] }, 10)).explanation.stages as never;
    expect(best).toMatchObject({ nextCheaper: { variantId: 'quick' } });
  });

  it('tells of a variant that is better by the estimate alone', () => {
    const largeMisses: VerifyPlan = ({ stages, predicted }) => {
      const holds = stages[stageOf('detect')]?.[0]?.variantId !== 'large';
      const { latencyMs, percentile } = predicted;
      return {
        latencyMs,
        percentile,
        sloAttainmentFraction: holds ? 1 : 0.5,
        conclusive: true,

        seeds: [1],
      };
    };
    const easy = problemOf({ ...spec, budget: { cpuCores: 50 }, slo: { latencyMs: 20_000, percentile: 99 } }, 20);
    const held = optimize(easy, largeMisses);
    if (held.kind !== 'feasible') throw new Error('infeasible');
    const { nextBetter } = explainPlan(easy, held, () => largeMisses).explanation.stages[stageOf('detect')] ?? {};
    expect(nextBetter?.verdict.kind).toBe('refuted');
  });

  it('names the budget where it is what stands against a better variant', () => {
    const { stages } = explained(problemOf({ ...spec, budget: { cpuCores: 3 } }, 60)).explanation;
    expect(stages[stageOf('detect')]?.nextBetter?.verdict).toEqual({ kind: 'impossible', bindingConstraint: 'budget' });
  });

  it('shares out the SLO and the cost', () => {
    const stages = Object.values(explanation.stages);
    const sum = stages.reduce((total, stage) => total + stage.sloFraction, 0);
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThanOrEqual(1);
    expect(stages.reduce((total, stage) => total + stage.costFraction, 0)).toBeCloseTo(1, 12);
  });

  it('judges the changes and the rate as the plan was judged', () => {
    const verifierAt = (arrivalRps: number): VerifyPlan => {
      return (plan, slo) => ({
        latencyMs: 1,
        percentile: slo.percentile,
        sloAttainmentFraction: plan.predicted.capacityRps > 1.5 * arrivalRps ? 1 : 0.5,
        conclusive: true,
        seeds: [1],
      });
    };
    const result = optimize(problem, verifierAt(60));
    if (result.kind !== 'feasible') throw new Error('a plan holds');
    const { explanation: told } = explainPlan(problem, result, verifierAt);
    const { capacityRps } = result.plan.predicted;
    expect(told.holdsUntilRps).toBeLessThan(capacityRps / 1.5);
    expect(told.holdsUntilRps).toBeGreaterThan((capacityRps / 1.5) * 0.98);
    const more = optimize({ ...problem, budget: { cpuCores: 6 } }, verifierAt(60));
    expect(told.oneMoreCore?.value).toBe(more.kind === 'feasible' ? more.objectiveValue : undefined);
    const busier = optimize({ ...problem, arrivalRps: 66 }, verifierAt(66));
    expect(told.tenPercentMoreLoad.value).toBe(busier.kind === 'feasible' ? busier.objectiveValue : undefined);
  });

  it('never tells of a better plan for a harder question: that plan becomes the result', () => {
    const cheap = problemOf({ ...spec, objective: { kind: 'min-cost', accuracyFloor: 0.5 } }, 20);
    // Imitates a search that overlooked cheap plans: they miss the SLO until `isFair`.
    let isFair = false;
    const verifierAt = (arrivalRps: number): VerifyPlan => {
      return (plan, slo) => ({
        latencyMs: 1,
        percentile: slo.percentile,
        sloAttainmentFraction:
          plan.predicted.capacityRps > arrivalRps && (isFair || plan.predicted.cpuCores > 3) ? 1 : 0.5,
        conclusive: true,
        seeds: [1],
      });
    };
    const found = optimize(cheap, verifierAt(20));
    if (found.kind !== 'feasible') throw new Error('a plan holds');
    isFair = true;
    const { result, explanation } = explainPlan(cheap, found, verifierAt);
    expect(result.objectiveValue).toBeLessThan(found.objectiveValue);
    expect(explanation.value).toBe(result.objectiveValue);
    expect(explanation.tenPercentMoreLoad.value).toBeGreaterThanOrEqual(result.objectiveValue);
    expect(explanation.tenMoreMs.value).toBeLessThanOrEqual(result.objectiveValue);
    expect(explanation.oneMoreCore?.value).toBeLessThanOrEqual(result.objectiveValue);
  });

  it('names the stages to look at first', () => {
    const { stages, binding } = explanation;
    const by = (of: (stage: (typeof stages)[StageId]) => number) =>
      Object.entries(stages).toSorted(([, a], [, b]) => of(b) - of(a))[0]?.[0];
    expect(binding).toEqual({
      latency: by((stage) => stage.sloFraction),
      cost: by((stage) => stage.costFraction),
      capacity: by((stage) => -stage.capacityRps),
    });
    const capacities = Object.values(stages).map((stage) => stage.capacityRps);
    expect(Math.min(...capacities)).toBeCloseTo(result.plan.predicted.capacityRps, 9);
  });

  it('names the SLO where it is what stands against a better variant', () => {
    const tight = problemOf({ ...spec, budget: { cpuCores: 40 }, slo: { latencyMs: 45, percentile: 99 } }, 20);
    const { stages } = explained(tight).explanation;
    expect(stages[stageOf('detect')]?.nextBetter?.verdict).toEqual({ kind: 'impossible', bindingConstraint: 'slo' });
  });
});
