import { expect, it } from 'vitest';
import { serveWrongProfile } from './wrong-profile.js';

it('corrects a profile that promises twice the speed of the replicas', async () => {
  const figures = await serveWrongProfile('min-cost', 2, { durationS: 50, settledS: 30, seed: 1 });
  expect(figures.worstWindowFraction).toBeGreaterThan(0.9);
  expect(figures.mostSwitches).toBeLessThanOrEqual(2);
});
