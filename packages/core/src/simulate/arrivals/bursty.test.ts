import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { burstyLoad } from './bursty.js';
import { arrivalsOf } from './load-spec.js';

const DURATION_S = 10_000;

/** Rate and index of dispersion of counts in windows of `windowMs`. */
function counted(arrivalRps: number, dispersions: readonly [number, number], windowMs: number) {
  const burstiness = { sloMs: 500, dispersionAtSlo: dispersions[0], dispersionAt10s: dispersions[1] };
  const load = burstyLoad(arrivalRps, burstiness, DURATION_S);
  const arrivals = arrivalsOf(load, new SeededRng(3));
  const counts = new Float64Array(Math.floor((DURATION_S * 1000) / windowMs));
  for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs()) {
    const window = Math.floor(atMs / windowMs);
    if (window < counts.length) counts[window] = (counts[window] ?? 0) + 1;
  }
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / (counts.length - 1);
  return { kind: load.kind, rps: (1000 * mean) / windowMs, dispersion: variance / mean };
}

describe('burstyLoad', () => {
  it.each([
    { arrivalRps: 40, dispersions: [3, 6], kind: 'mmpp' },
    { arrivalRps: 20, dispersions: [2, 12], kind: 'mmpp' },
    { arrivalRps: 50, dispersions: [10, 24], kind: 'mmpp' },
    { arrivalRps: 100, dispersions: [4, 4], kind: 'gamma' },
    { arrivalRps: 20, dispersions: [1, 1], kind: 'poisson' },
  ] as const)('disperses as measured: $dispersions at $arrivalRps rps', ({ arrivalRps, dispersions, kind }) => {
    const atSlo = counted(arrivalRps, dispersions, 500);
    const at10s = counted(arrivalRps, dispersions, 10_000);
    expect(atSlo.kind).toBe(kind);
    expect(Math.abs(atSlo.rps / arrivalRps - 1)).toBeLessThan(0.02);
    expect(Math.abs(atSlo.dispersion / dispersions[0] - 1)).toBeLessThan(0.1);
    expect(Math.abs(at10s.dispersion / dispersions[1] - 1)).toBeLessThan(0.12);
  });
});
