import { describe, expect, it } from 'vitest';
import {
  ageText,
  coresFigure,
  costFigure,
  digits,
  durationText,
  latencyFigure,
  percentFigure,
  rateFigure,
  steadyDigits,
  text,
} from './figures.js';

describe('figures', () => {
  it.each([
    [0.1 + 0.2, '0.3'],
    [1.5, '1.5'],
    [12.34, '12.3'],
    [99.96, '100'],
    [123.4, '123'],
    [12_345, '12,345'],
    [0, '0'],
    [0.0349, '0.035'],
    [0.004, '0.004'],
    [1e-7, '0'],
    [-0.02, '-0.02'],
    [999.7, '1,000'],
  ])('digits of %s are %s', (value, shown) => {
    expect(digits(value)).toBe(shown);
  });

  it('keep their width while they change', () => {
    expect([1, 1.5, 10, 100].map(steadyDigits)).toEqual(['1.00', '1.50', '10.0', '100']);
  });

  it.each([
    [4.25, '4.3 ms'],
    [312.4, '312 ms'],
    [999.7, '1.00 s'],
    [1240, '1.24 s'],
    [12_400, '12.4 s'],
    [null, '–'],
    [undefined, '–'],
    [Number.POSITIVE_INFINITY, '∞'],
  ])('a latency of %s is %s', (ms, shown) => {
    expect(text(latencyFigure(ms))).toBe(shown);
  });

  it('round no miss away', () => {
    expect(text(percentFigure(1, 1))).toBe('100.0 %');
    expect(text(percentFigure(0.99996, 1))).toBe('99.9 %');
    expect(text(percentFigure(0.99996, 2))).toBe('99.99 %');
    expect(text(percentFigure(0.421, 1))).toBe('42.1 %');
    expect(text(percentFigure(undefined))).toBe('–');
  });

  it('have units', () => {
    expect(text(rateFigure(12.34))).toBe('12.3 req/s');
    expect([1, 1.5].map((cores) => text(coresFigure(cores)))).toEqual(['1 core', '1.5 cores']);
    expect(text(costFigure(1.4))).toBe('1.40 per hour');
  });

  it.each([
    [0, 'now'],
    [-5000, 'now'],
    [12_000, '12 s ago'],
    [300_000, '5 min ago'],
    [7_200_000, '2 h ago'],
  ])('an age of %s ms is %s', (ms, shown) => {
    expect(ageText(ms)).toBe(shown);
  });

  it('durations have one unit', () => {
    expect([59, 1500, 600_000, 9_000_000].map(durationText)).toEqual(['59 ms', '1.5 s', '10 min', '2.5 h']);
  });
});
