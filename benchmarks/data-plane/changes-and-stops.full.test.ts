import { expect, it } from 'vitest';
import { unmet } from './bar.js';
import { measurePlanChanges, planChangeBars } from './plan-changes.js';
import { measureStops, stopBars } from './stops.js';

it('fails no request while plans change', async () => {
  const figures = await measurePlanChanges(10);
  expect(figures.requests).toBeGreaterThan(0);
  expect(unmet(planChangeBars(figures))).toEqual([]);
}, 120_000);

it('answers every accepted request before it ends', async () => {
  const figures = await measureStops(2);
  expect(figures.answered).toBeGreaterThan(0);
  expect(unmet(stopBars(figures))).toEqual([]);
}, 120_000);
