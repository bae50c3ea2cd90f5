import { describe, expect, it } from 'vitest';
import { stageId } from '../model/ids.js';
import { planOf, smallOrLargeSpec } from '../model/spec-builders.test-support.js';
import {
  type GuardrailSnapshot,
  guardrailSnapshot,
  guardrailsAfterRestart,
  guardrailsDiffer,
} from './controller-snapshot.js';
import { type ControllerState, newController } from './controller-state.js';

const spec = smallOrLargeSpec();
const detect = stageId('detect');
const trial = {
  ...{ before: planOf(spec, { maxBatchSize: 1, replicas: 1 }), beforeLoad: { arrivalRps: 9 } },
  ...{ sinceMs: 999_000, missedAtStart: 7 },
};
const guardrails: GuardrailSnapshot = {
  appliedAtMs: [400_000, 990_000],
  switches: [{ stageId: detect, atMs: 990_000 }],
  trial,
  backOff: { untilMs: 1_060_000, failures: 1 },
};
/** Snapshot taken 1,000 s after the process started. */
const keptAt = { atMs: 1_000_000, atEpochMs: 1_700_000_000_000 };
const after = (s: number) =>
  guardrailsAfterRestart({ guardrails, keptAt }, { atMs: 500, atEpochMs: keptAt.atEpochMs + 1000 * s });

describe('what the guardrails remember', () => {
  it('is kept, and nothing where nothing happened', () => {
    expect(guardrailSnapshot({ ...newController, ...guardrails })).toEqual(guardrails);
    expect(guardrailSnapshot(newController)).toBeUndefined();
    const { trial: _, backOff: __, ...changes } = guardrails;
    expect(guardrailSnapshot({ ...newController, ...changes })).toEqual(changes);
  });

  it('is other than before where a change was made, tried, passed or taken back', () => {
    const state: ControllerState = { ...newController, ...guardrails };
    const { trial: _, ...passed } = state;
    expect(guardrailsDiffer({ ...state, nextPlanAtMs: 1 }, state)).toBe(false);
    expect(guardrailsDiffer(passed, state)).toBe(true);
    expect(guardrailsDiffer({ ...state, appliedAtMs: [...state.appliedAtMs, 1_000_000] }, state)).toBe(true);
    expect(guardrailsDiffer({ ...state, backOff: { untilMs: 1, failures: 2 } }, state)).toBe(true);
  });

  it('counts a change that is under way, and has nothing of it on trial before it has ended', () => {
    const { trial: _, ...counted } = guardrails;
    const before: ControllerState = { ...newController, ...counted };
    const { appliedAtMs, switches } = before;
    const changing: ControllerState = { ...before, trial, beforeChange: { appliedAtMs, switches } };
    expect(guardrailSnapshot(changing)).toEqual(counted);
    expect(guardrailsDiffer(changing, before)).toBe(false);
    expect(guardrailsDiffer({ ...changing, appliedAtMs: [...appliedAtMs, 1_000_000] }, before)).toBe(true);
    const { beforeChange: __, ...ended } = changing;
    expect(guardrailSnapshot(ended)).toEqual(guardrails);
    expect(guardrailsDiffer(ended, changing)).toBe(true);
    // A change stays on trial until its roll-back is complete.
    expect(guardrailSnapshot({ ...before, beforeChange: { appliedAtMs, switches, trial } })).toEqual(guardrails);
  });

  it('is as old in the next process as has passed on the wall clock', () => {
    // The new process is 500 ms old, the snapshot 5 s.
    expect(after(5)).toEqual({
      appliedAtMs: [500 - 605_000, 500 - 15_000],
      switches: [{ stageId: detect, atMs: 500 - 15_000 }],
      trial: { ...trial, sinceMs: 500 - 6000, missedAtStart: 0 },
      backOff: { untilMs: 500 + 55_000, failures: 1 },
    });
  });

  it('is left out as it grows too old: first the trial, then the switches, the changes and the back-off', () => {
    expect(after(60)).not.toHaveProperty('trial');
    expect(after(60).backOff).toEqual({ untilMs: 500, failures: 1 });
    expect(after(1300)).toMatchObject({ switches: [], appliedAtMs: [expect.any(Number), expect.any(Number)] });
    expect(after(3100).appliedAtMs).toHaveLength(1);
    expect(after(3700)).toEqual({ appliedAtMs: [], switches: [] });
  });

  it('is left out where the wall clock was set back and it would lie in the future', () => {
    expect(after(-3600)).toEqual({ appliedAtMs: [], switches: [] });
    expect(after(-5)).toEqual({
      appliedAtMs: [500 - 595_000, 500 - 5000],
      switches: [{ stageId: detect, atMs: 500 - 5000 }],
    });
  });
});
