import { expect, it } from 'vitest';
import { unmet } from './bar.js';
import { measureFaults } from './faults.js';
import { measureOverload } from './overload.js';
import { faultBars, overloadBars } from './sections.js';

it('keeps its goodput and its latency at five times its capacity, and is normal soon after', async () => {
  const bars = overloadBars(await measureOverload(15_000));
  expect(unmet(bars)).toEqual([]);
}, 120_000);

it('loses no request to replicas that are killed once a second', async () => {
  const bars = faultBars(await measureFaults(10_000));
  expect(unmet(bars)).toEqual([]);
}, 120_000);
