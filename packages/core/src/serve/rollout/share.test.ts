import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coresDuringChange, startableReplicas } from './headroom.js';
import { newReplicasFor, oldReplicasByShare, replicasByCount } from './share.js';

const count = fc.integer({ min: 1, max: 40 });

describe('oldReplicasByShare', () => {
  it('keeps the shares of both capacities at one, with no old replica too many', () => {
    fc.assert(
      fc.property(count, count, fc.integer({ min: 0, max: 40 }), (oldAtStart, newWanted, ready) => {
        const newReady = Math.min(ready, newWanted);
        const old = oldReplicasByShare({ oldAtStart, newAtStart: 0, newWanted }, newReady);
        expect(old / oldAtStart + newReady / newWanted).toBeGreaterThan(1 - 1e-9);
        if (old > 0) expect((old - 1) / oldAtStart + newReady / newWanted).toBeLessThan(1 - 1e-9);
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  it('counts new replicas of before the change as no gain', () => {
    expect(oldReplicasByShare({ oldAtStart: 2, newAtStart: 1, newWanted: 3 }, 1)).toBe(2);
    expect(oldReplicasByShare({ oldAtStart: 2, newAtStart: 1, newWanted: 3 }, 2)).toBe(1);
    expect(oldReplicasByShare({ oldAtStart: 2, newAtStart: 3, newWanted: 2 }, 2)).toBe(0);
  });
});

it('replicasByCount is the size of the smaller plan', () => {
  expect(replicasByCount({ oldAtStart: 4, newAtStart: 1, newWanted: 3 })).toBe(3);
  expect(replicasByCount({ oldAtStart: 1, newAtStart: 1, newWanted: 3 })).toBe(2);
});

it.each([
  [0.1, 1, 1],
  [0.1, 10, 1],
  [0.1, 11, 2],
  [0.5, 3, 2],
  [1, 3, 3],
])('newReplicasFor %d of %i is %i', (fraction, wanted, replicas) => {
  expect(newReplicasFor(fraction, wanted)).toBe(replicas);
});

describe('headroom', () => {
  const two = { replicas: 2, resources: { cpuCores: 1 } };

  it.each([
    ['the budget and the surge', { budgetCpuCores: 8, surgeCpuCores: 2 }, 10],
    ['the default surge, one replica of the largest kind', { budgetCpuCores: 8 }, 11],
    ['the plan in force above the budget', { budgetCpuCores: 1, surgeCpuCores: 0 }, 2],
  ])('is %s', (_, bounds, cores) => {
    const to = { replicas: 1, resources: { cpuCores: 3 } };
    expect(coresDuringChange(bounds, { inForce: [two], to })).toBe(cores);
  });

  it('holds replicas up to rounding', () => {
    expect(startableReplicas(0.1 + 0.2, 0.1)).toBe(3);
    expect(startableReplicas(-1, 1)).toBe(0);
    expect(startableReplicas(1, 0)).toBe(Number.POSITIVE_INFINITY);
  });
});
