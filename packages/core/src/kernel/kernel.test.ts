import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventHeap } from './event-heap.js';
import { LatencyHistogram } from './latency-histogram.js';
import { RingBuffer } from './ring-buffer.js';
import { SeededRng } from './rng.js';
import { symmetricSolver } from './symmetric-solver.js';

describe('EventHeap', () => {
  it('gives events by time, then by rank, then in the order they went in (property)', () => {
    const event = fc.record({ atMs: fc.integer({ min: 0, max: 20 }), rank: fc.integer({ min: 0, max: 15 }) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 300 }), (events) => {
        const heap = new EventHeap();
        for (const [i, { atMs, rank }] of events.entries()) heap.push(atMs, i, rank);
        const popped: number[] = [];
        while (heap.size > 0) {
          const { nextAtMs } = heap;
          const before = [0, 7, 15].map((rank) => heap.isBefore(nextAtMs, rank));
          expect([heap.isBefore(nextAtMs - 1, 15), heap.isBefore(nextAtMs + 1, 0)]).toEqual([true, false]);
          const next = heap.pop();
          expect(nextAtMs).toBe(events[next]?.atMs);
          expect(before).toEqual([0, 7, 15].map((rank) => rank < (events[next]?.rank ?? 0)));
          popped.push(next);
        }
        expect(heap.nextAtMs).toBe(Number.POSITIVE_INFINITY);
        expect([heap.isBefore(20, 15), heap.isBefore(Number.POSITIVE_INFINITY, 0)]).toEqual([true, false]);
        const inOrder = [...events.entries()].sort(([a, x], [b, y]) => x.atMs - y.atMs || x.rank - y.rank || a - b);
        expect(popped).toEqual(inOrder.map(([i]) => i));
      }),
      { seed: 1 },
    );
  });
});

describe('LatencyHistogram', () => {
  it('keeps quantiles within half a percent of the exact ones', () => {
    const rng = new SeededRng(2);
    const histogram = new LatencyHistogram();
    const values = Array.from({ length: 20_000 }, () => Math.exp(6 * rng.next() - 2));
    for (const value of values) histogram.record(value);
    values.sort((a, b) => a - b);
    for (const fraction of [0.01, 0.5, 0.99, 0.999]) {
      const exact = values[Math.ceil(fraction * values.length) - 1] ?? 0;
      expect(histogram.quantileMs(fraction) / exact).toBeGreaterThan(0.995);
      expect(histogram.quantileMs(fraction) / exact).toBeLessThan(1.005);
    }
    expect(histogram.quantileMs(1)).toBeLessThanOrEqual(histogram.maxMs);
  });

  it('tells which fraction lies up to a latency', () => {
    const histogram = new LatencyHistogram();
    histogram.record(10, 3);
    histogram.record(20);
    expect([5, 10, 15, 20].map((ms) => histogram.fractionUpTo(ms))).toEqual([0, 0.75, 0.75, 1]);
  });

  it('merges into what one histogram of all values would be', () => {
    const [all, part, rest] = [new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram()];
    [1, 2, 300, 4, 50].forEach((latencyMs, i) => {
      all.record(latencyMs);
      (i < 2 ? part : rest).record(latencyMs);
    });
    part.merge(rest);
    expect([part.count, part.meanMs, part.maxMs, part.quantileMs(0.5)]).toEqual([
      5,
      all.meanMs,
      300,
      all.quantileMs(0.5),
    ]);
  });
});

describe('RingBuffer', () => {
  it('does what an array does, through growth, wrapping and removal (property)', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.nat({ max: 99 }) },
      { weight: 4, arbitrary: fc.constant('shift' as const) },
      { weight: 1, arbitrary: fc.constant('retain' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const ring = new RingBuffer<number>();
        let model: number[] = [];
        for (const each of steps) {
          if (each === 'shift') expect(ring.shift()).toBe(model.shift());
          else if (each === 'retain') {
            ring.retain((value) => value % 3 > 0);
            model = model.filter((value) => value % 3 > 0);
          } else {
            ring.push(each);
            model.push(each);
          }
          expect([ring.length, ring.first(), ring.last()]).toEqual([model.length, model[0], model.at(-1)]);
          expect(Array.from({ length: model.length + 1 }, (_, i) => ring.at(i))).toEqual([...model, undefined]);
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('SeededRng', () => {
  it('is uniform, repeats by seed and forks streams that do not depend on each other', () => {
    const draws = (seed: number, label: string) => {
      const rng = new SeededRng(seed).fork(label);
      return Array.from({ length: 50_000 }, () => rng.next());
    };
    const first = draws(3, 'a');
    expect(first).toEqual(draws(3, 'a'));
    expect(first[0]).not.toBe(draws(3, 'b')[0]);
    expect(first.reduce((sum, x) => sum + x, 0) / first.length).toBeCloseTo(0.5, 2);
    expect(Math.min(...first)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...first)).toBeLessThan(1);
  });
});

const solved = (rows: readonly (readonly number[])[], right: readonly number[]) =>
  Array.from(symmetricSolver(Float64Array.from(rows.flat()), right.length)(Float64Array.from(right)));

describe('symmetricSolver', () => {
  it('solves a system with a known answer', () => {
    // The right side is A·(1, −2, 3).
    expect(
      solved(
        [
          [4, 2, 1],
          [2, 5, 3],
          [1, 3, 6],
        ],
        [3, 1, 13],
      ),
    ).toEqual([1, -2, 3].map((x) => expect.closeTo(x, 12)));
  });

  it('leaves out a column that the others explain', () => {
    expect(
      solved(
        [
          [2, 2],
          [2, 2],
        ],
        [6, 6],
      ),
    ).toEqual([expect.closeTo(3, 12), 0]);
    expect(solved([[0]], [1])).toEqual([0]);
  });
});
