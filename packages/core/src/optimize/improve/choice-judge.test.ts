import { describe, expect, it } from 'vitest';
import type { SimulatedRun, StagePeak } from '../../model/plan.js';
import { prepareProblem } from '../options/prepared-problem.js';
import { surrogateProblem } from '../options/surrogate.js';
import { problemOf, testPipeline, testStage } from '../planning.test-support.js';
import { ChoiceJudge } from './choice-judge.js';
import { MarginModel } from './margin-model.js';

const stage = testStage('detect', [{ name: 'small', accuracy: 0.6, fixedMs: 6, perItemMs: 8, tail: 2 }]);
const spec = { ...testPipeline([stage]), slo: { latencyMs: 100, percentile: 99 } };
const prepared = prepareProblem(problemOf(spec, 20));
const [options = []] = surrogateProblem(prepared, { theta: 0, kappa: 1 }).stages;

/** Simulated runs near the SLO. They are conclusive only at four times the usual length. */
function judgeOf(sloAttainmentFraction: number) {
  const fractions: number[] = [];
  const judge = new ChoiceJudge(prepared, (_, fraction): SimulatedRun => {
    fractions.push(fraction);
    const lowFraction = sloAttainmentFraction - 0.006 / Math.sqrt(fraction);
    return { latencyMs: 95, percentile: 99, sloAttainmentFraction, lowFraction, conclusive: fraction > 1, seeds: [1] };
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

  it('goes to the longer run at once if a full verification would be too short to be conclusive', () => {
    const fractions: number[] = [];
    const judge = new ChoiceJudge(prepared, (_, fraction): SimulatedRun => {
      fractions.push(fraction);
      // Without a late request, the 99 % interval of n requests ends at n ÷ (n + 2.58²). At 99 %, 657 requests suffice.
      const lowFraction = (200 * fraction) / (200 * fraction + 2.5758 ** 2);
      const conclusive = lowFraction > 0.99;
      return { latencyMs: 40, percentile: 99, sloAttainmentFraction: 1, lowFraction, conclusive, seeds: [1] };
    });
    for (const option of options.slice(0, 2)) judge.verdict([option]);
    expect(fractions).toEqual([0.08, 0.3, 4, 0.08, 0.3, 4]);
  });

  it('values a longer run by the misses of the one before, per unit of its work', () => {
    const chances = [0.998, 0.994, 0.989].map((attained) => {
      const { judge, expected } = judgeOf(attained);
      const [first] = expected;
      if (first === undefined) throw new Error('no option');
      for (let run = 0; run < 3; run++) judge.judge(first);
      return judge.chance(first);
    });
    expect(chances.map(({ holds }) => holds)).toEqual([1, 0.77, 0].map((chance) => expect.closeTo(chance)));
    for (const { holds, perWork } of chances) expect(perWork).toBeCloseTo(holds / 4);
  });

  it('counts less on the luck of a full verification once longer runs of similar choices had less', () => {
    const chances = [1.08, 0.95].map((slower) => {
      const expectedMs = (choice: readonly (typeof options)[number][]): number => judge.expect(choice).latencyMs;
      const judge: ChoiceJudge = new ChoiceJudge(prepared, (choice, fraction): SimulatedRun => {
        const sloAttainmentFraction = fraction > 1 ? 0.991 : 0.994;
        const lowFraction = sloAttainmentFraction - 0.006 / Math.sqrt(fraction);
        const latencyMs = expectedMs(choice) * (fraction > 1 ? slower : 1);
        return { latencyMs, percentile: 99, sloAttainmentFraction, lowFraction, conclusive: false, seeds: [1] };
      });
      const chanceAfterFull = (option: (typeof options)[number] | undefined): number => {
        if (option === undefined) throw new Error('too few options');
        const expected = judge.expect([option]);
        for (let run = 0; run < 3; run++) judge.judge(expected);
        const { holds } = judge.chance(expected);
        judge.verdict([option]);
        return holds;
      };
      const all = options.slice(0, 5).map(chanceAfterFull);
      return { first: all[0] ?? 0, last: all.at(-1) ?? 0 };
    });
    const [slower, faster] = chances as [(typeof chances)[number], (typeof chances)[number]];
    expect(slower.last).toBeLessThan(0.6 * slower.first);
    expect(faster.last).toBeGreaterThan(faster.first);
  });

  it('keeps a chance for a choice that is in time, whatever longer runs of similar choices showed', () => {
    const last = options[8];
    if (last === undefined) throw new Error('too few options');
    const expectedMs = (choice: readonly (typeof options)[number][]): number => judge.expect(choice).latencyMs;
    const judge: ChoiceJudge = new ChoiceJudge(prepared, (choice, fraction): SimulatedRun => {
      const sloAttainmentFraction = fraction > 1 ? 0.991 : 0.993;
      const lowFraction = sloAttainmentFraction - 0.014 / Math.sqrt(fraction);
      const latencyMs = ((fraction > 1 ? 110 : 97) * expectedMs(choice)) / expectedMs([last]);
      return { latencyMs, percentile: 99, sloAttainmentFraction, lowFraction, conclusive: false, seeds: [1] };
    });
    for (const option of options) if (option !== last) judge.verdict([option]);
    const { holds } = judge.chance(judge.expect([last]));
    expect(holds).toBeGreaterThan(0.03);
    expect(holds).toBeLessThan(0.1);
  });

  it('does not count the shortness of a run without late requests against the choice', () => {
    const strict = prepareProblem(problemOf({ ...spec, slo: { latencyMs: 100, percentile: 99.9 } }, 20));
    // Without a late request, the 99 % interval of n requests ends at n ÷ (n + 2.58²). At 99.9 %, 6,628 requests suffice.
    const judge = new ChoiceJudge(strict, (_, fraction): SimulatedRun => {
      const lowFraction = (20_000 * fraction) / (20_000 * fraction + 2.5758 ** 2);
      const conclusive = lowFraction > 0.999;
      return { latencyMs: 40, percentile: 99.9, sloAttainmentFraction: 1, lowFraction, conclusive, seeds: [1] };
    });
    const [first, second] = options.map((option) => judge.expect([option]));
    if (first === undefined || second === undefined) throw new Error('no options');
    judge.judge(first);
    expect(judge.chance(first).perWork).toBeGreaterThan(judge.chance(second).perWork * 0.99);
  });

  it('makes no longer run if clustered misses leave it worth too few requests to be conclusive', () => {
    const chances = [3_000, 60].map((requests) => {
      // Without a late request, the 99 % interval of n requests ends at n ÷ (n + 2.58²).
      const judge = new ChoiceJudge(prepared, (_, fraction): SimulatedRun => {
        const lowFraction = (requests * fraction) / (requests * fraction + 2.5758 ** 2);
        const conclusive = lowFraction > 0.99;
        return { latencyMs: 40, percentile: 99, sloAttainmentFraction: 1, lowFraction, conclusive, seeds: [1] };
      });
      const [first, second] = options.map((option) => judge.expect([option]));
      if (first === undefined || second === undefined) throw new Error('no options');
      const before = judge.chance(second).holds;
      judge.judge(first);
      return { before, looked: judge.chance(first), other: judge.chance(second).holds };
    });
    const [many, few] = chances as [(typeof chances)[number], (typeof chances)[number]];
    expect(many.looked.holds).toBeGreaterThan(0.8);
    expect(many.other).toBeGreaterThan(0.8);
    expect(few.looked.holds).toBeLessThan(0.3);
    expect(few.other).toBeLessThan(0.5 * few.before);
  });

  it('simulates choices once that differ only in what a run never needs', () => {
    const batched = { ...stage, bounds: { ...stage.bounds, batchSizes: [1, 2, 4, 8], maxReplicas: 6 } };
    const at = prepareProblem(problemOf({ ...spec, stages: [batched] }, 200));
    const [all = []] = surrogateProblem(at, { theta: 0, kappa: 1 }).stages;
    const kinds = all.map(({ option: { maxBatchSize, replicas } }) => ({ maxBatchSize, replicas }));
    const simulatedOf = (peaks: readonly StagePeak[] | undefined): readonly (typeof kinds)[number][] => {
      const simulated: (typeof kinds)[number][] = [];
      const judge = new ChoiceJudge(at, ([of]) => {
        const { maxBatchSize = 0, replicas = 0 } = of?.option ?? {};
        simulated.push({ maxBatchSize, replicas });
        const verdict = { latencyMs: 50, percentile: 99, sloAttainmentFraction: 0.5, conclusive: true, seeds: [1] };
        return { ...verdict, ...(peaks && { peaks }) };
      });
      for (const option of all.toReversed()) judge.judge(judge.expect([option]));
      expect(judge.work).toBeCloseTo(0.08 * simulated.length);
      return simulated;
    };
    expect(simulatedOf(undefined)).toHaveLength(kinds.length);
    // In every run, batches have at most two items and at most two replicas work.
    const simulated = simulatedOf([{ batchSize: 2, replicas: 2 }]);
    for (const count of new Set(kinds.map(({ replicas }) => replicas))) {
      const larger = (each: readonly (typeof kinds)[number][]): number =>
        each.filter(({ maxBatchSize, replicas }) => maxBatchSize > 2 && replicas === count).length;
      expect(larger(simulated)).toBe(Math.min(1, larger(kinds)));
    }
  });

  it('prefers, of choices that look equal, the one whose run kept the SLO more often', () => {
    const [lower, higher] = [0.985, 0.995].map((sloAttainmentFraction) => {
      const lowFraction = sloAttainmentFraction - 0.01;
      const run = { latencyMs: 99, percentile: 99, sloAttainmentFraction, lowFraction, conclusive: false, seeds: [1] };
      const judge = new ChoiceJudge(prepared, () => run);
      const expected = judge.expect([options[0] as (typeof options)[number]]);
      const before = judge.chance(expected).holds;
      judge.judge(expected);
      return { before, after: judge.chance(expected).holds };
    });
    expect(higher?.after).toBeGreaterThan(2 * (lower?.after ?? 1));
    expect(lower?.after).toBeLessThan(lower?.before ?? 0);
  });

  it('counts less on a look once similar choices lie close together', () => {
    const last = options.at(-1);
    if (last === undefined) throw new Error('no options');
    const chances = [0, options.length - 1].map((known) => {
      const expectedMs = (choice: readonly (typeof options)[number][]): number => judge.expect(choice).latencyMs;
      const judge: ChoiceJudge = new ChoiceJudge(prepared, (choice, fraction): SimulatedRun => {
        const isLast = choice[0] === last;
        const sloAttainmentFraction = isLast ? 0.985 : 0.999;
        const lowFraction = sloAttainmentFraction - (isLast ? 0.006 : 0.003) / Math.sqrt(fraction);
        const latencyMs = (60 * expectedMs(choice)) / expectedMs([last]);
        const verdict = { latencyMs, percentile: 99, sloAttainmentFraction, lowFraction, seeds: [1] };
        return { ...verdict, conclusive: fraction === 1 };
      });
      for (const option of options.slice(0, known)) judge.verdict([option]);
      const expected = judge.expect([last]);
      judge.judge(expected);
      return judge.chance(expected).holds;
    });
    expect(chances[1]).toBeGreaterThan(2 * (chances[0] ?? 1));
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
