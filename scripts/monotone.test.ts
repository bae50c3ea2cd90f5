import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ascending, ascendingInRowsDescendingInColumns } from './monotone.js';

it('pools what is out of order and leaves the rest', () => {
  expect(ascending([1, 3, 2, 5])).toEqual([1, 2.5, 2.5, 5]);
  expect(ascending([3, 2, 1])).toEqual([2, 2, 2]);
});

it('gives tables in order and does not touch those that are (property)', () => {
  const table = fc.array(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 4, maxLength: 4 }), {
    minLength: 3,
    maxLength: 3,
  });
  fc.assert(
    fc.property(table, (rows) => {
      const mended = ascendingInRowsDescendingInColumns(rows);
      const at = (i: number, j: number): number => (mended[i] as readonly number[])[j] as number;
      for (let i = 0; i < 3; i++) for (let j = 1; j < 4; j++) expect(at(i, j)).toBeGreaterThanOrEqual(at(i, j - 1));
      for (let i = 1; i < 3; i++) for (let j = 0; j < 4; j++) expect(at(i, j)).toBeLessThanOrEqual(at(i - 1, j));
      expect(ascendingInRowsDescendingInColumns(mended)).toEqual(mended);
    }),
    { seed: 3 },
  );
});
