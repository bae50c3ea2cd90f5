import { describe, expect, it } from 'vitest';
import { auditedRun } from './audited-run.test-support.js';

const SEEDS = process.env['EQUIPOISE_SEEDS'] === 'all' ? 500 : 100;

describe('a simulated run', () => {
  it(`keeps every rule in ${SEEDS} random pipelines, plans and loads`, () => {
    let [completed, arrived, failed, retries] = [0, 0, 0, 0];
    for (let seed = 0; seed < SEEDS; seed++) {
      const run = auditedRun(seed);
      expect(run.violations, `seed ${seed}`).toEqual([]);
      completed += run.completed;
      arrived += run.arrived;
      failed += run.failed;
      retries += run.retries;
    }
    expect(completed / arrived).toBeGreaterThan(0.3);
    expect(completed / arrived).toBeLessThan(0.9);
    expect(failed).toBeGreaterThan(SEEDS / 10);
    expect(retries).toBeGreaterThan(SEEDS / 10);
  });

  it('gives the same bytes for the same seed', () => {
    for (let seed = 0; seed < 20; seed++) expect(auditedRun(seed).digest).toBe(auditedRun(seed).digest);
  });
});
