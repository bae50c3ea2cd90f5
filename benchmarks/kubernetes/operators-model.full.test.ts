import { describe, expect, it } from 'vitest';
import { type CostModel, carriedBy, costOf, fitCost } from './operators-model.js';

const made: CostModel = { cores: [0.006, 0.0004, 0.00005], residentMib: [150, 0.8, 0.05] };
const runs = [
  { own: 10, others: 0 },
  { own: 100, others: 0 },
  { own: 25, others: 75 },
  { own: 250, others: 750 },
];
const points = runs.map((run) => ({
  ...run,
  cores: costOf(made.cores, run),
  residentMib: costOf(made.residentMib, run),
}));

describe('the cost of operators', () => {
  it('is found from runs, fixed and for each own and other pipeline', () => {
    const found = fitCost(points);
    made.cores.forEach((term, index) => {
      expect(found.cores[index]).toBeCloseTo(term, 9);
    });
    made.residentMib.forEach((term, index) => {
      expect(found.residentMib[index]).toBeCloseTo(term, 6);
    });
  });

  it('has no negative terms', () => {
    const falling = points.map((point) => ({ ...point, cores: 0.02 + 0.0004 * point.own - 0.00001 * point.others }));
    expect(Math.min(...fitCost(falling).cores)).toBeGreaterThanOrEqual(0);
  });

  it('bounds the pipelines that operators carry', () => {
    const bounds = { cores: 0.15, residentMib: 400 };
    for (const operators of [1, 4, 100]) {
      const { pipelines, limit } = carriedBy(made, operators, bounds);
      const cost = (count: number) => {
        const load = { own: count / operators, others: count * (1 - 1 / operators) };
        return [costOf(made.cores, load) / bounds.cores, costOf(made.residentMib, load) / bounds.residentMib];
      };
      expect(Math.max(...cost(pipelines))).toBeLessThanOrEqual(1 + 1e-9);
      expect(Math.max(...cost(pipelines + 1))).toBeGreaterThan(1);
      expect(cost(pipelines + 1)[limit === 'cores' ? 0 : 1]).toBeGreaterThan(1);
    }
  });
});
