import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBucket } from './token-bucket.js';

describe('a token bucket', () => {
  it('lets a burst through, then one for each refill, and says when the next may come', () => {
    const bucket = new TokenBucket({ rps: 10, burst: 3 });
    expect([0, 0, 0, 0, 50].map((nowMs) => bucket.take(nowMs))).toEqual([0, 0, 0, 100, 50]);
    expect([100, 100, 10_000, 10_000, 10_000, 10_000].map((nowMs) => bucket.take(nowMs))).toEqual([
      0, 100, 0, 0, 0, 100,
    ]);
  });

  it('gives several tokens together or none', () => {
    const bucket = new TokenBucket({ rps: 10, burst: 4 });
    expect([bucket.take(0, 3), bucket.take(0, 2), bucket.take(0), bucket.take(100, 2)]).toEqual([0, 100, 0, 100]);
    expect([bucket.take(200, 2), bucket.take(200)]).toEqual([0, 100]);
  });

  it('never lets more through in any window than the burst and what flows in, and lets that much through', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 200 });
    const limit = fc.record({ rps: fc.integer({ min: 1, max: 50 }), burst: fc.integer({ min: 1, max: 20 }) });
    fc.assert(
      fc.property(steps, limit, (gapsMs, { rps, burst }) => {
        const bucket = new TokenBucket({ rps, burst });
        let nowMs = 0;
        const taken = gapsMs.flatMap((gapMs) => {
          nowMs += gapMs;
          const waitMs = bucket.take(nowMs);
          // A refused request fits after the returned time.
          expect(waitMs).toBeLessThanOrEqual(1000 / rps + 1e-6);
          return waitMs === 0 ? [nowMs] : [];
        });
        const windows = taken.flatMap((from, i) =>
          taken.slice(i).map((to, count) => count + 1 - burst - ((to - from) * rps) / 1000),
        );
        expect(Math.max(...windows)).toBeLessThanOrEqual(1e-6);
        expect(taken.length).toBeGreaterThanOrEqual(Math.min(burst, gapsMs.length));
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});
