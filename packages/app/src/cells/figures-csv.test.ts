import { describe, expect, it } from 'vitest';
import { figuresCsv } from './figures-csv.js';

describe('figuresCsv', () => {
  it('has every column of any cell, with what a cell lacks left empty, and quotes what needs it', () => {
    const csv = figuresCsv([
      { load: 'a,b', dropped: {}, p99: Number.NaN },
      { load: 'say "c"', dropped: { 'queue-full': 3 }, p99: null },
    ]);
    expect(csv).toBe('load,p99,dropped.queue-full\n"a,b",NaN,\n"say ""c""",,3\n');
  });
});
