import type { DecisionRecord } from '@equipoise/core/model';
import { SeededRng } from '@equipoise/core/model';
import { expect, it } from 'vitest';
import { replayGroups } from './replay-group.js';

/** The part of a record by which it is grouped. */
const recordOf = (setupDigest: string, arrivalRps: number | undefined, input?: object): DecisionRecord =>
  ({
    ...{ setupDigest, input },
    ...(arrivalRps !== undefined && { decision: { evidence: { load: { arrivalRps }, forecast: { upperRps: 0 } } } }),
  }) as unknown as DecisionRecord;

it('groups decisions with the same rules for similar rates, each decision once', () => {
  const rng = new SeededRng(4);
  const records = Array.from({ length: 100 }, (_, i) =>
    recordOf(i % 3 === 0 ? 'a' : 'b', i % 10 === 0 ? undefined : Math.floor(20 * rng.next())),
  );
  const groups = replayGroups({ decisions: records.map((record) => ({ pipelineName: 'p', record })) });
  expect(groups.flatMap(({ indices }) => indices).sort((x, y) => x - y)).toEqual(records.map((_, i) => i));
  for (const { indices, records: grouped } of groups) {
    expect(grouped).toEqual(indices.map((index) => records[index]));
    expect(grouped.length).toBeLessThanOrEqual(16);
    expect(new Set(grouped.map(({ setupDigest }) => setupDigest)).size).toBe(1);
  }
  for (const digest of ['a', 'b']) {
    const rates = groups
      .flatMap(({ records: grouped }) => grouped)
      .filter(({ setupDigest }) => setupDigest === digest)
      .map(({ decision }) => decision?.evidence.load?.arrivalRps ?? 0);
    expect(rates).toEqual(rates.toSorted((x, y) => x - y));
  }
});

it('separates decisions with other pins, corrections or learned edges, of which each needs rules of its own', () => {
  const inputs = [
    { corrections: [] },
    { corrections: [{ factor: 1.5 }] },
    { corrections: [], pins: { a: { replicas: 2 } } },
    { corrections: [], edges: [{ edge: 0, value: 2 }] },
    { corrections: [], edges: [{ edge: 0, value: 3 }] },
  ];
  // Rates alone would mix them.
  const records = Array.from({ length: 20 }, (_, i) => recordOf('a', Math.floor(i / 5), inputs[i % 5]));
  const groups = replayGroups({ decisions: records.map((record) => ({ pipelineName: 'p', record })) });
  const grouped = groups.map(({ records: of }) => new Set(of.map(({ input }) => input)));
  expect(grouped.map((each) => [...each])).toEqual(inputs.map((input) => [input]));
});
