import { expect, it } from 'vitest';
import { LatencyBlocks } from './latency-blocks.js';

const START = 1_000_000;

/** Blocks after one latency per second: `latencyOf(second)`. */
function blocksOf(seconds: number, latencyOf: (second: number) => number): LatencyBlocks {
  const blocks = new LatencyBlocks();
  for (let second = 1; second <= seconds; second++) {
    blocks.record(latencyOf(second));
    blocks.advance(START + 1000 * second);
  }
  return blocks;
}

const total = (blocks: LatencyBlocks, range = {}) => blocks.window(range).reduce((sum, { count }) => sum + count, 0);

it('counts each latency in a bucket that is at most 9 % wide, with the empty ones between', () => {
  const blocks = blocksOf(3, (second) => 10 * second);
  const buckets = blocks.window();
  expect(buckets[0]).toMatchObject({ count: 1 });
  expect(buckets.at(-1)).toMatchObject({ count: 1 });
  for (const latencyMs of [10, 20, 30]) {
    const { upToMs = 0, count } = buckets.find((bucket) => bucket.upToMs >= latencyMs) ?? {};
    expect(count).toBe(1);
    expect(upToMs / latencyMs).toBeLessThan(1.1);
  }
  expect(new LatencyBlocks().window()).toEqual([]);
});

it.each([
  ['below the first bucket', 0.001, 0.0625],
  ['zero', 0, 0.0625],
  ['above the last one', 1e9, 0.0625 * 2 ** (175 / 8)],
])('counts a latency %s', (_, latencyMs, upToMs) => {
  expect(blocksOf(1, () => latencyMs).window()).toEqual([{ upToMs, count: 1 }]);
});

it('gives the minutes that overlap a range', () => {
  const blocks = blocksOf(180, () => 5);
  expect(total(blocks)).toBe(180);
  expect(total(blocks, { fromEpochMs: START + 120_000 })).toBe(60);
  expect(total(blocks, { toEpochMs: START + 60_000 })).toBe(60);
});

it('keeps an hour', () => {
  expect(total(blocksOf(2 * 3600, () => 5))).toBe(3600);
});

it('keeps minutes apart when the clock is set back', () => {
  const blocks = blocksOf(120, () => 5);
  const HOUR_MS = 3_600_000;
  for (let second = 121; second <= 240; second++) {
    blocks.record(50);
    blocks.advance(START + 1000 * second - HOUR_MS);
  }
  expect(total(blocks)).toBe(240);
  const lastMinute = blocks.window({ fromEpochMs: START + 181_000 - HOUR_MS });
  expect(lastMinute).toMatchObject([{ count: 60 }]);
  expect(lastMinute[0]?.upToMs).toBeGreaterThan(49);
});
