/** Canary of a variant that is too slow, under load on routers that really serve. Every request gets its answer. */
import { expect, it } from 'vitest';
import { eventually } from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { PIPELINE, withCanaryRig } from './canary.test-support.js';

it(
  'a variant that is too slow is rolled back, and no request is lost',
  () =>
    withCanaryRig(async ({ decide, status, isThere, endLoad }) => {
      decide('slow');
      await eventually(async () => (await status())?.rollback !== undefined, 240_000);
      const record = (await status())?.rollback;
      await eventually(async () => !(await isThere('slow')), 120_000);
      await endLoad(200);
      expect(record).toMatchObject({ workloads: [`${PIPELINE}--only--slow`], fraction: 0.1 });
      expect(record?.message).toMatch(/requests missed the SLO/);
    }),
  900_000,
);
