import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import type { Change } from '../model/change.js';
import type { Observation } from '../model/decision.js';
import { stageId } from '../model/ids.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/curves-of.js';
import { poissonArrivals } from './arrivals/poisson.js';
import { simulatePlan } from './simulate-plan.js';

const [a, b] = [stageId('a'), stageId('b')];
const spec = chainSpec({
  a: [{ cpuCores: 1, batchSize: 1, meanMs: 5 }],
  b: [{ cpuCores: 1, batchSize: 1, meanMs: 5 }],
});

/** What each tick was told of changes at the first one: another replica at `a`, then at `b`, whose starts fail where `failing` says. */
function toldOf(failing: 'a' | 'b' | undefined) {
  const two = planOf(spec, { maxBatchSize: 1, replicas: 2 });
  const changes = [a, b].map(
    (id): Change => ({ kind: 'scale', stageId: id, fromReplicas: 1, to: two.stages[id]?.[0] as never }),
  );
  const told: Observation['lastChange'][] = [];
  simulatePlan({
    ...{ spec, curves: requireCurves(spec, []), plan: planOf(spec, { maxBatchSize: 1, replicas: 1 }) },
    ...{ rng: new SeededRng(1), hostCores: Number.POSITIVE_INFINITY, drops: true },
    arrivals: poissonArrivals(20, 5500, new SeededRng(2)),
    controller: {
      intervalMs: 1000,
      loadMs: () => 100,
      decide: ({ lastChange }) => {
        told.push(lastChange);
        return told.length === 1 ? changes : [];
      },
    },
    faults: { startFails: (id) => id === failing, faultsOf: () => [] },
  });
  return told.slice(0, 3);
}

describe('changes in simulated time', () => {
  it.each([
    [undefined, { kind: 'applied', changed: [a, b], unchanged: [] }],
    ['a', { kind: 'failed', changed: [], unchanged: [a, b] }],
    ['b', { kind: 'failed', changed: [a], unchanged: [b] }],
  ] as const)('are told of once by how they ended, with failing starts at %s', (failing, lastChange) => {
    expect(toldOf(failing)).toEqual([undefined, lastChange, undefined]);
  });
});
