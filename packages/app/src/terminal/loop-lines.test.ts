import {
  type ControlMode,
  type Decision,
  type ManualAction,
  type Plan,
  stageId,
  variantId,
} from '@equipoise/core/model';
import type { LoopEvent } from '@equipoise/runtime';
import { describe, expect, it } from 'vitest';
import { LoopLines } from './loop-lines.js';

const forecast = (meanRps: number) => ({ forecast: { method: 'last', meanRps, upperRps: 2 * meanRps } });
const plan = { stages: {}, predicted: {} } as unknown as Plan;
const observation = {
  ...{ atMs: 0, load: { arrivalsPerSecond: [] }, stages: {}, staleSources: [] },
  runningPlan: { stages: {} },
};

const decided = (id: number, decision: Decision) =>
  ({ kind: 'decided', record: { id, atEpochMs: 0, observation, decision } }) as const;
const hold = (id: number, reason: string, rps = id): ReturnType<typeof decided> =>
  decided(id, { kind: 'hold', reason, evidence: forecast(rps) });

it('tells a decision to hold once, until something else is decided or done', () => {
  const lines = new LoopLines();
  const told = [
    decided(1, { kind: 'apply', plan, changes: [], reason: 'best plan', evidence: forecast(1) }),
    { kind: 'amended', id: 1, outcome: { kind: 'applied', tookMs: 12 } } as const,
    { kind: 'in-force', plan, tookMs: 12 } as const,
    hold(2, 'the best plan is already running'),
    hold(3, 'the best plan is already running'),
    { kind: 'failed', step: 'store', error: new Error('disk') } as const,
    hold(4, 'the best plan is already running'),
    hold(5, 'no fresh input from load'),
    hold(6, 'the best plan is already running'),
    { kind: 'manual', record: { id: 7, atEpochMs: 0, observation, manual: { action: 'pin' } }, mode: 'auto' } as const,
    hold(8, 'the best plan is already running'),
    { kind: 'recovered', step: 'store' } as const,
  ].map((event) => lines.of(event));
  expect(told).toEqual([
    undefined,
    '[1] apply: best plan (1.0 rps expected, planned for 2.0)',
    'plan in force after 12 ms: ',
    '[2] hold: the best plan is already running (2.0 rps expected, planned for 4.0)',
    undefined,
    'store failed: disk',
    undefined,
    '[5] hold: no fresh input from load (5.0 rps expected, planned for 10.0)',
    '[6] hold: the best plan is already running (6.0 rps expected, planned for 12.0)',
    '[7] pin by hand (mode auto)',
    '[8] hold: the best plan is already running (8.0 rps expected, planned for 16.0)',
    'store works again',
  ]);
});

it('tells a failure once, until it is another one or is over', () => {
  const failed = (message: string) => ({ kind: 'failed', step: 'store', error: new Error(message) }) as const;
  const lines = new LoopLines();
  const recovered = { kind: 'recovered', step: 'store' } as const;
  const told = [failed('full'), failed('full'), failed('locked'), recovered, failed('locked')].map((e) => lines.of(e));
  expect(told).toEqual([
    'store failed: full',
    undefined,
    'store failed: locked',
    'store works again',
    'store failed: locked',
  ]);
});

it('names the factor of a robust decision', () => {
  const evidence = { ...forecast(1), robustness: { serviceFactor: 1.3 } };
  const line = new LoopLines().of(decided(1, { kind: 'hold', reason: 'best plan', evidence }));
  expect(line).toBe('[1] hold: best plan (1.0 rps expected, planned for 2.0, service times × 1.3)');
});

it('tells what a person holds a stage to, and why', () => {
  const pins = { [stageId('detect')]: { variantId: variantId('small'), replicas: 2 } };
  const told = (manual: ManualAction) =>
    new LoopLines().of({ kind: 'manual', record: { id: 7, atEpochMs: 0, observation, manual }, mode: 'auto' });
  expect(told({ action: 'pin', pins, reason: 'a trial' })).toBe(
    '[7] pin by hand, detect is pinned to variantId small, replicas 2: a trial (mode auto)',
  );
  expect(told({ action: 'unpin', pins: {} })).toBe(
    '[7] unpin by hand, only pins of the pipeline file remain (mode auto)',
  );
});

it.each([
  [{ kind: 'applied', tookMs: 4 }, '[3] apply: load (1.0 rps expected, planned for 2.0)'],
  [
    { kind: 'given-up', message: 'the answer to a burst or a rise replaced it' },
    '[3] given up: the answer to a burst or a rise replaced it; load',
  ],
  [{ kind: 'failed', step: 'apply', message: 'start' }, '[3] not applied: start; load'],
] as const)('logs a decision to act once its changes have ended: %j', (outcome, line) => {
  const lines = new LoopLines();
  const decision: Decision = { kind: 'apply', plan, changes: [], reason: 'load', evidence: forecast(1) };
  expect(lines.of(decided(3, decision))).toBeUndefined();
  expect(lines.of({ kind: 'amended', id: 3, outcome })).toBe(line);
  expect(lines.of({ kind: 'amended', id: 3, outcome })).toBeUndefined();
});

it('does not call a replaced replica a failed apply', () => {
  const event = { kind: 'replica-replaced', stageId: stageId('detect'), error: new Error('it hangs') } as const;
  expect(new LoopLines().of(event)).toBe('a replica of detect is replaced: it hangs');
});

