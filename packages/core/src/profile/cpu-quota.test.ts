import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { CpuQuota, fullSpeedMs, quotaLagMs } from './cpu-quota.js';

const rule = { periodMs: 100, networkMs: 0 };

/** The kernel's rule, millisecond by millisecond: `batches` of [start, CPU time] in whole ms give their ends. */
function endsByTicks(share: number, batches: readonly (readonly [number, number])[]): readonly number[] {
  let leftMs = 0;
  let atMs = 0;
  return batches.map(([fromMs, cpuMs]) => {
    let toRunMs = cpuMs;
    for (; toRunMs > 0; atMs++) {
      if (atMs % 100 === 0) leftMs = Math.round(100 * share);
      if (atMs < fromMs || leftMs === 0) continue;
      leftMs -= 1;
      toRunMs -= 1;
    }
    return atMs;
  });
}

describe('CpuQuota', () => {
  it.each([
    ['within the quota', 0, 20, 20],
    ['stopped once', 0, 30, 105],
    ['stopped in every period', 0, 100, 325],
    ['begun late in a period', 90, 30, 30],
    ['that uses up a quota exactly', 0, 50, 125],
  ])('takes a batch %s', (_, startMs, cpuMs, takesMs) => {
    expect(new CpuQuota(0.25, rule, 0).batchMs(startMs, cpuMs)).toBeCloseTo(takesMs, 9);
  });

  it('forgets what a period left unused', () => {
    const quota = new CpuQuota(0.25, rule, 0);
    expect(quota.batchMs(0, 5)).toBe(5);
    expect(quota.batchMs(1000, 30)).toBe(105);
  });

  it('charges no time on the network', () => {
    expect(new CpuQuota(0.25, { periodMs: 100, networkMs: 40 }, 0).batchMs(0, 60)).toBe(60);
  });

  it('ends batches when the rule of the kernel does, millisecond by millisecond', () => {
    const batch = fc.tuple(fc.integer({ min: 0, max: 250 }), fc.integer({ min: 1, max: 180 }));
    fc.assert(
      fc.property(fc.constantFrom(0.05, 0.1, 0.25, 0.5, 0.9), fc.array(batch, { maxLength: 12 }), (share, gaps) => {
        const quota = new CpuQuota(share, rule, 0);
        const batches: [number, number][] = [];
        const ends: number[] = [];
        for (const [gapMs, cpuMs] of gaps) {
          const startMs = Math.round(ends.at(-1) ?? 0) + gapMs;
          batches.push([startMs, cpuMs]);
          ends.push(startMs + quota.batchMs(startMs, cpuMs));
        }
        expect(ends.map(Math.round)).toEqual(endsByTicks(share, batches));
      }),
    );
  });

  it('delays no work by more than the lag', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        fc.double({ min: 0, max: 500, noNaN: true }),
        fc.double({ min: 0.1, max: 500, noNaN: true }),
        (share, startMs, cpuMs) => {
          const quota = new CpuQuota(share, rule, 3);
          const earlierMs = quota.batchMs(startMs, 200);
          const takesMs = quota.batchMs(startMs + earlierMs, cpuMs);
          expect(takesMs).toBeLessThanOrEqual(cpuMs / share + quotaLagMs(share, 100) + 1e-6);
          expect(takesMs).toBeGreaterThanOrEqual(cpuMs - 1e-9);
        },
      ),
    );
  });
});

describe('fullSpeedMs', () => {
  const quotaOf = (shareFraction: number) => ({ shareFraction, quota: rule });

  it.each([
    [0.15, 10, 0.2],
    [0.15, 10, 0.6],
    [0.15, 33, 0.3],
    [0.15, 33, 0.9],
    [0.05, 4, 0.5],
    [0.25, 60, 0.7],
    [0.5, 30, 0.5],
    [0.9, 30, 0.7],
  ])('is the work of batches under a quota of %s: %s ms, %s of the quota used', (share, cpuMs, used) => {
    const gapMs = cpuMs / (share * used);
    const rng = new SeededRng(5);
    let [arrivalMs, sumMs] = [0, 0];
    const batches = Array.from({ length: 2_000 }, () => {
      arrivalMs -= gapMs * Math.log(1 - rng.next());
      return [Math.round(arrivalMs), cpuMs] as const;
    });
    let freeMs = 0;
    endsByTicks(share, batches).forEach((endMs, index) => {
      sumMs += endMs - Math.max(freeMs, batches[index]?.[0] ?? 0);
      freeMs = endMs;
    });
    const found = fullSpeedMs(sumMs / batches.length, sumMs / arrivalMs, quotaOf(share));
    expect(found / cpuMs).toBeGreaterThan(0.85);
    expect(found / cpuMs).toBeLessThan(1.15);
  });

  it('is the share of the time of batches that always waited for the quota', () => {
    expect(fullSpeedMs(200, 1, quotaOf(0.15)) / 30).toBeCloseTo(1, 1);
    expect(fullSpeedMs(200, 3, quotaOf(0.15)) / 30).toBeCloseTo(1, 1);
  });

  it('is the time itself without a quota', () => {
    expect(fullSpeedMs(200, 0.5, { shareFraction: 0.15 })).toBe(200);
    expect(fullSpeedMs(200, 0.5, { shareFraction: 1, quota: rule })).toBe(200);
  });
});
