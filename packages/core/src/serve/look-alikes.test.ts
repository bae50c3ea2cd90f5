/** Two minutes of a stage whose attackers send another input each time, so no digest is seen twice. */
import { describe, expect, it } from 'vitest';
import { AttackedStage, type Attacker } from './look-alikes.test-support.js';

const PATIENT: readonly Attacker[] = [
  { kind: 'exit', rps: 3, timeoutMs: 60_000 },
  { kind: 'hang', rps: 2, timeoutMs: 60_000 },
];
const HASTY: Attacker = { kind: 'exit', rps: 1 };
const TWO_MINUTES_MS = 120_000;

it.each([1, 2, 4])('answers all good requests without attackers: %d replicas', (replicas) => {
  expect(new AttackedStage(replicas, TWO_MINUTES_MS).answered([])).toEqual({ kept: 1, fresh: 1 });
});

describe('attackers who state a long time-out', () => {
  // Without isolation, 4, 9 and 14 %.
  it.each([
    [1, 0.8],
    [2, 0.98],
    [4, 0.99],
  ])('take no replicas from requests with the usual one: %d replicas', (replicas, least) => {
    const { kept, fresh } = new AttackedStage(replicas, TWO_MINUTES_MS).answered(PATIENT);
    expect(Math.min(kept, fresh)).toBeGreaterThan(least);
  });

  it('gain nothing by a time-out that falls each time', () => {
    const falling = PATIENT.map((each) => ({ ...each, timeoutFallsMs: 1 }));
    const { kept, fresh } = new AttackedStage(2, TWO_MINUTES_MS).answered(falling);
    expect(Math.min(kept, fresh)).toBeGreaterThan(0.98);
  });

  it('get in the way of good requests that are like theirs, except for clients with a record', () => {
    const { kept, fresh } = new AttackedStage(3, TWO_MINUTES_MS).answered([...PATIENT, HASTY], 60_000);
    expect(kept).toBeGreaterThan(0.95);
    expect(fresh).toBeLessThan(0.5);
  });
});

describe('attackers who state no time-out, on new connections', () => {
  // Without isolation, 15 and 34 % of both.
  it.each([2, 4])('take no replicas from clients with a record: %d replicas', (replicas) => {
    const { kept, fresh } = new AttackedStage(replicas, TWO_MINUTES_MS).answered([HASTY]);
    expect(kept).toBeGreaterThan(0.98);
    expect(fresh).toBeLessThan(0.5);
  });

  it('isolate no one while the stage copes', () => {
    const answered = new AttackedStage(4, TWO_MINUTES_MS).answered([{ kind: 'hang', rps: 1 }]);
    expect(answered).toEqual({ kept: 1, fresh: 1 });
  });

  it('isolate no one by requests that nobody could answer in time', () => {
    const hopeless: Attacker = { kind: 'good', rps: 2, timeoutMs: 1 };
    const answered = new AttackedStage(4, TWO_MINUTES_MS).answered([{ kind: 'hang', rps: 1 }, hopeless]);
    expect(answered).toEqual({ kept: 1, fresh: 1 });
  });

  it.each([1, 5])('gain little by %d good requests before each bad one', (successes) => {
    const { kept } = new AttackedStage(2, TWO_MINUTES_MS).answered([{ ...HASTY, successes }]);
    expect(kept).toBeGreaterThan(0.95);
  });

  it('gain little by others who state a long one', () => {
    const { kept } = new AttackedStage(2, TWO_MINUTES_MS).answered([...PATIENT, HASTY]);
    expect(kept).toBeGreaterThan(0.9);
  });
});
