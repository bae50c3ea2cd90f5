/** A short form of the run with two sources. */
import { describe, expect, it } from 'vitest';
import { unmet } from '../data-plane/bar.js';
import { sourcesBars, sourcesReport } from './report.js';
import { serveSources } from './served-sources.js';

describe('two sources', () => {
  it('lose and double no part while the plan changes', async () => {
    const question = { durationS: 12, arrivalRps: 30, changeEveryS: 3, seed: 1 };
    const figures = await serveSources(question);
    expect(figures.sentParts).toBeGreaterThan(300);
    expect(unmet(sourcesBars(figures, { isLong: false }))).toEqual([]);
    expect(sourcesReport(figures, question, 'here')).toContain('| plan changes | ');
  }, 120_000);
});
