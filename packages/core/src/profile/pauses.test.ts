import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import {
  drawPauseMs,
  pausedPerMs,
  pausesOf,
  quantileWithPauses,
  type TimedWork,
  usualFactor,
  usualFactorLimit,
} from './pauses.js';
import { quantilesAt, spreadFractions, spreadMean } from './quantile-spread.js';

const PER_MS = 0.01;

/** Work of 0.1 to 4 ms, times a factor of 0.8 to 1.2; one ms in a hundred has a pause of 5 to 15 ms. */
function workOf(seed: number): readonly TimedWork[] {
  const rng = new SeededRng(seed);
  return Array.from({ length: 20_000 }, () => {
    const expectedMs = 0.1 + 3.9 * rng.next();
    const usualMs = expectedMs * (0.8 + 0.4 * rng.next());
    return { expectedMs, ms: usualMs + (rng.next() < PER_MS * expectedMs ? 5 + 10 * rng.next() : 0) };
  });
}

describe.each([1, 2, 3])('pauses of work, seed %i', (seed) => {
  const work = workOf(seed);
  const limit = usualFactorLimit(work);
  const pauses = pausesOf(work, limit);

  it('are told from factors', () => {
    expect(limit).toBeGreaterThan(1.15);
    expect(limit).toBeLessThan(1.3);
    expect(pauses?.perMs).toBeGreaterThan(0.8 * PER_MS);
    expect(pauses?.perMs).toBeLessThan(1.2 * PER_MS);
    expect(spreadMean(pauses?.lengthsMs ?? [])).toBeGreaterThan(9);
    expect(spreadMean(pauses?.lengthsMs ?? [])).toBeLessThan(11);
    for (const each of work) expect(usualFactor(each, limit)).toBeLessThan(7);
  });

  it('keep the mean time, drawn again for work of other lengths', () => {
    const rng = new SeededRng(seed + 10);
    const draws = Array.from({ length: 100_000 }, () => drawPauseMs(pauses, 2, rng));
    const mean = draws.reduce((sum, ms) => sum + ms, 0) / draws.length;
    expect(mean / 2).toBeCloseTo(pausedPerMs(pauses), 1);
    expect(Math.max(...draws)).toBeLessThan(16);
  });

  it('are in a quantile as in a sample', () => {
    const rng = new SeededRng(seed + 20);
    const usualMs = quantilesAt(spreadFractions, [1.6, 2.4]);
    const sample = Array.from({ length: 100_000 }, () => 1.6 + 0.8 * rng.next() + drawPauseMs(pauses, 2, rng));
    const found = quantileWithPauses(usualMs, { pauses, workMs: 2, fraction: 0.99 });
    expect(found / (quantilesAt([0.99], sample)[0] ?? 0)).toBeCloseTo(1, 1);
  });
});

describe('work without pauses', () => {
  const work = Array.from({ length: 100 }, (_, i): TimedWork => ({ expectedMs: 1, ms: 1 + i / 1000 }));

  it('has none, and draws nothing', () => {
    expect(pausesOf(work, usualFactorLimit(work))).toBeUndefined();
    const rng = new SeededRng(1);
    expect(drawPauseMs(undefined, 1, rng)).toBe(0);
    expect(rng.next()).toBe(new SeededRng(1).next());
    expect(pausedPerMs(undefined)).toBe(0);
  });
});
