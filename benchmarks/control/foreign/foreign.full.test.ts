import { expect, it } from 'vitest';
import type { CellFigures } from '../cell.js';
import { drawCell } from './draw-cell.js';
import { attainmentOfRest, type ForeignResult, foreignReport, isMet } from './run-foreign.js';

it('draws the same cell from the same text, within the stated ranges', () => {
  for (const index of [0, 1]) {
    const cell = drawCell('dev', index);
    expect(drawCell('dev', index)).toEqual(cell);
    const { spec, mode } = cell;
    expect(mode).toBe(index % 2 === 0 ? 'min-cost' : 'max-accuracy');
    const serviceMs = spec.stages.flatMap(({ variants }) => variants.map(({ profile }) => profile?.[0]?.meanMs ?? 0));
    expect(Math.min(...serviceMs)).toBeGreaterThanOrEqual(50);
    expect(Math.max(...serviceMs)).toBeLessThanOrEqual(3000);
  }
  expect(drawCell('other', 0).peakRps).not.toBe(drawCell('dev', 0).peakRps);
});

const figures = (lost: number): CellFigures => ({
  ...{ arrived: 1000, lost, attainmentFraction: 1 - lost / 1000, pasMean: 1, cpuCoresMean: 1, p99Ms: 1 },
  ...{ changes: 0, protections: 0, mostSwitches: 0 },
});

it('judges the requests that the fluid minimum leaves, where the clairvoyant keeps them', () => {
  expect(attainmentOfRest(figures(100), 100)).toBe(1);
  expect(attainmentOfRest(figures(105), 100)).toBeCloseTo(895 / 900, 12);
  expect(attainmentOfRest(figures(0), 100)).toBe(1);
  const result = (ours: number, clairvoyant: number): ForeignResult => ({
    ...{ index: 0, shape: 'chain of 1', mode: 'min-cost', load: 'sine', serviceMs: [50, 60], sloMs: 300, peakRps: 9 },
    ...{
      budgetCores: 4,
      fluidMinimum: 100,
      waitingMinimum: 50,
      ours: figures(ours),
      clairvoyant: figures(clairvoyant),
    },
  });
  const results = [result(104, 100), result(105, 100), result(105, 105)];
  expect(results.map(isMet)).toEqual([true, false, undefined]);
  const report = foreignReport(results, 'here');
  expect(report).toContain('after the fluid minimum (the bar) | 1 of 2 | 1 |');
  expect(report).toContain('with waiting | 0 of 0 | 3 |');
});
