import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { type ArrivalLoad, drawArrivals } from './arrivals.js';

const load: ArrivalLoad = { process: { kind: 'poisson' }, arrivalRps: 100, groupSize: 1, itemsPerRequest: 1 };

function gapsOf(times: Float64Array): readonly number[] {
  return Array.from(times, (time, i) => time - (times[i - 1] ?? 0));
}

function moments(values: readonly number[]): { mean: number; cv: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
  return { mean, cv: Math.sqrt(variance) / mean };
}

describe('drawArrivals', () => {
  it.each([
    ['poisson', { kind: 'poisson' }, 1],
    ['gamma, more regular', { kind: 'gamma', cv: 0.5 }, 0.5],
    ['gamma, burstier', { kind: 'gamma', cv: 2 }, 2],
  ] as const)('has the rate and variation of its gaps: %s', (_, process, cv) => {
    const { arrivedAtMs } = drawArrivals({ ...load, process }, 200_000, new SeededRng(1));
    const gaps = moments(gapsOf(arrivedAtMs));
    expect(gaps.mean / 10).toBeCloseTo(1, 1.5);
    expect(gaps.cv / cv).toBeCloseTo(1, 1.5);
  });

  it('switches between two rates around the mean', () => {
    const process = { kind: 'mmpp', highFactor: 1.8, lowFactor: 0.6, meanHighMs: 500, meanLowMs: 1000 } as const;
    const { arrivedAtMs } = drawArrivals({ ...load, process }, 300_000, new SeededRng(2));
    expect((arrivedAtMs.at(-1) as number) / 300_000 / 10).toBeCloseTo(1, 1.5);
    const counts = new Float64Array(Math.floor((arrivedAtMs.at(-1) as number) / 10_000));
    for (const time of arrivedAtMs) {
      const window = Math.floor(time / 10_000);
      if (window < counts.length) counts[window] = (counts[window] as number) + 1;
    }
    const forgetting = 1 / 500 + 1 / 1000;
    const excess = (2 * (1 / 3) * (2 / 3) * 1.2 ** 2 * 0.1) / forgetting;
    const x = forgetting * 10_000;
    const { mean, cv } = moments([...counts]);
    expect((cv * cv * mean) / (1 + excess * (1 - 1 / x))).toBeCloseTo(1, 0.9);
  });

  it('puts requests of a group at one instant, with mean sizes as asked', () => {
    const grouped = { ...load, groupSize: 6, itemsPerRequest: 1.5 };
    const { arrivedAtMs, itemsOf } = drawArrivals(grouped, 40_000, new SeededRng(3));
    expect(new Set(arrivedAtMs).size).toBe(10_000);
    expect(itemsOf.reduce((a, b) => a + b, 0) / 40_000).toBeCloseTo(1.5, 1);
    expect((arrivedAtMs.at(-1) as number) / 10_000 / 60).toBeCloseTo(1, 1.5);
  });

  it('stretches the same draws when only the rate changes', () => {
    const slow = drawArrivals(load, 100, new SeededRng(4)).arrivedAtMs;
    const fast = drawArrivals({ ...load, arrivalRps: 200 }, 100, new SeededRng(4)).arrivedAtMs;
    expect([...fast].map((time) => 2 * time)).toEqual([...slow]);
  });
});
