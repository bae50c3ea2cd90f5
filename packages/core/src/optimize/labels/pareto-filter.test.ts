import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { paretoFilter, sortByKey } from './pareto-filter.js';

const small = fc.integer({ min: 0, max: 6 });
const points = (dims: number) => fc.array(fc.array(small, { minLength: dims, maxLength: dims }), { maxLength: 60 });

function kept(rows: readonly (readonly number[])[], dims: number): readonly number[] {
  return Array.from(paretoFilter({ coordinates: Float64Array.from(rows.flat()), count: rows.length, dims }));
}

const covers = (a: readonly number[], b: readonly number[]): boolean =>
  a.every((value, d) => value <= (b[d] as number));

describe('pareto filter', () => {
  it.each([1, 2, 3, 4, 5])('leaves out only what something kept covers, in %i dimensions', (dims) => {
    fc.assert(
      fc.property(points(dims), (rows) => {
        const stay = new Set(kept(rows, dims));
        for (const [i, row] of rows.entries())
          expect(stay.has(i) || [...stay].some((k) => covers(rows[k] as number[], row))).toBe(true);
      }),
      { seed: 1 },
    );
  });

  it.each([2, 3])('leaves nothing that a point with a smaller first coordinate covers, in %i dimensions', (dims) => {
    fc.assert(
      fc.property(points(dims), (rows) => {
        const stay = kept(rows, dims);
        for (const a of stay)
          for (const b of stay) {
            const [p, q] = [rows[a] as number[], rows[b] as number[]];
            expect((p[0] as number) < (q[0] as number) && covers(p, q)).toBe(false);
          }
      }),
      { seed: 2 },
    );
  });
});

describe('sort by key', () => {
  it('orders positions by their keys, however close', () => {
    const key = fc.double({ min: 0, max: 1e12, noNaN: true });
    fc.assert(
      fc.property(fc.array(key, { maxLength: 200 }), (keys) => {
        const near = keys.flatMap((k) => [k, k * (1 + 1e-9)]);
        const order = sortByKey(Float64Array.from(near), near.length, { stride: 1, offset: 0 });
        const sorted = Array.from(order, (i) => near[i] as number);
        expect(sorted).toEqual([...near].sort((a, b) => a - b));
        expect(new Set(order).size).toBe(near.length);
      }),
      { seed: 3 },
    );
  });
});
