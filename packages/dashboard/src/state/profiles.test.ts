import { expect, it } from 'vitest';
import { profilePlot } from './profiles.js';

it.each([
  [130, ['0', '50', '100']],
  [2400, ['0', '500', '1,000', '1,500', '2,000']],
  [0.4, ['0', '0.1', '0.2', '0.3', '0.4']],
])('an axis up to %d has round numbers', (meanMs, labels) => {
  const curves = [{ cpuCores: 1, points: [{ batchSize: 1, meanMs }] }];
  const { yTicks } = profilePlot({ stageId: 'a', variantId: 'v', curves } as never, 'latency');
  expect(yTicks.map(({ label }) => label)).toEqual(labels);
});

it('has room for the intervals of the means', () => {
  const curves = [{ cpuCores: 1, points: [{ batchSize: 1, meanMs: 100, meanUncertaintyFraction: 0.5 }] }];
  const { lines, height } = profilePlot({ stageId: 'a', variantId: 'v', curves } as never, 'latency');
  const [dot] = lines[0]?.dots ?? [];
  expect(dot?.high).toBeGreaterThan(20);
  expect(dot?.low).toBeLessThan(height);
});
