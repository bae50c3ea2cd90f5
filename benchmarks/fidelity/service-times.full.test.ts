import { type Rng, SeededRng, stageId } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import type { ServedBatch } from './messages.js';
import { measuredServiceTimes } from './service-times.js';

const STAGES = [stageId('a'), stageId('b')];

/** Batches: consecutive, or each after a rest. */
function batches(
  times: readonly { readonly stage: string; readonly size: number; readonly ms: number }[],
  restMs: number,
) {
  let nowMs = 0;
  return times.map(({ stage, size, ms }): ServedBatch => {
    nowMs += restMs;
    const batch = { stageId: stage, size, startedAtMs: nowMs, ms };
    nowMs += ms;
    return batch;
  });
}

const same = (stage: string, ms: number, count = 200) => Array.from({ length: count }, () => ({ stage, size: 1, ms }));

/** Drawn times of batches: consecutive, or each after a rest. */
function drawn(
  segments: readonly (readonly ServedBatch[])[],
  stage: number,
  restMs: number,
  rng: Rng,
): readonly number[] {
  const times = measuredServiceTimes(STAGES, segments)();
  let nowMs = 0;
  return Array.from({ length: 100 }, () => {
    nowMs += restMs;
    const ms = times.drawMs({ stage, batchSize: 1, nowMs }, rng);
    nowMs += ms;
    return ms;
  });
}

describe('measuredServiceTimes', () => {
  const segments = [batches(same('a', 4), 200), batches(same('a', 1), 0), batches(same('b', 9), 5)];

  it('draws the times of a core that had been used as much', () => {
    const rng = new SeededRng(1);
    expect(drawn(segments, 0, 300, rng).every((ms) => ms === 4)).toBe(true);
    // The core is warm after 0.2 s.
    expect(
      drawn(segments, 0, 0, rng)
        .slice(-40)
        .every((ms) => ms === 1),
    ).toBe(true);
    expect(drawn(segments, 1, 5, rng).every((ms) => ms === 9)).toBe(true);
  });

  it('carries times over to another batch size by the affine fit', () => {
    const sizes = [1, 2, 4].flatMap((size) => Array.from({ length: 50 }, () => ({ stage: 'a', size, ms: 2 + size })));
    const times = measuredServiceTimes([stageId('a')], [batches(sizes, 100)])();
    expect(times.drawMs({ stage: 0, batchSize: 8, nowMs: 100 }, new SeededRng(1))).toBeCloseTo(10, 6);
  });

  it('needs times of every stage', () => {
    expect(() => measuredServiceTimes(STAGES, [batches(same('a', 1), 5)])).toThrow('stage b served no batch');
  });

  it('keeps slow times together as they came', () => {
    const bunched = Array.from({ length: 2000 }, (_, i) => ({ stage: 'a', size: 1, ms: i % 200 < 20 ? 3 : 2 }));
    const segments = [batches(bunched, 300), batches(same('b', 1), 5)];
    const drawnMs = drawn(segments, 0, 300, new SeededRng(2));
    const many = Array.from({ length: 40 }, (_, seed) => drawn(segments, 0, 300, new SeededRng(seed)));
    expect(drawnMs).toHaveLength(100);
    const pairs = many.flatMap((run) => run.slice(1).map((ms, i) => [run[i], ms]));
    const afterSlow = pairs.filter(([before]) => before === 3);
    // Independent draws would be slow a tenth of the time.
    expect(afterSlow.filter(([, ms]) => ms === 3).length / afterSlow.length).toBeGreaterThan(0.8);
    const slow = many.flat().filter((ms) => ms === 3).length / many.flat().length;
    expect(slow).toBeGreaterThan(0.05);
    expect(slow).toBeLessThan(0.17);
  });
});
