import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import type { Change } from '../model/change.js';
import type { Observation } from '../model/decision.js';
import { stageId } from '../model/ids.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { poissonArrivals } from './arrivals/constant-rate.js';
import { simulatePlan } from './simulate-plan.js';

const [a, b] = [stageId('a'), stageId('b')];
const spec = chainSpec({
  a: [{ cpuCores: 1, batchSize: 1, meanMs: 5 }],
  b: [{ cpuCores: 1, batchSize: 1, meanMs: 5 }],
});

/** Last change that each tick sees. The first tick adds a replica at `a`, then one at `b`. Starts fail at `failing`. */
function toldOf(failing: 'a' | 'b' | undefined) {
  const two = planOf(spec, { maxBatchSize: 1, replicas: 2 });
  const changes = [a, b].map(
    (id): Change => ({ kind: 'scale', stageId: id, fromReplicas: 1, to: two.stages[id]?.[0] as never }),
  );
  const told: Observation['lastChange'][] = [];
  simulatePlan({
    spec,
    curves: requireCurves(spec, []),
    plan: planOf(spec, { maxBatchSize: 1, replicas: 1 }),
    rng: new SeededRng(1),
    hostCores: Number.POSITIVE_INFINITY,
    drops: true,
    arrivals: poissonArrivals(20, 5500, new SeededRng(2)),
    controller: {
      intervalMs: 1000,
      loadMs: () => 100,
      decide: (view) => {
        told.push(view.observe().lastChange);
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

  it('are told of by how those ended that took their place, though they had failed by then', () => {
    const four = planOf(spec, { maxBatchSize: 1, replicas: 4 });
    const scale = (id: typeof a): Change => ({
      kind: 'scale',
      stageId: id,
      fromReplicas: 1,
      to: four.stages[id]?.[0] as never,
    });
    const told: (readonly [boolean, Observation['lastChange']])[] = [];
    let starts = 0;
    simulatePlan({
      spec,
      curves: requireCurves(spec, []),
      plan: planOf(spec, { maxBatchSize: 1, replicas: 1 }),
      rng: new SeededRng(1),
      hostCores: Number.POSITIVE_INFINITY,
      drops: true,
      arrivals: poissonArrivals(20, 16_000, new SeededRng(2)),
      controller: {
        intervalMs: 1000,
        looksWhileChanging: true,
        // The first start fails early, while the others still load.
        loadMs: (id) => (id === b ? 4000 : starts++ === 0 ? 500 : 6000),
        decide: (view) => {
          const { changing = false, lastChange } = view.observe();
          told.push([changing, lastChange]);
          if (told.length === 1) return [scale(a), scale(b)];
          return told.length === 2 ? [scale(b)] : [];
        },
      },
      faults: { startFails: (id, { replicaId: of }) => id === a && of.endsWith('-2'), faultsOf: () => [] },
    });
    expect(told.slice(0, 2)).toEqual([
      [false, undefined],
      [true, undefined],
    ]);
    expect(told.filter(([, lastChange]) => lastChange !== undefined)).toEqual([
      [false, { kind: 'applied', changed: [b], unchanged: [] }],
    ]);
  });
});
