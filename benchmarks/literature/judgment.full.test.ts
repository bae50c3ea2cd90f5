import { describe, expect, it } from 'vitest';
import { judged } from './judgment.js';
import type { CellFigures, RunFigures } from './paired-runs.js';

const theirs: RunFigures = {
  attainmentFraction: 0.999,
  pasPercent: 50,
  cpuCores: 10,
  p99Ms: 100,
  droppedFraction: 0,
  changes: 0,
};

/** Cell with equal differences in every seed, plus noise. */
function cellOf(
  maxAccuracy: Partial<RunFigures>,
  minCost: Partial<RunFigures>,
  of: Partial<RunFigures> = {},
): CellFigures {
  const policy = { ...theirs, ...of };
  const runs = [-1e-6, 0, 1e-6].map((noise, i) => ({
    seed: i + 1,
    policy,
    maxAccuracy: { ...policy, ...maxAccuracy, pasPercent: (maxAccuracy.pasPercent ?? policy.pasPercent) + noise },
    minCost: { ...policy, ...minCost, cpuCores: (minCost.cpuCores ?? policy.cpuCores) + noise },
  }));
  return { pipeline: 'p', load: 'l', policy: 'ipa', runs, optimalIntervalsFraction: 0.5, ticks: [] };
}

describe('judged', () => {
  it.each([
    ['PAS 0.09 points below', cellOf({ pasPercent: 49.91 }, {}), true],
    ['PAS 0.11 points below', cellOf({ pasPercent: 49.89 }, {}), false],
    ['cost 0.9 % above', cellOf({}, { cpuCores: 10.09 }), true],
    ['cost 1.1 % above', cellOf({}, { cpuCores: 10.11 }), false],
    ['attainment at 99.5 %', cellOf({ attainmentFraction: 0.995 }, {}), true],
    ['attainment under both bars', cellOf({ attainmentFraction: 0.9949 }, {}), false],
    ['attainment under both bars for cost', cellOf({}, { attainmentFraction: 0.9949 }), false],
    ['attainment of a policy that misses', cellOf({}, {}, { attainmentFraction: 0.9 }), true],
  ])('holds %s to the bars', (_, cell, met) => {
    expect(judged(cell).met).toBe(met);
  });

  it('counts as better what an interval shows in a mode whose bars are kept', () => {
    expect(judged(cellOf({ pasPercent: 50.1 }, {})).maxAccuracy.betterIn).toContain('PAS');
    expect(judged(cellOf({}, { cpuCores: 9.9 })).minCost.betterIn).toContain('cost');
    expect(judged(cellOf({ pasPercent: 50.1 }, {})).better).toBe(true);
    expect(judged(cellOf({}, {})).better).toBe(false);
    expect(judged(cellOf({ pasPercent: 50.1, attainmentFraction: 0.9 }, {})).better).toBe(false);
  });

  it('takes a policy for optimal only where it is so in every interval', () => {
    expect(judged(cellOf({}, {})).optimal).toBe(false);
    expect(judged({ ...cellOf({}, {}), optimalIntervalsFraction: 1 }).optimal).toBe(true);
  });
});
