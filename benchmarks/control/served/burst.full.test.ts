/**
 * A small form of the step on a served pipeline. Times depend on the machine that runs the test, so their bars are
 * wide.
 */
import { describe, expect, it } from 'vitest';
import { serveBurst } from './burst.js';

describe('a served pipeline', () => {
  it('answers a fivefold step, by either loop', async () => {
    const figures = await serveBurst(1);
    expect(figures.decidedAfterMs).toBeGreaterThan(0);
    expect(figures.lost).toBeLessThan(0.8 * figures.arrived);
    expect([figures.failed, figures.foreignContent]).toEqual([0, 0]);
  });
});
