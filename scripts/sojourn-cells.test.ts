import { expect, it } from 'vitest';
import { companies, loadGrid, stretchOf } from '../packages/core/src/estimate/tables/sojourn-grid.js';
import { ANSWER_NUMBERS, lookUp } from '../packages/core/src/estimate/tables/sojourn-table.js';
import { simulateRow, unitArrivals } from './sojourn-cells.js';

it.each([
  [0, 2, 8, 0.3],
  [2, 4, 4, 0.15],
])(
  'gives what the committed table holds: company %i, replicas %i, cap %i, scaling %f',
  (index, replicas, cap, scaling) => {
    const company = companies[index] as (typeof companies)[number];
    const row = simulateRow({ replicas, cap, scaling, company, unitTimes: unitArrivals(company, 1) });
    const answer = new Float64Array(ANSWER_NUMBERS);
    for (const load of [2, 5, 8]) {
      lookUp({ replicas, cap, scaling, loadFactor: loadGrid[load] as number, ...company, wholeness: 1 }, answer);
      const { requests, meanBatchSize } = row[load] as (typeof row)[number];
      expect(Math.abs((answer[0] as number) - Math.log(meanBatchSize))).toBeLessThan(0.04);
      expect(Math.abs((answer[1] as number) - requests.logitDisturbed)).toBeLessThan(0.15);
      requests.logTimes.slice(1, 8).forEach((log, i) => {
        expect(Math.abs((answer[3 + i] as number) - log)).toBeLessThan(0.06);
      });
    }
  },
);

it('stretches a curve from none to all', () => {
  expect([0, 0.5, 1].map((scaling) => stretchOf(16, scaling))).toEqual([16, 4, 1]);
});
