import { InvariantViolation, SeededRng } from '@equipoise/core/model';
import { Counter, Histogram, Registry } from 'prom-client';
import { describe, expect, it, vi } from 'vitest';
import { batchSizeBuckets, latencyBucketsSeconds, partBucketsSeconds } from './buckets.js';
import { CounterTally, HistogramTally } from './tallies.js';

const help = 'Counts "odd" \\ things.';

function registries(): { readonly ours: Registry; readonly theirs: Registry } {
  const [ours, theirs] = [new Registry(), new Registry()];
  for (const registry of [ours, theirs]) registry.setDefaultLabels({ pipeline: 'any' });
  return { ours, theirs };
}

/** Label values as plans introduce them: `most` grows, and earlier ones may return. */
function nameOf(rng: SeededRng, most: number): string {
  return `name "${Math.floor(rng.next() * most)}"`;
}

function labelsOf(names: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, at) => [name, values[at] ?? '']));
}

interface HistogramCase {
  readonly of: string;
  readonly buckets: readonly number[];
  readonly labelNames: readonly string[];
  readonly scale: number;
}

const histograms: readonly HistogramCase[] = [
  { of: 'latencies', buckets: latencyBucketsSeconds(130), labelNames: [], scale: 0.13 },
  { of: 'waits', buckets: partBucketsSeconds(777), labelNames: ['stage'], scale: 0.777 },
  { of: 'batch sizes', buckets: batchSizeBuckets, labelNames: ['stage', 'variant'], scale: 100 },
];

const counters: readonly { readonly labelNames: readonly string[] }[] = [
  { labelNames: [] },
  { labelNames: ['outcome'] },
  { labelNames: ['outcome', 'reason'] },
];

describe.each([1, 2, 3])('tallies have the page of prom-client after the same events (seed %i)', (seed) => {
  it.each(histograms)('in a histogram of $of', async ({ buckets, labelNames, scale }) => {
    const rng = new SeededRng(seed);
    const { ours, theirs } = registries();
    const tally = new HistogramTally(ours, { name: 't_seconds', help, labelNames, buckets });
    const registers = [theirs];
    const histogram = new Histogram({ name: 't_seconds', help, labelNames, buckets: [...buckets], registers });
    expect(await ours.metrics()).toBe(await theirs.metrics());
    for (let round = 1; round <= 5; round++) {
      for (let i = 0; i < 200; i++) {
        const atBound = buckets[Math.floor(rng.next() * buckets.length)] ?? 0;
        const value = rng.next() < 0.3 ? atBound : (rng.next() - 0.01) * scale * 10 ** (2 * rng.next() - 1);
        const values = labelNames.map(() => nameOf(rng, round));
        tally.observe(value, values[0], values[1]);
        histogram.observe(labelsOf(labelNames, values), value);
      }
      expect(await ours.metrics()).toBe(await theirs.metrics());
    }
  });

  it.each(counters)('in a counter with the labels $labelNames', async ({ labelNames }) => {
    const rng = new SeededRng(seed);
    const { ours, theirs } = registries();
    const tally = new CounterTally(ours, { name: 'n_total', help, labelNames });
    const counter = new Counter({ name: 'n_total', help, labelNames, registers: [theirs] });
    expect(await ours.metrics()).toBe(await theirs.metrics());
    for (let round = 1; round <= 5; round++) {
      for (let i = 0; i < 50; i++) {
        const values = labelNames.map(() => nameOf(rng, round));
        const count = Math.floor(rng.next() * 3);
        tally.add(count, values[0], values[1]);
        counter.inc(labelsOf(labelNames, values), count);
      }
      expect(await ours.metrics()).toBe(await theirs.metrics());
    }
  });
});

it('a tally makes the labels of a series once', () => {
  const registry = new Registry();
  const labelNames = ['stage', 'variant'];
  const counter = new CounterTally(registry, { name: 'n_total', help, labelNames });
  const histogram = new HistogramTally(registry, { name: 't_seconds', help, labelNames, buckets: [1, 2] });
  const made = vi.spyOn(Object, 'fromEntries');
  for (let i = 0; i < 100; i++) {
    counter.add(1, 'a', `v${i % 2}`);
    histogram.observe(i, 'a', `v${i % 2}`);
  }
  const times = made.mock.calls.length;
  made.mockRestore();
  expect(times).toBe(4);
});

it.each([Number.NaN, Number.POSITIVE_INFINITY])('a histogram takes no %d', async (value) => {
  const registry = new Registry();
  const tally = new HistogramTally(registry, { name: 't_seconds', help, labelNames: ['stage'], buckets: [1, 2] });
  const before = await registry.metrics();
  expect(() => tally.observe(value, 'a')).toThrow(InvariantViolation);
  expect(await registry.metrics()).toBe(before);
});
