import { describe, expect, it } from 'vitest';
import { solveSymmetric } from './solve-symmetric.js';

const solved = (rows: readonly (readonly number[])[], right: readonly number[]) =>
  Array.from(solveSymmetric({ matrix: Float64Array.from(rows.flat()), right: Float64Array.from(right) }));

describe('solveSymmetric', () => {
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