it('logs a quarantined input by its digest', () => {
  const event = { kind: 'input-quarantined', stageId: stageId('detect'), digest: 'ab12' } as const;
  const lines = new LoopLines();
  expect(lines.of(event)).toBe('stage detect hung on an input: input ab12 is refused for 10 minutes');
  expect(lines.of({ ...event, tenant: 'north' })).toMatch(/^stage detect hung on an input of tenant north:/);
});

it.each([
  ['step', 'gets 50 % of the requests'],
  ['passed', 'has passed and gets all requests'],
  ['rolled-back', 'is rolled back: it is slow'],
  ['ended', 'has ended without a verdict'],
] as const)('logs each step and verdict of a canary: %s', (state, words) => {
  const of = { kind: 'canary', stageId: stageId('detect'), variantId: variantId('large'), fraction: 0.5 } as const;
  const event = { ...of, state, ...(state === 'rolled-back' && { why: 'it is slow' }) };
  expect(new LoopLines().of(event)).toBe(`canary: variant large of stage detect ${words}`);
});

it('tells an advice as one, and once until it is another', () => {
  const lines = new LoopLines();
  const of = (replicas: number) =>
    ({ stages: { a: [{ variantId: 'v', replicas }] }, predicted: {} }) as unknown as Plan;
  const advised = (id: number, replicas: number) => {
    const decision: Decision = {
      ...{ kind: 'apply', plan: of(replicas), changes: [] },
      reason: 'load',
      evidence: forecast(0.025),
    };
    const { record } = decided(id, decision);
    return { kind: 'decided', record: { ...record, mode: 'advise' } } as const;
  };
  const told = [advised(1, 1), advised(2, 1), advised(3, 2), hold(4, 'good'), advised(5, 2)];
  expect(told.map((event) => lines.of(event))).toEqual([
    '[1] advice: load (0.025 rps expected, planned for 0.05)',
    undefined,
    '[3] advice: load (0.025 rps expected, planned for 0.05)',
    '[4] hold: good (4.0 rps expected, planned for 8.0)',
    '[5] advice: load (0.025 rps expected, planned for 0.05)',
  ]);
  const { record } = advised(6, 2);
  const acting = [
    { mode: 'auto' },
    { mode: 'auto', trigger: 'plan' },
    { trigger: 'start' },
    { trigger: 'manual' },
  ] as const;
  for (const what of acting) {
    expect(lines.of({ kind: 'decided', record: { ...record, ...what } })).toBeUndefined();
    const applied = { kind: 'amended', id: 6, outcome: { kind: 'applied', tookMs: 1 } } as const;
    expect(lines.of(applied)).toMatch(/^\[6\] apply: /);
  }
});

describe('a miss of the SLO that the load does not explain', () => {
  const planFor = (capacityRps: number) =>
    ({ stages: {}, predicted: { capacityRps, percentile: 99 } }) as unknown as Plan;
  const apply = (id: number, capacityRps: number, mode: ControlMode = 'auto') => {
    const of = { plan: planFor(capacityRps), changes: [], reason: 'best plan', evidence: forecast(1) };
    const { record } = decided(id, { kind: 'apply', ...of });
    return { kind: 'decided', record: { ...record, mode } } as const;
  };
  const inForce = (capacityRps: number) => ({ kind: 'in-force', plan: planFor(capacityRps), tookMs: 1 }) as const;
  const outcomeOf = (id: number, sloAttainmentFraction: number, arrivalRps = 50) => ({
    ...{ kind: 'amended' as const, id },
    observed: { windowMs: 10_000, arrivalRps, completed: 500, failed: 0, dropped: 0, sloAttainmentFraction },
  });
  const tell = (...events: readonly LoopEvent[]) => {
    const lines = new LoopLines();
    return events.map((event) => lines.of(event)).filter((line) => line?.startsWith('only '));
  };

  it('is told once, until an outcome is good', () => {
    const outcomes = [0.8, 0.7, 1, 0.9].map((fraction) => outcomeOf(1, fraction));
    const told = tell(apply(1, 500), inForce(500), ...outcomes);
    expect(told.map((line) => line?.slice(0, 11))).toEqual(['only 80.0 %', 'only 90.0 %']);
  });

  it('is not told again by the end of an outcome that began before', () => {
    const steps = [2, 3, 4].flatMap((id) => [outcomeOf(id - 1, 0.9), outcomeOf(id + 5, 1)]);
    expect(tell(apply(1, 500), inForce(500), ...steps)).toHaveLength(1);
  });

  it('is measured by the plan that served, not by the next one', () => {
    // The outcomes of a plan end after the next decision, and before its changes.
    const until = [apply(1, 100), inForce(100), apply(2, 500)];
    expect(tell(...until, outcomeOf(1, 0.6, 150))).toEqual([]);
    expect(tell(...until, inForce(500), outcomeOf(2, 0.6, 150))).toHaveLength(1);
  });

  it('is not measured by a plan that is only advised', () => {
    expect(tell(apply(1, 500, 'advise'), outcomeOf(1, 0.6))).toEqual([]);
    const serving = [apply(1, 500), inForce(500), apply(2, 5, 'advise')];
    expect(tell(...serving, outcomeOf(2, 0.6))).toHaveLength(1);
  });

  it.each([
    { kind: 'given-up', message: 'the answer to a burst or a rise replaced it' },
    { kind: 'failed', step: 'apply', message: 'start' },
  ] as const)('is not measured by a plan after changes that ended early: %j', (outcome) => {
    const changes = [apply(2, 500), { kind: 'amended', id: 2, outcome } as const];
    expect(tell(apply(1, 500), inForce(500), ...changes, outcomeOf(2, 0.6))).toEqual([]);
  });
});
