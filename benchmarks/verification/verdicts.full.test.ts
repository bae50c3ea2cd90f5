/**
 * A small form of the benchmark. Cases whose SLO equals the truth are judged together, because few seeds of one case
 * say little about 2 %.
 */
import { describe, expect, it } from 'vitest';
import {
  caseName,
  containing,
  countVerdicts,
  farBelow,
  nearCapacity,
  overloads,
  type VerdictCase,
} from './verdicts.js';

const named = (cases: readonly VerdictCase[]) => cases.map((each) => ({ each, name: caseName(each) }));

describe('the 99 % interval of a verification', () => {
  it('contains the truth of M/M/1, and is seldom wrong where a plan passes', { timeout: 300_000 }, () => {
    const counts = containing.map((each) => countVerdicts(each, 30));
    const sum = (key: 'seeds' | 'inconclusive' | 'passes') => counts.reduce((all, each) => all + each[key], 0);
    expect(sum('inconclusive') / sum('seeds')).toBeGreaterThanOrEqual(0.97);
    expect(sum('passes') / sum('seeds')).toBeLessThanOrEqual(0.02);
  });
});

describe('a verification near capacity, where even far intervals prove nothing', () => {
  it.each(named(nearCapacity))('does not pass at the true percentile: $name', { timeout: 300_000 }, ({ each }) => {
    expect(countVerdicts(each, 10).passes).toBe(0);
  });
});

describe('a verification of an overload with a far SLO', () => {
  const few = overloads.filter(({ requests }) => requests <= 33_000);
  it.each(named(few))('never passes: $name', { timeout: 300_000 }, ({ each }) => {
    expect(countVerdicts(each, 8).passes).toBe(0);
  });
});

describe('a verification against an SLO far above the percentile', () => {
  it.each(named(farBelow))('mostly passes: $name', { timeout: 300_000 }, ({ each }) => {
    const { passes, seeds } = countVerdicts(each, 8);
    expect(passes / seeds).toBeGreaterThanOrEqual(0.5);
  });
});
