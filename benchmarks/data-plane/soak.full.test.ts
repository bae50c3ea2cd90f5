import { expect, it } from 'vitest';
import { unmet } from './bar.js';
import { soakBars } from './sections.js';
import { measureSoak } from './soak.js';

it('keeps neither memory nor descriptors while it serves', async () => {
  const bars = soakBars(await measureSoak(20_000));
  expect(unmet(bars)).toEqual([]);
}, 120_000);
