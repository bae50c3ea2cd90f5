import { describe, expect, it } from 'vitest';
import { Culprits } from './culprits.js';

const PATIENT = { client: undefined, patienceMs: 60_000 };
const USUAL = { client: undefined, patienceMs: 500 };
const clientWith = (culprits: Culprits, completed: number): object => {
  const client = {};
  for (let i = 0; i < completed; i++) culprits.noteCompleted(client);
  return client;
};

function ofStageThatDrops(): Culprits {
  const culprits = new Culprits();
  for (const arrivals of [1, 2, 3]) culprits.noteDropped(arrivals, 0);
  return culprits;
}

describe('requests like culprits', () => {
  it('are those of at least the patience of two culprits', () => {
    const culprits = ofStageThatDrops();
    culprits.noteCulprit(PATIENT, 0);
    expect([USUAL, PATIENT].map((sender) => culprits.isAlike(sender, 2, 1))).toEqual([false, false]);
    culprits.noteCulprit({ ...PATIENT, patienceMs: 30_000 }, 2);
    const patience = [500, 23_999, 24_000, 47_999, 48_000, 90_000];
    expect(patience.map((patienceMs) => culprits.isAlike({ ...PATIENT, patienceMs }, 2, 3))).toEqual([
      ...[false, false, false, false, true, true],
    ]);
  });

  it('are those like as many culprits as there are replicas', () => {
    const culprits = ofStageThatDrops();
    culprits.isAlike(USUAL, 3, 0);
    for (const atMs of [0, 1]) culprits.noteCulprit(PATIENT, atMs);
    culprits.isAlike(USUAL, 3, 2);
    expect([1, 2, 3].map((replicas) => culprits.isAlike(PATIENT, replicas, 3))).toEqual([true, true, false]);
    culprits.noteCulprit(PATIENT, 4);
    expect(culprits.isAlike(PATIENT, 3, 5)).toBe(true);
  });

  it('are no longer after a minute', () => {
    const culprits = ofStageThatDrops();
    for (const atMs of [0, 1_000]) culprits.noteCulprit(PATIENT, atMs);
    const alikeAt = (nowMs: number) => {
      culprits.isAlike(USUAL, 2, nowMs);
      return culprits.isAlike(PATIENT, 2, nowMs);
    };
    expect([59_999, 60_000].map(alikeAt)).toEqual([true, false]);
  });

  it('are none while all requests would be', () => {
    const culprits = ofStageThatDrops();
    for (const atMs of [0, 1]) culprits.noteCulprit(USUAL, atMs);
    expect([USUAL, PATIENT].map((sender) => culprits.isAlike(sender, 2, 2))).toEqual([false, false]);
    expect(culprits.isAlike({ ...USUAL, patienceMs: 399 }, 2, 3)).toBe(false);
    expect([10_003, 10_004].map((nowMs) => culprits.isAlike(USUAL, 2, nowMs))).toEqual([true, false]);
  });

  it('are not those of clients with a better record than two culprits', () => {
    const culprits = ofStageThatDrops();
    culprits.noteLoss(0);
    for (const completed of [5, 3, 0]) {
      culprits.noteCulprit({ client: clientWith(culprits, completed), patienceMs: 500 }, 0);
    }
    const records = [6, 5, 4, 3, 0];
    expect(
      records.map((completed) => culprits.isAlike({ client: clientWith(culprits, completed), patienceMs: 500 }, 2, 1)),
    ).toEqual([false, false, false, true, true]);
  });

  it('are those of a client that is a culprit itself, until its new record is better', () => {
    const culprits = ofStageThatDrops();
    culprits.noteLoss(0);
    const client = clientWith(culprits, 2);
    const isAlike = () => culprits.isAlike({ client, patienceMs: 500 }, 2, 1);
    culprits.isAlike({ client: clientWith(culprits, 9), patienceMs: 500 }, 2, 0);
    culprits.noteCulprit({ client, patienceMs: 500 }, 0);
    culprits.noteCulprit({ client, patienceMs: 500 }, 0);
    culprits.isAlike({ client: clientWith(culprits, 9), patienceMs: 500 }, 2, 1);
    expect(isAlike()).toBe(true);
    culprits.noteCompleted(client);
    expect(isAlike()).toBe(false);
  });
});

describe('likeness', () => {
  const isAlikeAt = (culprits: Culprits, nowMs: number): boolean => {
    for (let i = 0; i < 2; i++) culprits.noteCulprit(PATIENT, nowMs);
    culprits.isAlike(USUAL, 2, nowMs);
    return culprits.isAlike(PATIENT, 2, nowMs);
  };

  it('counts from the third of many drops on, for ten minutes', () => {
    const culprits = new Culprits();
    const found = [1, 2, 3].map((arrivals) => {
      culprits.noteDropped(arrivals, 1_000);
      return isAlikeAt(culprits, 1_000);
    });
    expect(found).toEqual([false, false, true]);
    expect([600_999, 601_000].map((nowMs) => isAlikeAt(culprits, nowMs))).toEqual([true, false]);
  });

  it('does not count for few drops of many items, or for drops that are far apart', () => {
    const culprits = new Culprits();
    for (const arrivals of [1_000, 1_040, 1_080, 1_120]) culprits.noteDropped(arrivals, 0);
    for (let atMs = 10_000; atMs < 600_000; atMs += 10_000) culprits.noteDropped(2_000 + atMs / 10_000, atMs);
    expect(isAlikeAt(culprits, 600_000)).toBe(false);
  });

  it('is not evaded by requests without time, which do not count as others', () => {
    const culprits = ofStageThatDrops();
    const hopeless = { ...USUAL, isHopeless: true };
    for (const atMs of [0, 1]) culprits.noteCulprit(USUAL, atMs);
    culprits.isAlike({ ...USUAL, patienceMs: 1, isHopeless: true }, 2, 2);
    expect(culprits.isAlike(hopeless, 2, 3)).toBe(false);
    culprits.isAlike({ ...USUAL, patienceMs: 1 }, 2, 4);
    expect(culprits.isAlike(hopeless, 2, 5)).toBe(true);
  });

  it('is not evaded by a patience that falls slowly', () => {
    const culprits = ofStageThatDrops();
    for (let i = 0; i < 3; i++) culprits.noteCulprit({ ...PATIENT, patienceMs: 60_000 - i }, i);
    culprits.isAlike(USUAL, 3, 4);
    expect([59_000, 48_000, 47_998].map((patienceMs) => culprits.isAlike({ ...PATIENT, patienceMs }, 3, 4))).toEqual([
      ...[true, true, false],
    ]);
  });
});

it('keeps records for ten minutes after a loss', () => {
  const culprits = ofStageThatDrops();
  expect(culprits.keepsRecords(0)).toBe(false);
  culprits.noteLoss(0);
  culprits.noteLoss(1_000);
  expect([600_999, 601_000].map((nowMs) => culprits.keepsRecords(nowMs))).toEqual([true, false]);
});

it('remembers the last 64 culprits', () => {
  const culprits = ofStageThatDrops();
  for (let i = 0; i < 2; i++) culprits.noteCulprit(USUAL, 0);
  for (let i = 0; i < 63; i++) culprits.noteCulprit(PATIENT, 1);
  expect([USUAL, PATIENT].map((sender) => culprits.isAlike(sender, 2, 2))).toEqual([false, false]);
  culprits.noteCulprit(PATIENT, 3);
  expect([USUAL, PATIENT].map((sender) => culprits.isAlike(sender, 2, 4))).toEqual([false, true]);
  expect(culprits.isAlike(PATIENT, 1_000, 5)).toBe(true);
});
