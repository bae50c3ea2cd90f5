import { describe, expect, it } from 'vitest';
import {
  awaitedLaw,
  chainLaw,
  constantLaw,
  lawOfSojourn,
  meanOfLaw,
  mixtureLaw,
  quantileOfLaw,
  sumLaw,
} from './latency-law.js';
import { lawDepths } from './sojourn-law.js';

const exponential = (meanMs: number) => lawOfSojourn(lawDepths.map((depth) => meanMs * depth));
const total = (weights: Float64Array): number => weights.reduce((a, b) => a + b, 0);

describe('latency laws', () => {
  it('add: two exponentials are an Erlang time', () => {
    const law = sumLaw(exponential(10), exponential(10));
    expect(meanOfLaw(law)).toBeCloseTo(20, 0);
    expect(total(law.weights)).toBeCloseTo(1, 9);
    for (const [fraction, erlang] of [
      [0.5, 16.783],
      [0.95, 47.439],
      [0.99, 66.384],
    ] as const)
      expect(quantileOfLaw(law, fraction) / erlang).toBeCloseTo(1, 1.7);
    expect(sumLaw(constantLaw(5), constantLaw(7))).toEqual(constantLaw(12));
  });

  it('add along a chain with a part that is slow together', () => {
    const [a, b] = [exponential(10), exponential(10)];
    const law = chainLaw(a, b, 0.2);
    expect(total(law.weights)).toBeCloseTo(1, 9);
    expect(meanOfLaw(law)).toBeCloseTo(20, 0);
    const [independent, together] = [quantileOfLaw(sumLaw(a, b), 0.99), 2 * quantileOfLaw(a, 0.99)];
    expect(quantileOfLaw(law, 0.99)).toBeGreaterThan(1.02 * independent);
    expect(quantileOfLaw(law, 0.99)).toBeLessThan(0.5 * (independent + together));
    expect(quantileOfLaw(chainLaw(a, b, 1), 0.99) / together).toBeCloseTo(1, 1.7);
    expect(chainLaw(a, b, 0)).toEqual(sumLaw(a, b));
    expect(chainLaw(constantLaw(5), constantLaw(7), 0.2)).toEqual(constantLaw(12));
  });

  it('wait for the largest: the law is the product', () => {
    const law = awaitedLaw([exponential(10), exponential(10)], 2);
    expect(quantileOfLaw(law, 0.99) / (-10 * Math.log1p(-Math.sqrt(0.99)))).toBeCloseTo(1, 1.7);
  });

  it('wait for the first and for a quorum', () => {
    const three = [exponential(30), exponential(30), exponential(30)];
    expect(quantileOfLaw(awaitedLaw(three, 1), 0.9) / (10 * Math.log(10))).toBeCloseTo(1, 1.5);
    const medianOfSecond = -30 * Math.log1p(-0.5);
    expect(quantileOfLaw(awaitedLaw(three, 2), 0.5) / medianOfSecond).toBeCloseTo(1, 1.5);
    expect(meanOfLaw(awaitedLaw(three, 3)) / (30 * (1 + 1 / 2 + 1 / 3))).toBeCloseTo(1, 1.5);
  });

  it('wait for a constant time as long as it nearly always is', () => {
    const constants = [18, 32, 17].map(constantLaw);
    for (const [needed, ms] of [
      [1, 17],
      [2, 18],
      [3, 32],
    ] as const)
      expect(quantileOfLaw(awaitedLaw(constants, needed), 0.99)).toBe(ms);
    const seldomLate = mixtureLaw([
      { probability: 0.995, law: constantLaw(10) },
      { probability: 0.005, law: constantLaw(100) },
    ]);
    const law = awaitedLaw([seldomLate, constantLaw(20)], 2);
    expect(quantileOfLaw(law, 0.99)).toBe(20);
    expect(quantileOfLaw(law, 0.9975)).toBeGreaterThan(99);
  });

  it('mix by probability', () => {
    const law = mixtureLaw([
      { probability: 0.98, law: constantLaw(10) },
      { probability: 0.02, law: constantLaw(500) },
    ]);
    expect(meanOfLaw(law)).toBeCloseTo(19.8, 9);
    expect(quantileOfLaw(law, 0.99)).toBeGreaterThan(490);
    expect(quantileOfLaw(law, 0.4)).toBe(10);
  });
});
