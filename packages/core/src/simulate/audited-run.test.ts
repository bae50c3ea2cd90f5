import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { auditedRun } from './audited-run.test-support.js';

/** Pipelines that are run again. */
const SEEDS = 20;
const SUPPORT = new URL('./audited-run.test-support.ts', import.meta.url).href;

function digestsOfAnotherProcess(seeds: number): readonly string[] {
  const script = `import { auditedRun } from '${SUPPORT}';
    console.log(JSON.stringify(Array.from({ length: ${seeds} }, (_, seed) => auditedRun(seed).digest)));`;
  const flags = ['--import', 'tsx', '--conditions=equipoise-source', '--input-type=module', '-e', script];
  return JSON.parse(execFileSync(process.execPath, flags, { encoding: 'utf8' }));
}

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

  it('gives the same bytes for the same seed, on two runs and in two processes', () => {
    const digests = Array.from({ length: SEEDS }, (_, seed) => auditedRun(seed).digest);
    expect(Array.from({ length: SEEDS }, (_, seed) => auditedRun(seed).digest)).toEqual(digests);
    expect(digestsOfAnotherProcess(SEEDS)).toEqual(digests);
    expect(new Set(digests).size).toBe(SEEDS);
  }, 60_000);
});
