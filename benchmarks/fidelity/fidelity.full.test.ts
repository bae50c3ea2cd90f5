/** Small benchmark: serves, calibrates, simulates and reports. The bounds are wide enough for a busy machine. */
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { describe, expect, it } from 'vitest';
import { combinations } from './combinations.js';
import { LoadProcess, ServerProcess } from './processes.js';
import { fidelityReport } from './report.js';
import { runSlices, type Slice } from './run-slices.js';

const PIPELINE = fileURLToPath(new URL('../../examples/shelf-scan/pipeline.yaml', import.meta.url));

async function slicesOf(requests: number): Promise<readonly Slice[]> {
  const loaded = await loadPipelineFile(PIPELINE);
  if (loaded.kind === 'invalid') throw new Error('the example is not valid');
  const [combination] = combinations as readonly [(typeof combinations)[number]];
  const server = new ServerProcess();
  const load = new LoadProcess();
  try {
    const rounds = { below: 2, above: 1 };
    return await runSlices({
      spec: loaded.spec,
      combination,
      run: 1,
      requests,
      rounds,
      server,
      load,
      onStep: () => {},
    });
  } finally {
    server.end();
    load.end();
  }
}

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(availableParallelism() < 2 || !hasTaskset())('bench:fidelity (needs 2 cores and taskset)', () => {
  it('serves and simulates the same requests', async () => {
    const slices = await slicesOf(200);
    expect(slices.map(({ load }) => load)).toEqual([0.3, 0.6, 0.85, 'saturation', 1.1]);
    for (const { load, requests, served, simulated, simulatedClosedLoop } of slices) {
      expect(requests).toBeGreaterThanOrEqual(200);
      for (const figures of [served, simulated, simulatedClosedLoop]) {
        expect(figures.p50Ms).toBeGreaterThan(0.5);
        expect(figures.p99Ms).toBeGreaterThanOrEqual(figures.p50Ms);
        expect(figures.p99Ms).toBeLessThan(1500);
      }
      if (load === 0.3) expect(Math.abs(Math.log2(simulated.p50Ms / served.p50Ms))).toBeLessThan(2);
      if (load === 'saturation')
        expect(Math.abs(Math.log2(simulated.completedRps / served.completedRps))).toBeLessThan(1);
    }
    const { text } = fidelityReport({ machine: 'a machine', slices });
    expect(text.match(/^\| detect xs, classify xs \|/gm)).toHaveLength(4);
  });
});
