import fc from 'fast-check';
import { expect, it } from 'vitest';
import { normalQuantile } from '../kernel/normal-quantile.js';
import { SeededRng } from '../kernel/rng.js';
import type { ServiceLaw } from '../profile/service-law.js';
import { type OwnService, ownMs, VariedLaw, variedMean } from './own-service.js';
import { lawFractions } from './sojourn-law.js';

const SIGMA = 0.45;
const lognormal: ServiceLaw = { kind: 'lognormal', mu: -(SIGMA * SIGMA) / 2, sigma: SIGMA };
const own: OwnService = { law: lognormal, leastMs: 1, fullMs: 1, parallelBatches: 1 };
const lawOf = (timeMs: (fraction: number) => number) => Float64Array.from(lawFractions, timeMs);

it.each([
  ['no wait', () => 1],
  ['a wait now and then', (u: number) => (u < 0.8 ? 1 : 1 - Math.log((1 - u) / 0.2))],
  ['an exponential wait', (u: number) => 1 - 2 * Math.log1p(-u)],
])('adds the own batch to %s', (_, timeMs) => {
  const varied = new VariedLaw(lawOf(timeMs), own);
  const rng = new SeededRng(3);
  const drawn = Float64Array.from({ length: 200_000 }, () => {
    return timeMs(rng.next()) - 1 + Math.exp(SIGMA * normalQuantile(rng.next()) - (SIGMA * SIGMA) / 2);
  }).sort();
  for (const fraction of [0.5, 0.9, 0.99, 0.999]) {
    const sampled = drawn[Math.floor(fraction * drawn.length)] as number;
    expect(Math.abs(varied.quantileMs(fraction) / sampled - 1)).toBeLessThan(fraction < 0.995 ? 0.02 : 0.05);
  }
});

it('waits for the slowest of several batches', () => {
  const slowest = { ...own, parallelBatches: 4 };
  const varied = new VariedLaw(
    lawOf(() => 1),
    slowest,
  );
  const exact = Math.exp(SIGMA * normalQuantile(0.9 ** (1 / 4)) - (SIGMA * SIGMA) / 2);
  expect(Math.abs(varied.quantileMs(0.9) / exact - 1)).toBeLessThan(0.02);
  expect(
    variedMean(
      lawOf(() => 1),
      slowest,
    ),
  ).toBeGreaterThan(1.3);
});

it('has a larger own batch after a longer wait, up to the full one', () => {
  const of = { leastMs: 2, fullMs: 10 };
  expect([2, 5, 10, 12.5, 40].map((ms) => ownMs(of, ms))).toEqual([2, 4.4, 8.8, 10, 10]);
});

it('keeps the order of laws (property)', () => {
  const steps = fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(steps, steps, (increments, more) => {
      let [ms, slowerMs] = [1, 1];
      const law = Float64Array.from(increments, (step) => {
        ms += step;
        return ms;
      });
      const slower = Float64Array.from(increments, (step, i) => {
        slowerMs += step + (more[i] as number);
        return slowerMs;
      });
      const batches = { ...own, fullMs: 8 };
      const [a, b] = [new VariedLaw(law, batches), new VariedLaw(slower, batches)];
      for (const fraction of [0.5, 0.9, 0.99, 0.999])
        expect(b.quantileMs(fraction)).toBeGreaterThanOrEqual(a.quantileMs(fraction) * (1 - 1e-5));
    }),
    { seed: 12, numRuns: 100 },
  );
});
