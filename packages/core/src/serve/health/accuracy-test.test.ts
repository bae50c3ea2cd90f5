import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { stageId, variantId } from '../../model/ids.js';
import { AccuracyTest } from './accuracy-test.js';

/** Scores until the test tells of a drop; Infinity if `scores` end before. */
function scoresToDrop(test: AccuracyTest, scores: Iterable<number>): number {
  let count = 0;
  for (const score of scores) {
    count += 1;
    test.note(score, count);
    if (test.drop !== undefined) return count;
  }
  return Number.POSITIVE_INFINITY;
}

/** `wrong` of every `of` scores are 0, evenly spread. */
function* evenly(wrong: number, of: number, count: number): Generator<number> {
  for (let i = 0; i < count; i++) yield (i * wrong) % of < wrong ? 0 : 1;
}

const measured = { accuracy: 0.9, confidence95: [0.89, 0.91] } as const;

describe('AccuracyTest', () => {
  it('needs the evidence of wrong answers in a row by its formula', () => {
    // Largest expected loss 0.11; before any block, the dispersion is 2.
    const evidence = [0, 0];
    let count = 0;
    while ((evidence[0] as number) + (evidence[1] as number) < 4e6) {
      for (const [i, rise] of [0.05, 0.2].entries())
        evidence[i] = ((evidence[i] as number) + 1) * Math.sqrt((0.11 + rise) / 0.11);
      count += 1;
    }
    expect(scoresToDrop(new AccuracyTest(measured), new Array<number>(100).fill(0))).toBe(count);
  });

  it('is calm while the accuracy is as expected, and tells of 5 points less', () => {
    const test = new AccuracyTest(measured);
    expect(scoresToDrop(test, evenly(1, 10, 20_000))).toBe(Number.POSITIVE_INFINITY);
    expect(test.seen).toMatchObject({ accuracy: 0.9, scores: 2000 });
    expect(scoresToDrop(test, evenly(3, 20, 20_000))).toBeLessThan(2000);
    const { drop } = test;
    expect(drop?.seen.accuracy).toBeCloseTo(0.85, 2);
    expect(drop?.leastExpected).toBeCloseTo(0.89, 2);
  });

  it('takes a measured accuracy only as certain as its interval', () => {
    const uncertain = { accuracy: 0.9, confidence95: [0.84, 0.94] } as const;
    expect(scoresToDrop(new AccuracyTest(uncertain), evenly(3, 20, 5000))).toBe(Number.POSITIVE_INFINITY);
    expect(new AccuracyTest(uncertain).leastExpected).toBeCloseTo(0.84, 12);
    expect(new AccuracyTest({ accuracy: 0.9 }).leastExpected).toBeCloseTo(0.89, 12);
  });

  it('learns an accuracy from earlier scores, and tells of less', () => {
    const test = new AccuracyTest();
    for (const score of evenly(1, 10, 2499)) test.note(score, 0);
    expect(test.leastExpected).toBeUndefined();
    test.note(1, 0);
    expect(test.leastExpected).toBeGreaterThan(0.85);
    for (const score of evenly(1, 10, 5000)) test.note(score, 0);
    expect(scoresToDrop(test, evenly(1, 5, 2000))).toBeLessThan(1000);
  });

  it('names the time of the change', () => {
    const test = new AccuracyTest(measured);
    for (const score of evenly(1, 10, 1000)) test.note(score, 1);
    for (const score of evenly(3, 10, 1000)) test.note(score, 2);
    expect(test.drop).toMatchObject({ sinceMs: 2 });
  });

  it('recovers once a thousand scores are as expected', () => {
    const test = new AccuracyTest(measured);
    for (const score of evenly(1, 2, 500)) test.note(score, 1);
    expect(test.drop).toBeDefined();
    for (const score of evenly(1, 10, 950)) test.note(score, 2);
    expect(test.drop).toBeDefined();
    for (const score of evenly(1, 10, 100)) test.note(score, 2);
    expect(test.drop).toBeUndefined();
    expect(scoresToDrop(test, evenly(1, 10, 5000))).toBe(Number.POSITIVE_INFINITY);
  });

  it('needs more scores if errors come in bursts', () => {
    const found = (scores: (wrong: number) => Iterable<number>) => {
      const test = new AccuracyTest(measured);
      expect(scoresToDrop(test, scores(10))).toBe(Number.POSITIVE_INFINITY);
      return scoresToDrop(test, scores(25));
    };
    const ofBursts = found((wrong) => Array.from({ length: 10_000 }, (_, i) => (i % 100 < wrong ? 0 : 1)));
    const ofSingles = found((wrong) => evenly(wrong, 100, 10_000));
    expect(ofBursts).toBeGreaterThan(1.5 * ofSingles);
  });

  it('does not tell of a drop at the least expected accuracy', () => {
    for (let seed = 0; seed < 8; seed++) {
      const rng = new SeededRng(seed);
      const scores = Array.from({ length: 20_000 }, () => (rng.next() < 0.89 ? 1 : 0));
      expect([seed, scoresToDrop(new AccuracyTest(measured), scores)]).toEqual([seed, Number.POSITIVE_INFINITY]);
    }
  });

  it('takes scores between 0 and 1', () => {
    const test = new AccuracyTest(measured);
    expect(scoresToDrop(test, new Array<number>(5000).fill(0.9))).toBe(Number.POSITIVE_INFINITY);
    expect(scoresToDrop(test, new Array<number>(5000).fill(0.7))).toBeLessThan(500);
  });
});

it('AccuracyTest.of expects measured or declared accuracies, unless the metric is no mean', () => {
  const variants = [
    {
      id: variantId('v'),
      accuracy: { value: 0.8, metric: 'accuracy' },
      cpuCores: [1],
      memoryBytes: 0,
      gpus: 0,
      parameters: {},
    },
  ];
  const stage = {
    id: stageId('a'),
    kind: 'model',
    variants,
    bounds: { minReplicas: 1, maxReplicas: 1, maxBatchWaitMs: 0 },
    pins: {},
  } as const;
  const choice = { [stage.id]: variantId('v'), [stageId('b')]: variantId('v') };
  const combination = { variants: choice, accuracy: 0.9, confidence95: [0.85, 0.95] } as const;
  const least = (spec: Parameters<typeof AccuracyTest.of>[0]) => AccuracyTest.of(spec, choice).leastExpected;
  expect(least({ stages: [stage] })).toBeCloseTo(0.79, 12);
  expect(least({ stages: [stage, { ...stage, id: stageId('b') }] })).toBeUndefined();
  expect(least({ stages: [stage], accuracyTable: { combinations: [combination] } })).toBeCloseTo(0.85, 12);
  const evaluation = { dataPath: '.', metric: { kind: 'f1' } } as const;
  expect(least({ stages: [stage], evaluation })).toBeUndefined();
});
