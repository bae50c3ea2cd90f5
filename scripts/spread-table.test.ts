import { expect, it } from 'vitest';
import { loadGrid } from '../packages/core/src/estimate/tables/sojourn-grid.js';
import { ANSWER_NUMBERS } from '../packages/core/src/estimate/tables/sojourn-table.js';
import { addSpread, spreadCompanies, spreadSigmas } from '../packages/core/src/estimate/tables/spread-table.js';
import { lognormalFactors, simulateRow, unitArrivals } from './sojourn-cells.js';

it('gives what the committed table holds: replicas 2, cap 4, scaling 0.5', () => {
  const company = spreadCompanies[0] as (typeof spreadCompanies)[number];
  const row = { replicas: 2, cap: 4, scaling: 0.5, company, unitTimes: unitArrivals(company, 1), leastDisturbed: 2e-3 };
  const sigma = spreadSigmas[1] as number;
  const plain = simulateRow(row);
  const varied = simulateRow({ ...row, serviceFactors: lognormalFactors(sigma, 2) });
  for (const load of [2, 5, 8]) {
    const shifts = new Float64Array(ANSWER_NUMBERS);
    const { replicas, cap, scaling } = row;
    const loadFactor = loadGrid[load] as number;
    addSpread({ replicas, cap, scaling, loadFactor, ...company, wholeness: 1 }, Math.expm1(sigma * sigma), shifts);
    const logTimes = (cells: typeof plain) => cells[load]?.requests.logTimes ?? [];
    logTimes(varied)
      .slice(1, 7)
      .forEach((log, i) => {
        expect(Math.abs((shifts[3 + i] as number) - (log - (logTimes(plain)[1 + i] as number)))).toBeLessThan(0.1);
      });
  }
});

it('draws service factors with a mean of 1', () => {
  const factors = lognormalFactors(0.8, 1);
  expect(factors.reduce((sum, factor) => sum + factor, 0) / factors.length).toBeCloseTo(1, 9);
});
