/** The measurements in small. Times are those of the machine that runs the test, so only counts are held to bars. */
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { controlPlane } from '../../packages/adapter-kubernetes/src/test-cluster/kube-binaries.test-support.js';
import { changesBars, scaleBars } from './bars.js';
import { measureChanges } from './changes.js';
import { mlserver } from './mlserver-pipeline.js';
import { measureScale } from './scale.js';

describeWithTool(mlserver, 'changes of a pipeline that MLServer serves', () => {
  it('lose no request', async () => {
    const figures = await measureChanges({ changes: 4, arrivalRps: 4, seed: 2 });
    expect(figures.problems).toEqual([]);
    expect(figures.sent).toBeGreaterThan(50);
    expect(figures.startedContainers).toBeGreaterThan(3);
    expect(changesBars(figures).filter(({ met }) => !met)).toEqual([]);
  }, 600_000);
});

describeWithTool(controlPlane, 'several pipelines under one operator', () => {
  it('run, rest, and get every decision', async () => {
    const size = { pipelines: 2, stages: 3, quietS: 5, decisions: 6, rounds: 1 };
    const figures = await measureScale({ ...size, seed: 1 });
    expect(figures).toMatchObject({ failures: [], deployments: expect.any(Number) });
    expect([figures.oneAtATimeMs.length, figures.allAtOnceMs.length]).toEqual([6, 2]);
    expect(scaleBars(figures).length).toBeGreaterThan(5);
  }, 600_000);
});
