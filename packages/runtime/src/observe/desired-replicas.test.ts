import { type Decision, type DecisionEvidence, type Plan, type stageId, variantId } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import type { LoopEvent } from '../loop/loop-event.js';
import { DesiredReplicas } from './desired-replicas.js';

const predicted = { latencyMs: 120, percentile: 99, pas: 0.75, capacityRps: 80, cpuCores: 3, costPerHour: 3 };
const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };

/** A plan from `stage/variant` to replicas. */
function planOf(replicas: Readonly<Record<string, number>>): Plan {
  const stages: Record<string, Plan['stages'][ReturnType<typeof stageId>]> = {};
  for (const [name, count] of Object.entries(replicas)) {
    const [stage = '', variant = ''] = name.split('/');
    const batching = { maxBatchSize: 1, maxBatchWaitMs: 0 };
    stages[stage] = [{ variantId: variantId(variant), resources, ...batching, replicas: count, trafficFraction: 1 }];
  }
  return { stages, predicted };
}

const evidence: DecisionEvidence = { forecast: { method: 'given', meanRps: 1, upperRps: 1 } };
const observation = {
  ...{ atMs: 0, load: { arrivalsPerSecond: [] }, stages: {}, staleSources: [] },
  runningPlan: { stages: {} },
};

function decided(decision: Decision, mode: 'auto' | 'advise'): LoopEvent {
  return { kind: 'decided', record: { id: 1, atEpochMs: 0, observation, mode, decision } };
}

const apply = (plan: Plan, mode: 'auto' | 'advise' = 'auto') =>
  decided({ kind: 'apply', plan, changes: [], reason: 'load', evidence }, mode);
const inForce = (plan: Plan): LoopEvent => ({ kind: 'in-force', plan, tookMs: 1 });
const hold = (mode: 'auto' | 'advise', verdict: boolean) => {
  const result = { kind: 'feasible', plan: planOf({}) } as unknown as NonNullable<DecisionEvidence['result']>;
  return decided({ kind: 'hold', reason: 'good', evidence: { ...evidence, ...(verdict && { result }) } }, mode);
};

function after(...events: readonly LoopEvent[]): Readonly<Record<string, number>> {
  const desired = new DesiredReplicas();
  for (const event of events) desired.note(event);
  return Object.fromEntries(desired.all().map(({ stage, variant, replicas }) => [`${stage}/${variant}`, replicas]));
}

const small = planOf({ 'a/v': 2, 'b/v': 1 });
const large = planOf({ 'a/v': 5, 'b/v': 1 });
const switched = planOf({ 'a/w': 3, 'b/v': 1 });

describe('the replicas that are wanted', () => {
  it.each<[string, readonly LoopEvent[], Readonly<Record<string, number>>]>([
    ['are none before the first plan', [], {}],
    ['are those of the plan in force', [apply(small), inForce(small)], { 'a/v': 2, 'b/v': 1 }],
    ['are those of a plan once it is decided', [inForce(small), apply(large)], { 'a/v': 5, 'b/v': 1 }],
    [
      'keep the variant that serves until another is in force',
      [inForce(small), apply(switched)],
      { 'a/w': 3, 'b/v': 1, 'a/v': 2 },
    ],
    ['let it go then', [inForce(small), apply(switched), inForce(switched)], { 'a/w': 3, 'b/v': 1 }],
    ['are those of the advice', [inForce(small), apply(large, 'advise')], { 'a/v': 5, 'b/v': 1 }],
    [
      'end with the advice when what runs may stay',
      [inForce(small), apply(large, 'advise'), hold('advise', true)],
      { 'a/v': 2, 'b/v': 1 },
    ],
    [
      'stay where a tick could not tell',
      [inForce(small), apply(large, 'advise'), hold('advise', false)],
      { 'a/v': 5, 'b/v': 1 },
    ],
    [
      'of a plan that is carried out do not end with the next hold',
      [inForce(small), apply(large), hold('auto', true)],
      { 'a/v': 5, 'b/v': 1 },
    ],
  ])('%s', (_, events, wanted) => {
    expect(after(...events)).toEqual(wanted);
  });

  it('are told by stage and by variant, and that they change', () => {
    const desired = new DesiredReplicas();
    let changes = 0;
    const forget = desired.onChange(() => changes++);
    expect(desired.of('a')).toBeUndefined();
    desired.note(inForce(small));
    desired.note(apply(switched));
    expect([desired.of('a'), desired.of('a', 'w'), desired.of('a', 'v'), desired.of('c')]).toEqual([5, 3, 2, 0]);
    forget();
    desired.note(inForce(switched));
    expect(changes).toBe(2);
  });
});
