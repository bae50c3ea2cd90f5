import { describe, expect, it } from 'vitest';
import { pickPeaks } from './pick-peaks.js';

const plane = 28 * 28;

/** A grid with the given cells: [column, row, probability, offset x, offset y, ln(side / 48)]. */
function grid(...entries: readonly [number, number, number, number?, number?, number?][]): Float32Array {
  const cells = new Float32Array(4 * plane);
  for (const [column, row, ...values] of entries) {
    for (const [channel, value] of values.entries()) cells[channel * plane + row * 28 + column] = value ?? 0;
  }
  return cells;
}

describe('pickPeaks', () => {
  it('finds nothing in an empty grid', () => {
    expect(pickPeaks(grid())).toEqual([]);
  });

  it('reads center and side in px out of cell, offset and size', () => {
    const [object] = pickPeaks(grid([10, 4, 0.75, 0.25, -0.5, Math.log(0.75)]));
    expect(object?.x).toBeCloseTo(86, 4);
    expect(object?.y).toBeCloseTo(32, 4);
    expect(object?.sidePx).toBeCloseTo(36, 4);
    expect(object?.score).toBeCloseTo(0.75, 6);
  });

  it.each([
    ['a probability below one half', [[5, 5, 0.49]], 0],
    ['one half itself', [[5, 5, 0.5]], 1],
    [
      'a cell beside a higher one',
      [
        [5, 5, 0.9],
        [6, 5, 0.8],
      ],
      1,
    ],
    [
      'two peaks 16 px apart',
      [
        [5, 5, 0.9],
        [7, 5, 0.8],
      ],
      1,
    ],
    [
      'two peaks 24 px apart',
      [
        [5, 5, 0.9],
        [8, 5, 0.8],
      ],
      2,
    ],
    [
      'peaks in the corners',
      [
        [0, 0, 0.6],
        [27, 0, 0.7],
        [0, 27, 0.8],
        [27, 27, 0.9],
      ],
      4,
    ],
  ] as [string, [number, number, number][], number][])('%s', (_, entries, expected) => {
    expect(pickPeaks(grid(...entries))).toHaveLength(expected);
  });

  it('keeps the 12 best, best first', () => {
    const many = Array.from({ length: 16 }, (_, i): [number, number, number] => [
      3 + 6 * (i % 4),
      3 + 6 * Math.floor(i / 4),
      0.51 + 0.02 * i,
    ]);
    const scores = pickPeaks(grid(...many)).map(({ score }) => score);
    expect(scores).toHaveLength(12);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(scores[0]).toBeCloseTo(0.81, 5);
  });
});
