import { describe, expect, it } from 'vitest';
import type { PlanVerification } from '../../model/plan.js';
import { prepareProblem } from '../options/prepared-problem.js';
import { surrogateProblem } from '../options/surrogate.js';
import { problemOf, testPipeline, testStage } from '../planning.test-support.js';
import { ChoiceJudge } from './choice-judge.js';
import { MarginModel } from './margin-model.js';

const stage = testStage('detect', [{ name: 'small', accuracy: 0.6, fixedMs: 6, perItemMs: 8, tail: 2 }]);
const spec = { ...testPipeline([stage]), slo: { latencyMs: 100, percentile: 99 } };
const prepared = prepareProblem(problemOf(spec, 20));
const [options = []] = surrogateProblem(prepared, { theta: 0, kappa: 1 }).stages;

/** Runs near the SLO, of which only those of four times the work are conclusive. */
function judgeOf(sloAttainmentFraction: number) {
  const fractions: number[] = [];
  const judge = new ChoiceJudge(prepared, (_, fraction): PlanVerification => {
    fractions.push(fraction);
    return { latencyMs: 95, percentile: 99, sloAttainmentFraction, conclusive: fraction > 1, seeds: [1] };
  });
  return { judge, fractions, expected: options.map((option) => judge.expect([option])) };
}

describe('the judge of choices', () => {
  it('takes two looks, a full verification and, if that is inconclusive, a longer one', () => {
    const { judge, fractions, expected } = judgeOf(0.994);
    const [first] = expected;
    if (first === undefined) throw new Error('no option');
    for (let run = 0; run < 3; run++) judge.judge(first);
    expect(judge.holds(first.key)).toBeUndefined();
    judge.judge(first);
    expect(judge.holds(first.key)).toBe(true);
    judge.judge(first);
    expect(fractions).toEqual([0.08, 0.3, 1, 4]);
    expect(judge.work).toBeCloseTo(5.38);
  });

  it('values a longer run by the misses of the one before, per unit of its work', () => {
    const chances = [0.998, 0.994, 0.99].map((attained) => {
      const { judge, expected } = judgeOf(attained);
      const [first] = expected;
      if (first === undefined) throw new Error('no option');
      for (let run = 0; run < 3; run++) judge.judge(first);
      return judge.chance(first);
    });
    expect(chances.map(({ holds }) => holds)).toEqual([0.8, 0.4, 0].map((chance) => expect.closeTo(chance)));
    for (const { holds, perWork } of chances) expect(perWork).toBeCloseTo(holds / 4);
  });

  it('learns the margin below the SLO at which one full verification is conclusive', () => {
    const margin = new MarginModel();
    const at = (ratio: number, holds: boolean): void => margin.observe(Math.log(ratio), holds);
    for (let i = 0; i < 5; i++) at(0.95, false);
    for (let i = 0; i < 5; i++) at(0.8, true);
    expect(Math.exp(margin.mean)).toBeGreaterThan(0.82);
    expect(Math.exp(margin.mean)).toBeLessThan(0.93);
  });
});
