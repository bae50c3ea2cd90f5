/** The small form of the changes. Bars apply to counts only, since times depend on the machine. */
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { unmet } from '../data-plane/bar.js';
import { changesBars } from './bars.js';
import { measureChanges } from './changes.js';
import { mlserver } from './mlserver-pipeline.js';

describeWithTool(mlserver, 'changes of a pipeline that MLServer serves', () => {
  it('lose no request', async () => {
    const figures = await measureChanges({ changes: 4, arrivalRps: 4, seed: 2 });
    expect(figures.problems).toEqual([]);
    expect(figures.sent).toBeGreaterThan(50);
    expect(figures.startedContainers).toBeGreaterThan(3);
    expect(unmet(changesBars(figures))).toEqual([]);
  }, 600_000);
});
