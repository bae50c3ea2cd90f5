import type { PipelineSpec } from '@equipoise/core/model';
import { expect, it } from 'vitest';
import { splitFor } from './router-count.js';

const specWith = (maxReplicas: number) =>
  ({ routers: 'auto', stages: [{ id: 'detect', bounds: { minReplicas: 1, maxReplicas } }] }) as unknown as PipelineSpec;

it('`auto` means as many routers as the load needs and the bounds of the stages allow', () => {
  const countWith = (maxReplicas: number) => splitFor(specWith(maxReplicas), { arrivalRps: 40_000 }).count;
  expect(countWith(64)).toBeGreaterThan(3);
  expect([countWith(3), countWith(1)]).toEqual([3, 1]);
});
