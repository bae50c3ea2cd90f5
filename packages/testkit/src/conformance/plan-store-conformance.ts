/** Contract of every PlanStore: reads return what was written, newest first, per pipeline. */
import { type DecisionRecord, type Plan, stageId, variantId } from '@equipoise/core/model';
import type { GoodPlan, PlanStore } from '@equipoise/core/ports';
import { afterEach, describe, expect, it } from 'vitest';

/** Plan of one stage that runs `variant`. */
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

export function goodPlanOf(variant: string, over: Partial<GoodPlan> = {}): GoodPlan {
  return { plan: planOf(variant), atEpochMs: 1_700_000_000_000.5, specDigest: 'd', ...over };
}

/** Decision identified by its instant, without later facts. */
export function decisionAt(atEpochMs: number, id = 1): DecisionRecord {
  return {
    id,
    atEpochMs,
    trigger: 'plan',
    mode: 'auto',
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

/** Defines the suite; calls `make` once per test for an empty store. */
export function describePlanStoreConformance(name: string, make: () => PlanStore | Promise<PlanStore>): void {
  describe(`${name} as a PlanStore`, () => {
    const opened: PlanStore[] = [];
    const open = async (): Promise<PlanStore> => {
      const store = await make();
      opened.push(store);
      return store;
    };

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((store) => store.close()));
    });

    it('is empty at first', async () => {
      const store = await open();
      expect(await store.goodPlans('p', 10)).toEqual([]);
      expect(await store.decisions('p', { limit: 10 })).toEqual([]);
      expect(await store.decision('p', 1)).toBeUndefined();
      expect(await store.kept('p', 'learning')).toBeUndefined();
      expect(await store.setup('s')).toBeUndefined();
      expect(await store.pipelineNames()).toEqual([]);
    });

    it('gives back the good plans of each pipeline, newest first, at most as many as asked for', async () => {
      const store = await open();
      const [small, large] = [goodPlanOf('small', { specDigest: 'old' }), goodPlanOf('large', { atEpochMs: 1 })];
      await store.saveGoodPlan('p', small);
      // The order is that of saving: clocks may be set back.
      await store.saveGoodPlan('p', large);
      await store.saveGoodPlan('q', goodPlanOf('other'));
      expect(await store.goodPlans('p', 1)).toEqual([large]);
      expect(await store.goodPlans('p', 5)).toEqual([large, small]);
      expect(await store.goodPlans('q', 5)).toEqual([goodPlanOf('other')]);
      expect(await store.goodPlans('p', 0)).toEqual([]);
    });

    it('keeps what it was given, whatever becomes of the object', async () => {
      const store = await open();
      const good = structuredClone(goodPlanOf('small')) as { plan: { predicted: { pas: number } } } & GoodPlan;
      await store.saveGoodPlan('p', good);
      good.plan.predicted.pas = 0;
      expect(await store.goodPlans('p', 1)).toEqual([goodPlanOf('small')]);
    });

    it('gives the newest decisions of one pipeline, newest first, page by page', async () => {
      const store = await open();
      for (const [index, at] of [10, 20, 30, 5].entries()) await store.appendDecision('p', decisionAt(at, index + 1));
      await store.appendDecision('q', decisionAt(99));
      const ids = async (page: Parameters<PlanStore['decisions']>[1]) =>
        (await store.decisions('p', page)).map(({ id }) => id);
      expect(await store.decisions('p', { limit: 2 })).toEqual([decisionAt(5, 4), decisionAt(30, 3)]);
      expect(await ids({ limit: 2, beforeId: 3 })).toEqual([2, 1]);
      const { observation, ...entry } = decisionAt(20, 2);
      const summary = { ...entry, runningPlan: observation.runningPlan };
      expect(await store.decisionSummaries('p', { limit: 1, beforeId: 3 })).toEqual([summary]);
      expect(await ids({ limit: 100 })).toEqual([4, 3, 2, 1]);
      expect(await ids({ limit: 0 })).toEqual([]);
      expect(await store.decision('p', 2)).toEqual(decisionAt(20, 2));
      expect(await store.decision('q', 2)).toBeUndefined();
      expect(await store.pipelineNames()).toEqual(['p', 'q']);
    });

    it('counts on where an id is taken, and leaves gaps as they are', async () => {
      const store = await open();
      expect(await store.appendDecision('p', decisionAt(1, 7))).toBe(7);
      expect(await store.appendDecision('p', decisionAt(2, 7))).toBe(8);
      expect(await store.appendDecision('p', decisionAt(3, 2))).toBe(9);
      expect(await store.appendDecision('p', decisionAt(4, 20))).toBe(20);
      expect((await store.decision('p', 8))?.atEpochMs).toBe(2);
      expect((await store.decision('p', 8))?.id).toBe(8);
    });

    it('adds to a decision what is known later, one thing after another', async () => {
      const store = await open();
      const observed = { windowMs: 60_000, arrivalRps: 3.5, completed: 210, failed: 0, dropped: 0 };
      await store.appendDecision('p', decisionAt(1));
      await store.appendDecision('p', { ...decisionAt(2, 2), outcome: { kind: 'applied', tookMs: 1 } });
      await store.amendDecision('p', 1, { outcome: { kind: 'applied', tookMs: 12.5 } });
      await store.amendDecision('p', 1, { observed });
      await store.amendDecision('p', 99, { observed });
      expect(await store.decision('p', 1)).toEqual({
        ...decisionAt(1),
        outcome: { kind: 'applied', tookMs: 12.5 },
        observed,
      });
      expect(await store.decision('p', 2)).toEqual({ ...decisionAt(2, 2), outcome: { kind: 'applied', tookMs: 1 } });
    });

    it('keeps values by name, the newest, and setups by digest', async () => {
      const store = await open();
      await store.keep('p', 'learning', { weights: [1, 0.1 + 0.2] });
      await store.keep('p', 'learning', { weights: [1e-300] });
      await store.keep('q', 'learning', { weights: [3] });
      await store.keep('p', 'service', { corrections: [] });
      expect(await store.kept('p', 'learning')).toEqual({ weights: [1e-300] });
      expect(await store.kept('p', 'service')).toEqual({ corrections: [] });
      expect(await store.kept('q', 'operator')).toBeUndefined();
      await store.saveSetup('s', { seed: 1 }, 1);
      await store.saveSetup('s', { seed: 1 }, 2);
      expect(await store.setup('s')).toEqual({ seed: 1 });
    });

    it('refuses work after close with STORE_FAILED, and a second close does no harm', async () => {
      const store = await open();
      await store.close();
      await store.close();
      const failure = expect.objectContaining({ code: 'STORE_FAILED' });
      await expect(store.appendDecision('p', decisionAt(1))).rejects.toEqual(failure);
      await expect(store.saveGoodPlan('p', goodPlanOf('a'))).rejects.toEqual(failure);
      await expect(store.goodPlans('p', 1)).rejects.toEqual(failure);
      await expect(store.decisions('p', { limit: 1 })).rejects.toEqual(failure);
      await expect(store.keep('p', 'service', {})).rejects.toEqual(failure);
    });
  });
}
