import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { auditedRun } from './audited-run.test-support.js';

/** Number of pipelines that run again. */
const SEEDS = 20;
const SUPPORT = new URL('./audited-run.test-support.ts', import.meta.url).href;

function digestsOfAnotherProcess(seeds: number): readonly string[] {
  const script = `import { auditedRun } from '${SUPPORT}';
    console.log(JSON.stringify(Array.from({ length: ${seeds} }, (_, seed) => auditedRun(seed).digest)));`;
  const flags = ['--import', 'tsx', '--conditions=equipoise-source', '--input-type=module', '-e', script];
  return JSON.parse(execFileSync(process.execPath, flags, { encoding: 'utf8' }));
}

describe('a simulated run', () => {
  it('gives the same bytes for the same seed, in two processes', () => {
    const digests = Array.from({ length: SEEDS }, (_, seed) => auditedRun(seed).digest);
    expect(digestsOfAnotherProcess(SEEDS)).toEqual(digests);
    expect(new Set(digests).size).toBe(SEEDS);
  }, 60_000);
});
