import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { envelopeArrivals } from './envelope.js';

const WINDOWS_S = [1, 2, 5, 10, 20];
const SECONDS = 100;

function countsOf(envelope: Parameters<typeof envelopeArrivals>[0]): readonly number[] {
  const arrivals = envelopeArrivals(envelope, SECONDS * 1000);
  const counts = new Array<number>(SECONDS).fill(0);
  for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs()) {
    expect(atMs % 1000).toBe(0);
    counts[atMs / 1000] = (counts[atMs / 1000] ?? 0) + 1;
  }
  return counts;
}

/** Maximum count in any window, per window length. */
function envelopeOf(counts: readonly number[]) {
  return WINDOWS_S.map((windowS) => {
    const sums = counts.map((_, i) => counts.slice(i, i + windowS).reduce((sum, count) => sum + count, 0));
    return { windowS, arrivals: Math.max(...sums) };
  });
}

const cumulative = (counts: readonly number[]) =>
  counts.map((_, i) => counts.slice(0, i + 1).reduce((a, b) => a + b, 0));

describe('envelopeArrivals', () => {
  it('sends what the shortest window admits first, then what the longer ones leave', () => {
    const envelope = [
      { windowS: 1, arrivals: 10 },
      { windowS: 2, arrivals: 14 },
      { windowS: 5, arrivals: 20 },
    ];
    expect(countsOf(envelope).slice(0, 7)).toEqual([10, 4, 6, 0, 0, 10, 4]);
  });

  it('keeps to the envelope, is never behind a trace that does, and fills the longest window', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { minLength: SECONDS, maxLength: SECONDS }), (trace) => {
        const envelope = envelopeOf(trace);
        const worst = countsOf(envelope);
        for (const [i, { arrivals }] of envelopeOf(worst).entries())
          expect(arrivals).toBeLessThanOrEqual(envelope[i]?.arrivals ?? 0);
        const ahead = cumulative(worst);
        for (const [second, sent] of cumulative(trace).entries()) expect(ahead[second]).toBeGreaterThanOrEqual(sent);
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('gives nothing where nothing is admitted', () => {
    expect(countsOf([{ windowS: 20, arrivals: 0 }])).toEqual(new Array(SECONDS).fill(0));
  });
});
