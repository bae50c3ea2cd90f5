import { describe, expect, it } from 'vitest';
import type { ReplicaId } from '../model/ids.js';
import { stageId, variantId } from '../model/ids.js';
import { CountedHistory, type CountedSecond } from './counted-history.js';

const spec = { stages: [{ id: stageId('a') }, { id: stageId('b') }], edges: [] } as never;
const replica = (status: 'ready' | 'starting' | 'failed') => ({
  ...{ replicaId: 'r' as ReplicaId, variantId: variantId('v'), status },
  resources: { cpuCores: 2, memoryBytes: 0, gpus: 0 },
});
const second = (atEpochMs: number, over: Partial<CountedSecond> = {}): CountedSecond => ({
  ...{ atEpochMs, arrived: 10, completed: 7, late: 2, failed: 1, drops: { 'queue-full': 2 }, p99Ms: 80 },
  ...{ busyCores: 1.5, budgetCores: 8, staleSignals: 0 },
  stages: { [stageId('a')]: { items: 9, batches: 3, dropped: 2, queueLength: 4 } },
  runningPlan: {
    stages: {
      [stageId('a')]: {
        replicas: [replica('ready'), replica('starting'), replica('failed')],
        ...{ maxBatchSize: 4, maxBatchWaitMs: 0 },
      },
    },
  },
  plan: { pas: 0.8, costPerHour: 4, cpuCores: 4 },
  ...over,
});

describe('CountedHistory', () => {
  it('writes what counters and replicas tell, and nothing else', () => {
    const counted = new CountedHistory(spec);
    counted.append(second(1000));
    const [point] = counted.history.window().points(10);
    expect(point).toMatchObject({
      ...{ atEpochMs: 1000, arrivalRps: 10, completedRps: 7, lateRps: 2, failedRps: 1, drops: { 'queue-full': 2 } },
      ...{ p50Ms: null, p99Ms: 80, accuracy: 0.8, cost: 4, cpuCores: { used: 1.5, planned: 4 } },
      stages: {
        a: {
          ...{
            arrivalRps: 9,
            droppedRps: 2,
            queueLength: 4,
            batchLimit: 4,
            batchSize: 3,
            batchFill: 0.75,
            cpuCores: 4,
          },
          replicas: { starting: 1, ready: 1, draining: 0, unhealthy: 1 },
        },
        b: { arrivalRps: 0, replicas: { starting: 0, ready: 0, draining: 0, unhealthy: 0 } },
      },
    });
    expect(point).not.toHaveProperty('forecastRps');
    expect(point?.stages[stageId('a')]).not.toHaveProperty('p99Ms');
  });

  it('keeps only the newest seconds of a bounded history', () => {
    const counted = new CountedHistory(spec, 60);
    for (let at = 1; at <= 100; at++) counted.append(second(at * 1000, { arrived: at }));
    const points = counted.history.window().points(1000);
    expect(points.map(({ arrivalRps }) => arrivalRps)).toEqual(Array.from({ length: 60 }, (_, i) => 41 + i));
  });
});
