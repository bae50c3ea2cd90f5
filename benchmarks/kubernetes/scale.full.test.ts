/** Small forms of the measurements with a control plane. Bars apply to counts only, since times depend on the machine. */
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { controlPlane } from '../../packages/adapter-kubernetes/src/test-cluster/kube-binaries.test-support.js';
import { planningBars, scaleBars } from './bars.js';
import { measureScale } from './scale.js';
import { measurePlanning } from './scale-planning.js';

describeWithTool(controlPlane, 'several pipelines under one operator', () => {
  it('run, rest, and get every decision', async () => {
    const size = { pipelines: 2, stages: 3, quietS: 5, decisions: 6, rounds: 1 };
    const figures = await measureScale({ ...size, seed: 1 });
    expect(figures).toMatchObject({ failures: [], deployments: expect.any(Number) });
    expect([figures.oneAtATimeMs.length, figures.allAtOnceMs.length]).toEqual([6, 2]);
    expect(scaleBars(figures).length).toBeGreaterThan(5);
  }, 600_000);
});

describeWithTool(controlPlane, 'several pipelines that the command plans for', () => {
  it('run, and are decided about in one thread', async () => {
    const size = { pipelines: 2, stages: 3, arrivalRps: 20, settlingS: 15, steadyS: 15 };
    const figures = await measurePlanning({ ...size, seed: 1 });
    expect(figures.failures).toBe(0);
    // A busy machine may plan late.
    expect(figures.decisions).toBeGreaterThanOrEqual(1);
    expect(figures.threads).toBeGreaterThanOrEqual(1);
    expect(planningBars(figures).length).toBeGreaterThan(5);
  }, 600_000);
});
