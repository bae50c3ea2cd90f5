import { expect, it } from 'vitest';
import { frontierPlot, frontierText } from './plan-frontier.js';

const rowsOf = (plot: string) => plot.split('\n').slice(1, 15);

it('a front is dots at their cost and accuracy, joined by what the money buys', () => {
  const plot = frontierPlot([
    { costPerHour: 2, pas: 0.5 },
    { costPerHour: 6, pas: 0.7 },
    { costPerHour: 10, pas: 0.9 },
  ]);
  const rows = rowsOf(plot);
  expect(rows[13]).toBe(` 0.500 │●${'·'.repeat(31)}`);
  expect(rows[0]).toBe(` 0.900 │${' '.repeat(63)}●`);
  expect(rows.filter((row) => row.includes('●'))).toHaveLength(3);
  expect(plot.split('\n').at(-1)).toBe(`        2.00${' '.repeat(55)}10.00 cost per hour`);
});

const point = (costPerHour: number, pas: number) => {
  const predicted = { latencyMs: 90, percentile: 99, pas, capacityRps: 20, cpuCores: costPerHour, costPerHour };
  return { pas, costPerHour, cpuCores: costPerHour, plan: { stages: {}, predicted } };
};
const front = {
  kind: 'frontier',
  points: [point(2, 0.5), point(6, 0.7)],
  toleranceFraction: 0,
  complete: true,
  omittedPoints: 0,
  factors: { theta: 1, kappa: 1 },
} as const;

it('of one plan says in words that there is nothing to choose', () => {
  const text = frontierText({ ...front, points: [point(2, 0.5)] }, ['product']);
  expect(text).toMatch(/0\.500 │ product +│ +2\.00/);
  expect(text).not.toContain('●');
  expect(text.split('\n').at(-1)).toBe(
    'There is only one plan to choose: no cheaper one meets the SLO, and no more expensive one is more accurate.',
  );
});

it('says what a front leaves out', () => {
  const lastLinesOf = (text: string) => text.split('\n').slice(-2);
  expect(lastLinesOf(frontierText(front, [])).at(-1)).toBe('2 plans, each more accurate than every cheaper one');
  expect(lastLinesOf(frontierText({ ...front, omittedPoints: 3, complete: false }, []))).toEqual([
    '2 plans, each more accurate than every cheaper one; 3 more between them are omitted',
    'The search ended at its limit of labels: there may be better plans between these.',
  ]);
});
