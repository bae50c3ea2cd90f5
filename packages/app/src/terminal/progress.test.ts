import { afterEach, expect, it, vi } from 'vitest';
import { progressDisplay } from './progress.js';

afterEach(() => vi.restoreAllMocks());

it('leaves the time out until it is known', () => {
  let printed = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  for (const etaMs of [Number.NaN, 41_200])
    progressDisplay('sweep').show({ doneUnits: 0, totalUnits: 18, etaMs, label: '18 simulations' });
  expect(printed).toBe('sweep 0/18: 18 simulations\nsweep 0/18, 42 s left: 18 simulations\n');
});
