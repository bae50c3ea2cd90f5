import { expect, it } from 'vitest';
import { measureFaults } from './faults.js';
import { fuzzBars } from './fuzz-bars.js';
import { measureFuzz } from './fuzz-run.js';
import { measureOverload } from './overload.js';
import { faultBars, overloadBars, soakBars } from './sections.js';
import { measureSoak } from './soak.js';

it('keeps its goodput and its latency at five times its capacity, and is normal soon after', async () => {
  const bars = overloadBars(await measureOverload(15_000));
  expect(bars.filter(({ met }) => !met)).toEqual([]);
}, 120_000);

it('loses no request to replicas that are killed once a second', async () => {
  const bars = faultBars(await measureFaults(15_000));
  expect(bars.filter(({ met }) => !met)).toEqual([]);
}, 120_000);

it('answers bad input with a refusal and goes on serving', { timeout: 240_000 }, async () => {
  const bars = fuzzBars(await measureFuzz(5_000, { idle: 2_000 }));
  expect(bars.filter(({ met }) => !met)).toEqual([]);
});

it('keeps neither memory nor descriptors while it serves', async () => {
  const bars = soakBars(await measureSoak(30_000));
  expect(bars.filter(({ met }) => !met)).toEqual([]);
}, 120_000);
