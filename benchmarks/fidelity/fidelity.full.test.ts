/** One plan of the benchmark with very short segments: it serves, calibrates, simulates and reports. */
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { fidelityReport } from './report.js';
import { runPlan } from './run-plan.js';

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
    const plan = { ...(await runPlan(0, 0.02)), machine: 'a machine', scale: 0.02 };
    expect(plan.loads.map(({ load }) => load)).toEqual([0.3, 0.45, 0.6, 0.75, 0.88, 'saturation', 1.1]);
    for (const { requests, served, simulated } of plan.loads) {
      expect(requests).toBeGreaterThanOrEqual(5);
      expect(Object.keys(simulated)).toEqual(Object.keys(served));
    }
    const { text } = fidelityReport({ plans: [plan] });
    expect(text.match(/^\| shelf-scan \|/gm)).toHaveLength(6);
  });
});
