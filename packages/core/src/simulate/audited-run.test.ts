import { describe, expect, it } from 'vitest';
import { auditedRun } from './audited-run.test-support.js';

describe('a simulated run', () => {
  it('keeps every rule in 500 random pipelines, plans and loads', () => {
    let [completed, arrived, failed, retries] = [0, 0, 0, 0];
    for (let seed = 0; seed < 500; seed++) {
      const run = auditedRun(seed);
      expect(run.violations, `seed ${seed}`).toEqual([]);
      completed += run.completed;
      arrived += run.arrived;
      failed += run.failed;
      retries += run.retries;
    }
    expect(completed / arrived).toBeGreaterThan(0.3);
    expect(completed / arrived).toBeLessThan(0.9);
    expect(failed).toBeGreaterThan(50);
    expect(retries).toBeGreaterThan(50);
  }, 60_000);

  it('gives the same bytes for the same seed', () => {
    for (let seed = 0; seed < 20; seed++) expect(auditedRun(seed).digest).toBe(auditedRun(seed).digest);
  });
});
