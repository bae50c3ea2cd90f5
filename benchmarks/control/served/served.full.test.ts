/** A small form of the random changes of a served pipeline. */
import { describe, expect, it } from 'vitest';
import { unmet } from '../../data-plane/bar.js';
import { syntheticChanges } from './changes-questions.js';
import { serveChanges } from './random-changes.js';
import { changesBars, type ServedResults, servedReport } from './report.js';

describe('a served pipeline', () => {
  it('loses nothing to random changes, and no capacity that old and new plan have', async () => {
    const figures = await serveChanges(syntheticChanges(20));
    expect(figures.sent).toBeGreaterThan(100);
    expect(figures.failedChanges).toBe(0);
    expect(unmet(changesBars(figures))).toEqual([]);
  });

  it('tells what was run, with its bars', () => {
    const figures = {
      changes: {
        scale: 1,
        'switch-variant': 0,
        'set-batch': 0,
        'set-resources': 0,
        'set-threshold': 0,
        'set-quorum': 0,
      },
      failedChanges: 0,
    };
    const synthetic = {
      ...figures,
      sent: 3,
      completed: 2,
      foreignContent: 0,
      belowBoth: 0,
      leastCapacityFraction: 1,
      slowestMs: 5,
    };
    const results: ServedResults = { made: { synthetic: 'here' }, synthetic };
    const text = servedReport(results);
    expect(text).toContain('2 of 3 bars are met');
    expect(text).toContain('| requests that were not answered | 1 | 0 | **missed** |');
    expect(text).not.toContain('wrong');
  });
});
