import { describe, expect, it } from 'vitest';
import type { HistoryPoint, Plan, RunningPlan } from '../api/answers.js';
import { type StatusInput, stageStatus } from './stage-status.js';

const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
const running = (omitted: boolean): RunningPlan => ({
  stages: {
    a: {
      replicas: omitted ? [] : [{ replicaId: 'a-1', variantId: 'v', resources, status: 'ready' }],
      ...{ maxBatchSize: 4, maxBatchWaitMs: 0, queueLength: 0 },
      ...(omitted && { omitted: true as const }),
    },
  },
});
const past = (ready: number, droppedRps: number): HistoryPoint => ({
  ...{ atEpochMs: 0, arrivalRps: 5, completedRps: 5, lateRps: 0, failedRps: 0, drops: {}, cpuCores: {} },
  stages: {
    a: { arrivalRps: 5, droppedRps, queueLength: 0, replicas: { starting: 0, ready, draining: 0, unhealthy: 0 } },
  },
});
const input = (over: Partial<StatusInput>): StatusInput => ({
  ...{ running: running(false), rates: undefined, plan: undefined, replayed: undefined, latest: undefined },
  ...over,
});

describe('the state of a stage', () => {
  it.each([
    ['now', input({}), 'ok', undefined],
    ['that the plan omits', input({ running: running(true) }), 'ok', 'omitted by the plan'],
    ['in the past, without drops', input({ replayed: past(1, 0) }), 'ok', undefined],
    ['in the past, with drops', input({ replayed: past(1, 2) }), 'bad', 'dropping'],
    [
      'that is omitted now, but had replicas',
      input({ running: running(true), replayed: past(1, 2) }),
      'bad',
      'dropping',
    ],
    [
      'that is omitted now, and had no replicas',
      input({ running: running(true), replayed: past(0, 0) }),
      'ok',
      'omitted by the plan',
    ],
  ] as const)('%s', (_, of, level, note) => {
    expect(stageStatus('a', of)).toMatchObject({ level, note });
  });

  it.each([
    [3, 0.75],
    [6, undefined],
  ])('fills batches of at most 4 with %s items: %s', (batchSize, fill) => {
    const rates = { stages: { a: { itemsRps: 1, batchSize, droppedRps: 0, failedRps: 0 } } } as never;
    expect(stageStatus('a', input({ rates })).batchFill).toBe(fill);
  });

  it('wants the replicas of all variants of the plan', () => {
    const plan = { stages: { a: [{ replicas: 2 }, { replicas: 1 }] } } as unknown as Plan;
    expect(stageStatus('a', input({ plan })).desired).toBe(3);
  });
});
