import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import {
  type ArrivalProcess,
  deterministicArrivals,
  piecewiseLinearArrivals,
  poissonArrivals,
  traceArrivals,
} from './arrivals.js';

function instantsOf(arrivals: ArrivalProcess): number[] {
  const instants: number[] = [];
  for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs()) instants.push(atMs);
  return instants;
}

describe('arrival processes', () => {
  it('deterministic: equal distances from 0', () => {
    expect(instantsOf(deterministicArrivals(4, 1000))).toEqual([0, 250, 500, 750]);
  });

  it('poisson: the rate in the mean, exponential gaps', () => {
    const instants = instantsOf(poissonArrivals(100, 100_000, new SeededRng(1)));
    expect(instants.length).toBeGreaterThan(9_700);
    expect(instants.length).toBeLessThan(10_300);
    const gaps = instants.slice(1).map((atMs, i) => atMs - (instants[i] ?? 0));
    const longGaps = gaps.filter((gap) => gap > 10).length / gaps.length;
    expect(longGaps).toBeCloseTo(Math.exp(-1), 1);
  });

  it('piecewise linear: follows a ramp and ends with its last point', () => {
    const points = [
      { atS: 0, arrivalRps: 0 },
      { atS: 50, arrivalRps: 100 },
      { atS: 100, arrivalRps: 100 },
    ];
    const instants = instantsOf(piecewiseLinearArrivals(points, new SeededRng(2)));
    const ramp = instants.filter((atMs) => atMs < 50_000).length;
    const plateau = instants.length - ramp;
    expect(ramp / 2500).toBeCloseTo(1, 1);
    expect(plateau / 5000).toBeCloseTo(1, 1);
    expect(instants).toEqual(instants.toSorted((a, b) => a - b));
  });

  it('trace: exactly the counts of each second', () => {
    const seconds = instantsOf(traceArrivals([3, 0, 2], new SeededRng(7))).map((atMs) => Math.floor(atMs / 1000));
    expect(seconds).toEqual([0, 0, 0, 2, 2]);
  });

  it('gives nothing at a rate of 0', () => {
    expect(instantsOf(poissonArrivals(0, 1000, new SeededRng(3)))).toEqual([]);
    expect(instantsOf(deterministicArrivals(0, 1000))).toEqual([]);
    expect(instantsOf(piecewiseLinearArrivals([], new SeededRng(3)))).toEqual([]);
  });
});
