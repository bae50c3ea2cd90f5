/** What every PlanStore does alike: the newest plan of the same description comes back, and decisions come newest first. */
import { type DecisionRecord, type Plan, type PlanStore, stageId, variantId } from '@equipoise/core';
import { afterEach, describe, expect, it } from 'vitest';

/** A plan of one stage that runs `variant`. */
export function planOf(variant: string): Plan {
  return {
    stages: {
      [stageId('detect')]: [
        {
          variantId: variantId(variant),
          resources: { cpuCores: 0.5, memoryBytes: 200_000_000, gpus: 0 },
          maxBatchSize: 4,
          maxBatchWaitMs: 0,
          replicas: 2,
          trafficFraction: 1,
        },
      ],
    },
    predicted: { latencyMs: 91.25, percentile: 99, pas: 0.61, capacityRps: 40, cpuCores: 1, costPerHour: 1 },
  };
}

/** A decision that is known by its instant. */
export function decisionAt(atEpochMs: number): DecisionRecord {
  return {
    atEpochMs,
    observation: {
      atMs: atEpochMs / 2,
      load: { arrivalsPerSecond: [3, 4, 0] },
      stages: { [stageId('detect')]: { queueLength: 1, droppedTotal: 0 } },
      runningPlan: { stages: {} },
      staleSources: [],
    },
    decision: {
      kind: 'hold',
      reason: 'the plan in force is the “best” one, ≤ 91 ms',
      evidence: { forecast: { method: 'last', meanRps: 4, upperRps: 5.5 } },
    },
  };
}

/** Defines the suite; `make` is called once for each test and gives an empty store. */
export function describePlanStoreConformance(name: string, make: () => PlanStore): void {
  describe(`${name} as a PlanStore`, () => {
    const opened: PlanStore[] = [];
    const open = (): PlanStore => {
      const store = make();
      opened.push(store);
      return store;
    };

    afterEach(() => {
      for (const store of opened.splice(0)) store.close();
    });

    it('is empty at first', () => {
      const store = open();
      expect(store.lastGoodPlan('p', 'd')).toBeUndefined();
      expect(store.recentDecisions('p', 10)).toEqual([]);
    });

    it('gives back the newest plan of each pipeline', () => {
      const store = open();
      store.saveLastGoodPlan('p', planOf('small'), { atEpochMs: 1, specDigest: 'd' });
      store.saveLastGoodPlan('p', planOf('large'), { atEpochMs: 2, specDigest: 'd' });
      store.saveLastGoodPlan('q', planOf('other'), { atEpochMs: 3, specDigest: 'd' });
      expect(store.lastGoodPlan('p', 'd')).toEqual(planOf('large'));
      expect(store.lastGoodPlan('q', 'd')).toEqual(planOf('other'));
    });

    it('gives no plan of another description, not even an older one of the same', () => {
      const store = open();
      store.saveLastGoodPlan('p', planOf('small'), { atEpochMs: 1, specDigest: 'old' });
      expect(store.lastGoodPlan('p', 'new')).toBeUndefined();
      store.saveLastGoodPlan('p', planOf('large'), { atEpochMs: 2, specDigest: 'new' });
      expect(store.lastGoodPlan('p', 'old')).toBeUndefined();
      expect(store.lastGoodPlan('p', 'new')).toEqual(planOf('large'));
    });

    it('keeps what it was given, whatever becomes of the object', () => {
      const store = open();
      const plan = structuredClone(planOf('small')) as { predicted: { pas: number } } & Plan;
      store.saveLastGoodPlan('p', plan, { atEpochMs: 1, specDigest: 'd' });
      plan.predicted.pas = 0;
      expect(store.lastGoodPlan('p', 'd')).toEqual(planOf('small'));
    });

    it('gives the newest decisions of one pipeline, newest first, at most as many as asked for', () => {
      const store = open();
      for (const at of [10, 20, 30]) store.appendDecision('p', decisionAt(at));
      store.appendDecision('q', decisionAt(99));
      // The order is that of appending: clocks of a machine may be set back.
      store.appendDecision('p', decisionAt(5));
      expect(store.recentDecisions('p', 3)).toEqual([5, 30, 20].map(decisionAt));
      expect(store.recentDecisions('p', 100)).toHaveLength(4);
      expect(store.recentDecisions('p', 0)).toEqual([]);
    });

    it('refuses work after close with STORE_FAILED, and a second close does no harm', () => {
      const store = open();
      store.close();
      store.close();
      const failure = expect.objectContaining({ code: 'STORE_FAILED' });
      expect(() => store.appendDecision('p', decisionAt(1))).toThrow(failure);
      expect(() => store.saveLastGoodPlan('p', planOf('a'), { atEpochMs: 1, specDigest: 'd' })).toThrow(failure);
      expect(() => store.lastGoodPlan('p', 'd')).toThrow(failure);
      expect(() => store.recentDecisions('p', 1)).toThrow(failure);
    });
  });
}
