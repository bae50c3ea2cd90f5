/** Canary of a good variant under load on routers that really serve. Every request gets its answer. */
import { expect, it } from 'vitest';
import { eventually } from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { withCanaryRig } from './canary.test-support.js';

it(
  'a new variant gets its requests in steps, and no request is lost',
  () =>
    withCanaryRig(async ({ decide, status, isThere, isSettled, endLoad }) => {
      decide('large');
      const shares = new Set<number | undefined>();
      await eventually(async () => {
        shares.add((await status())?.shift?.fraction);
        return !(await isThere('small')) && (await isSettled());
      }, 240_000);
      await endLoad(1_000);
      expect([...shares]).toEqual(expect.arrayContaining([0.1, 0.5]));
      expect((await status())?.rollback).toBeUndefined();
    }),
  900_000,
);
