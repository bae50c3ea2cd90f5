import { expect, it } from 'vitest';
import { auditedRun } from './audited-run.test-support.js';

it('a simulated run keeps every rule in 10,000 random pipelines, plans and loads, twice with the same bytes', () => {
  for (let seed = 0; seed < 10_000; seed++) {
    const run = auditedRun(seed);
    expect(run.violations, `seed ${seed}`).toEqual([]);
    expect(auditedRun(seed).digest, `seed ${seed}`).toBe(run.digest);
  }
});
