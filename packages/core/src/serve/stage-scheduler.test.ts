import { expect, it } from 'vitest';
import { replicaId } from '../model/ids.js';
import { CoreGate } from './core-gate.js';
import { ServingReplica } from './replica.js';
import { RequestState, StageItem } from './request-state.js';
import { type StageEffects, StageScheduler } from './stage-scheduler.js';

const effects: StageEffects<string, undefined> = {
  startBatch: () => {},
  dropItem: () => {},
  passes: () => true,
  isAlike: () => false,
  mayTryAlone: () => true,
  runsLate: () => {},
  wakeAt: () => {},
};

it('tells whether a batch or an earlier alarm may follow a new item', () => {
  const limits = { maxQueueLength: 3, dropLate: true };
  const stage = new StageScheduler<string, undefined>(0, new CoreGate(1), limits, effects);
  const described = { replicaId: replicaId('r'), cpuCores: 1 };
  stage.replicas.push(new ServingReplica({ stage: 0, index: 0 }, described, { nowMs: 0, watched: false }));
  let sequence = 0;
  const enqueue = (deadlineAtMs: number): boolean => {
    const arrival = { context: undefined, arrivedAtMs: 0, deadlineAtMs };
    const request = new RequestState<string, undefined>(sequence, arrival, 1);
    const place = { stage: 0, scope: undefined, payload: '', enqueuedAtMs: 0, sequence: sequence++ };
    return stage.enqueue(new StageItem(request, place), 0);
  };
  expect(enqueue(100), 'a replica is free').toBe(true);
  stage.dispatchOne(0);
  expect(enqueue(100), 'the first item sets the alarm').toBe(true);
  expect(enqueue(200), 'a later deadline').toBe(false);
  expect(enqueue(50), 'an earlier deadline').toBe(true);
  expect(enqueue(200), 'the queue is full').toBe(true);
});
