/**
 * References of overloaded stages: the fluid's known law, the regression, and both ways to a p99 on a stage where plain
 * runs suffice.
 */
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../packages/core/src/kernel/rng.js';
import { drivenReference } from './driven-reference.js';
import { drivenRun, hasOverloads, type Overloads } from './fluid-control.js';
import { intercept } from './intercept.js';
import { type RandomStage, randomStages } from './random-stages.js';
import { referenceOf } from './reference.js';

const overloaded = randomStages(300, 1).filter(hasOverloads);

/** Mean of `values` in standard errors. */
function standardized(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return mean / Math.sqrt(squares / (values.length - 1) / values.length);
}

describe('the fluid beside a run', () => {
  it.each(overloaded.slice(0, 6).map((stage, i) => ({ i, stage })))('has its known law on stage $i', ({ stage }) => {
    const runs = Array.from({ length: 400 }, (_, seed) => drivenRun(stage, 100_000, new SeededRng(seed + 1)));
    const errors = [0, 1, 2, 3].map((of) => standardized(runs.map(({ deviations }) => deviations[of] as number)));
    for (const error of errors) expect(Math.abs(error)).toBeLessThan(4);
    const arrived = runs.map(({ arrivedAtMs, warmUp, expected }) => arrivedAtMs.length - warmUp - expected);
    expect(Math.abs(standardized(arrived))).toBeLessThan(4);
  });
});

describe('the intercept', () => {
  it('is what is left where the regressors are 0', () => {
    const rng = new SeededRng(3);
    const rows = Array.from({ length: 50 }, () => [rng.next(), rng.next() - 0.5]);
    const exact = intercept(
      rows.map(([a = 0, b = 0]) => 2 + 3 * a - 5 * b),
      rows,
    );
    expect(exact.value).toBeCloseTo(2, 9);
    expect(exact.standardError).toBeLessThan(1e-9);
  });

  it('has the error of a mean where nothing is explained', () => {
    const { value, standardError } = intercept([1, 2, 3, 4], [[], [], [], []]);
    expect(value).toBeCloseTo(2.5, 12);
    expect(standardError).toBeCloseTo(Math.sqrt(5 / 3 / 4), 12);
  });
});

describe('a driven reference', () => {
  const lightest = overloaded.reduce((a, b): RandomStage & Overloads => (b.loadFactor < a.loadFactor ? b : a));

  it('agrees with plain runs where those are enough', () => {
    const plain = referenceOf(lightest, 1);
    const driven = drivenReference(lightest, 1);
    expect(plain.halfWidthFraction).toBeLessThan(0.02);
    expect(driven.halfWidthFraction).toBeLessThan(0.02);
    const apart = Math.abs(Math.log(driven.p99Ms / plain.p99Ms));
    expect(apart).toBeLessThan(1.5 * Math.hypot(plain.halfWidthFraction, driven.halfWidthFraction));
  });
});
