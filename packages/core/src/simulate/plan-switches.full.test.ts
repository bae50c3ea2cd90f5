import { describe, expect, it } from 'vitest';
import { switchedRun } from './plan-switches.test-support.js';

const SEEDS = 150;

describe('requests in the middle of which the plan switches', () => {
  it.each(['no faults', 'faults'] as const)(
    `get what the plan promised when they entered, in ${SEEDS} random ensembles, with %s`,
    (faults) => {
      const sums = { completed: 0, dropped: 0, failed: 0, partial: 0, crossing: 0, failedChanges: 0 };
      for (let seed = 0; seed < SEEDS; seed++) {
        const { violations, ...counts } = switchedRun(seed, faults);
        expect(violations, `seed ${seed}`).toEqual([]);
        for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += counts[key];
      }
      expect(sums.crossing).toBeGreaterThan(SEEDS);
      if (faults === 'no faults') expect(sums.completed).toBe(150 * SEEDS);
      else for (const count of Object.values(sums)) expect(count).toBeGreaterThan(SEEDS / 10);
    },
  );
});
