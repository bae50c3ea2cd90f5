import { describe, expect, it } from 'vitest';
import { type ReplicaId, stageId, variantId } from '../../model/ids.js';
import type { Plan } from '../../model/plan.js';
import type { RunningPlan } from '../../model/running-plan.js';
import { burnObjection } from './burn-guard.js';

const resources = (cpuCores: number) => ({ cpuCores, memoryBytes: 0, gpus: 0 });

const planWith = (variant: string, cpuCores: number, replicas: number): Plan => ({
  stages: {
    [stageId('detect')]: [
      {
        ...{ variantId: variantId(variant), resources: resources(cpuCores), replicas },
        ...{ maxBatchSize: 1, maxBatchWaitMs: 0, trafficFraction: 1 },
      },
    ],
  },
  predicted: { latencyMs: 1, percentile: 99, pas: 1, capacityRps: 1, cpuCores, costPerHour: 1 },
});

const running: RunningPlan = {
  stages: {
    [stageId('detect')]: {
      replicas: [1, 2, 3].map((index) => ({
        ...{ replicaId: `detect/${index}` as ReplicaId, variantId: variantId('small') },
        ...{ resources: resources(1), status: 'ready' as const },
      })),
      ...{ maxBatchSize: 1, maxBatchWaitMs: 0 },
    },
  },
};

const objection = (outcomes: { ended: number; missed: number } | undefined, plan: Plan) =>
  burnObjection(outcomes, 99, { plan, running });

describe('burnObjection', () => {
  it.each([
    ['fewer replicas', planWith('small', 1, 2)],
    ['smaller replicas', planWith('small', 0.5, 6)],
    ['another variant', planWith('large', 1, 3)],
  ])('brakes %s while the SLO is missed', (_, plan) => {
    expect(objection({ ended: 200, missed: 120 }, plan)).toBe(
      '60 % of the last 200 requests missed the SLO: replicas are only added',
    );
    expect(objection({ ended: 200, missed: 3 }, plan)).toBeUndefined();
    expect(objection(undefined, plan)).toBeUndefined();
  });

  it('lets a plan grow', () => {
    expect(objection({ ended: 200, missed: 120 }, planWith('small', 1, 4))).toBeUndefined();
    expect(objection({ ended: 200, missed: 120 }, planWith('small', 1, 3))).toBeUndefined();
  });

  it('does not take chance for a missed SLO', () => {
    expect(objection({ ended: 10, missed: 2 }, planWith('small', 1, 1))).toBeUndefined();
    expect(objection({ ended: 0, missed: 0 }, planWith('small', 1, 1))).toBeUndefined();
  });
});
