import type { TensorMap } from '@equipoise/core';
import { describe, expect, it } from 'vitest';
import { score } from './evaluate.js';
import { findLines } from './ocr/find-lines.js';
import { load as loadAssemble } from './stages/assemble.js';

describe('findLines', () => {
  const [width, height] = [64, 32];
  /** A map with the probability `value` in each of the given rectangles: left, top, right, bottom. */
  const map = (value: number, ...rectangles: readonly [number, number, number, number][]): Float32Array =>
    Float32Array.from({ length: width * height }, (_, cell) => {
      const [x, y] = [cell % width, Math.floor(cell / width)];
      return rectangles.some(([left, top, right, bottom]) => x >= left && x < right && y >= top && y < bottom)
        ? value
        : 0;
    });

  it('grows a box by 1.6 times area / perimeter, within the map', () => {
    expect(findLines(map(0.9, [10, 10, 30, 15]), width, height)).toEqual([
      { left: 6.8, top: 6.8, right: 33.2, bottom: 18.2 },
    ]);
    expect(findLines(map(0.9, [0, 0, 64, 8]), width, height)[0]).toMatchObject({ left: 0, top: 0, right: 64 });
  });

  it('orders rows from top to bottom and boxes of a row from left to right', () => {
    const lines = findLines(map(0.9, [40, 3, 60, 8], [2, 20, 30, 25], [2, 4, 20, 9]), width, height);
    expect(lines.map(({ left, top }) => [Math.round(left), Math.round(top)])).toEqual([
      [0, 1],
      [37, 0],
      [0, 17],
    ]);
  });

  it.each([
    ['less than 0.6 on average', map(0.5, [10, 10, 30, 15])],
    ['less than 3 cells high', map(0.9, [10, 10, 30, 12])],
    ['an empty map', map(0)],
  ])('finds nothing in %s', (_, cells) => {
    expect(findLines(cells, width, height)).toEqual([]);
  });
});

describe('assemble', () => {
  const assemble = (item: TensorMap) => (loadAssemble().run([item]) as TensorMap[])[0]?.['text']?.data[0];

  it('writes boxes of one row into one line', () => {
    const text = { datatype: 'BYTES', shape: [3], data: ['one', 'two', 'three'] } as const;
    const data = Float32Array.of(0, 10, 50, 30, 60, 12, 99, 32, 0, 40, 50, 60);
    expect(assemble({ text, box: { datatype: 'FP32', shape: [3, 4], data } })).toBe('one two\nthree');
  });

  it('answers an empty text for a page without lines', () => {
    expect(assemble({})).toBe('');
  });
});

describe('score', () => {
  const page = (text: string, language: string): TensorMap => ({
    text: { datatype: 'BYTES', shape: [1], data: [text] },
    language: { datatype: 'BYTES', shape: [1], data: [language] },
  });
  const label = { text: 'ten letter', language: 'en' };

  it.each([
    ['all right', page('ten letter', 'en'), 1],
    ['one wrong character and one too many', page('ten Letters', 'en'), 0.8],
    ['a wrong language', page('ten letter', 'nl'), 0],
    ['noise longer than the page', page('x'.repeat(50), 'en'), 0],
  ])('%s', (_, outputs, expected) => {
    expect(score([{ outputs, label }])).toBeCloseTo(expected, 9);
  });

  it('weighs pages by their characters', () => {
    const long = { text: 'thirty '.repeat(5).slice(0, 30), language: 'en' };
    const samples = [
      { outputs: page('', 'en'), label },
      { outputs: page(long.text, 'en'), label: long },
    ];
    expect(score(samples)).toBeCloseTo(0.75, 9);
  });
});
