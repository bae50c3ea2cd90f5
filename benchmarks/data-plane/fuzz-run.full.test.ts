import { expect, it } from 'vitest';
import { unmet } from './bar.js';
import { fuzzBars } from './fuzz-bars.js';
import { measureFuzz } from './fuzz-run.js';

it('answers bad input with a refusal and goes on serving', { timeout: 240_000 }, async () => {
  const bars = fuzzBars(await measureFuzz(2_000, { idle: 1_000, endless: 0 }));
  expect(unmet(bars)).toEqual([]);
});
