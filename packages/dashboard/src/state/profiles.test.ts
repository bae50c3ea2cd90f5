import { expect, it } from 'vitest';
import { profilePlot } from './profiles.js';

it.each([
  [130, ['0', '32.5', '65', '97.5', '130']],
  [2400, ['0', '600', '1,200', '1,800', '2,400']],
  [0.4, ['0', '0.1', '0.2', '0.3', '0.4']],
])('an axis up to %d has plain numbers', (meanMs, labels) => {
  const curves = [{ cpuCores: 1, points: [{ batchSize: 1, meanMs }] }];
  const { yTicks } = profilePlot({ stageId: 'a', variantId: 'v', curves } as never, 'latency');
  expect(yTicks.map(({ label }) => label)).toEqual(labels);
});
