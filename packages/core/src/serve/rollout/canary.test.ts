import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import type { SideCount } from '../../model/canary-counts.js';
import { isBurning, judgeCanary, nextFraction } from './canary.js';

const side = (missed: number, ended: number, failed = 0): SideCount => ({ ended, missed, failed });
const verdict = (
  after: SideCount,
  before: SideCount,
  { elapsedS = 20, passedOn = after.ended, fraction = 0.1, percentile = 99 } = {},
) => judgeCanary({ fraction, after, before, elapsedMs: 1000 * elapsedS, passedOn }, { percentile });

describe('judgeCanary', () => {
  it.each([
    ['waits for the step to last', side(0, 100), side(0, 900), 5, 'open'],
    ['waits for outcomes', side(0, 11), side(0, 360), 20, 'open'],
    ['passes when the SLO is kept', side(1, 100), side(0, 900), 20, 'passed'],
    ['passes with little traffic when the time is over', side(0, 10), side(0, 90), 120, 'passed'],
    ['passes without any traffic after five seconds', side(0, 0), side(0, 0), 5, 'passed'],
    ['waits for requests that only the old side gets', side(0, 0), side(0, 3), 5, 'open'],
    ['rolls back at once when every outcome is a miss', side(3, 3), side(0, 27), 2, 'failed'],
    ['takes two misses at the start for those of a cold side', side(2, 2), side(0, 18), 2, 'open'],
    ['rolls back at once when the budget burns', side(6, 50), side(0, 450), 5, 'failed'],
    ['takes a miss more than the SLO allows for chance', side(1, 60), side(0, 540), 20, 'passed'],
    ['rolls back when what is clearly worse stays so', side(12, 300), side(5, 2700), 120, 'failed'],
    ['stays open while what is worse might improve', side(10, 300), side(5, 2700), 20, 'open'],
    ['does not roll back for what hurts both', side(101, 300), side(900, 2700), 20, 'passed'],
    ['hurries when both miss and the new side does no worse', side(100, 300), side(900, 2700), 20, 'urgent'],
    ['rolls back what is worse than a bad side', side(150, 300), side(900, 2700), 5, 'failed'],
    ['hurries away from a side that burns', side(2, 60), side(200, 540), 2, 'urgent'],
    ['waits for the old side when all requests of the new one miss', side(12, 12), side(0, 0), 20, 'open'],
    ['rolls back what misses without an outcome of the old side', side(12, 12), side(0, 0), 120, 'failed'],
    ['passes without an outcome of the old side', side(0, 12), side(0, 0), 20, 'passed'],
    ['rolls back when a few requests all miss', side(9, 10), side(0, 90), 60, 'failed'],
    ['rolls back for failures that the SLO would allow', side(5, 100, 5), side(0, 900), 15, 'failed'],
    ['rolls back for a few failures, of which the old side has none', side(4, 115, 4), side(0, 340), 15, 'failed'],
    ['does not roll back for failures that both have', side(5, 100, 5), side(45, 900, 45), 20, 'passed'],
  ] as const)('%s', (_, after, before, elapsedS, kind) => {
    const percentile = after.failed ? 95 : 99;
    expect(verdict(after, before, { elapsedS, percentile }).kind).toBe(kind);
  });

  it.each([
    ['as accurate as expected', { scores: 400, loss: 60 }, 20, 'passed'],
    ['less accurate than expected', { scores: 400, loss: 140 }, 20, 'failed'],
    ['less accurate, with few scores', { scores: 20, loss: 7 }, 20, 'passed'],
    ['perhaps less accurate', { scores: 220, loss: 76 }, 20, 'open'],
    ['perhaps less accurate until the time limit', { scores: 220, loss: 76 }, 120, 'failed'],
    ['without scores', { scores: 0, loss: 0 }, 20, 'passed'],
  ] as const)('judges a new side that is %s', (_, scores, elapsedS, kind) => {
    const accuracy = { ...scores, leastExpected: 0.8 };
    const step = { fraction: 0.1, after: side(0, 100), before: side(0, 900), elapsedMs: 1000 * elapsedS };
    const judged = judgeCanary({ ...step, accuracy }, { percentile: 99 });
    expect(judged.kind).toBe(kind);
    if (judged.kind === 'failed')
      expect(judged.why).toMatch(/^the accuracy of its \d+ answers with feedback is 0\.\d+, and at least 0\.800 is/);
    const compared = judgeCanary({ ...step, agreement: accuracy }, { percentile: 99 });
    expect(compared.kind).toBe(kind);
    if (compared.kind === 'failed')
      expect(compared.why).toMatch(
        /^it agrees with the shadow on 0\.\d+ of \d+ compared items, and at least 0\.800 is/,
      );
  });

  it('rolls back hardly any variant that is as accurate as expected, whatever its scores', () => {
    const rng = new SeededRng(4);
    let failed = 0;
    for (let run = 0; run < 1000; run++) {
      let [scores, loss] = [0, 0];
      let hasFailed = false;
      for (let look = 0; look < 60 && !hasFailed; look++) {
        for (let i = 0; i < 10; i++) {
          scores += 1;
          // Half of the scores are 0 or 1, the others between; their mean is 0.8.
          loss += rng.next() < 0.5 ? Number(rng.next() < 0.2) : 0.4 * rng.next();
        }
        const accuracy = { scores, loss, leastExpected: 0.8 };
        const step = { fraction: 0.5, after: side(0, 100), before: side(0, 100), elapsedMs: 1000 * look };
        hasFailed = judgeCanary({ ...step, accuracy }, { percentile: 99 }).kind === 'failed';
      }
      failed += Number(hasFailed);
    }
    expect(failed / 1000).toBeLessThanOrEqual(0.01);
  });

  it('rolls back a side that does not end what is passed on to it', () => {
    expect(verdict(side(0, 10), side(0, 990), { passedOn: 100 })).toEqual({
      kind: 'failed',
      why: 'it ended 10 of the 100 requests that were passed on to it',
    });
    expect(verdict(side(0, 51), side(0, 949), { passedOn: 100 }).kind).toBe('passed');
    expect(verdict(side(0, 0), side(0, 990), { passedOn: 49 }).kind).toBe('open');
    // With little traffic, the verdict comes at the time limit.
    const over = { elapsedS: 120 };
    expect(verdict(side(0, 0), side(0, 441), { ...over, passedOn: 49 })).toMatchObject({ kind: 'failed' });
    expect(verdict(side(0, 2), side(0, 45), { ...over, passedOn: 5 }).kind).toBe('failed');
    expect(verdict(side(0, 3), side(0, 45), { ...over, passedOn: 5 }).kind).toBe('passed');
    expect(verdict(side(0, 0), side(0, 36), { ...over, passedOn: 4 }).kind).toBe('open');
  });

  it('says how many outcomes are missing once that makes the step longer', () => {
    expect(verdict(side(0, 5), side(0, 45), { elapsedS: 7 })).toEqual({ kind: 'open', missingOutcomes: 0 });
    expect(verdict(side(0, 5), side(0, 45), { elapsedS: 60 })).toEqual({ kind: 'open', missingOutcomes: 7 });
    expect(verdict(side(0, 0), side(0, 45), { elapsedS: 1200 })).toEqual({ kind: 'open', missingOutcomes: 12 });
    expect(verdict(side(0, 1), side(0, 45), { elapsedS: 1200 }).kind).toBe('passed');
    expect(verdict(side(0, 20), side(0, 20), { elapsedS: 60, fraction: 0.5 })).toEqual({
      ...{ kind: 'open', missingOutcomes: 40 },
    });
  });

  it('holds the last step open from the first failure on, until it is likely to be chance', () => {
    const failedOnce = (ended: number, fraction = 0.5) => verdict(side(1, ended, 1), side(0, 340), { fraction }).kind;
    expect([failedOnce(100), failedOnce(180), failedOnce(100, 0.1)]).toEqual(['open', 'passed', 'passed']);
    expect(verdict(side(0, 100), side(0, 340), { fraction: 0.5 }).kind).toBe('passed');
    // All requests fail on both sides.
    expect(verdict(side(100, 100, 100), side(340, 340, 340), { fraction: 0.5 }).kind).toBe('urgent');
  });

  it('says what was missed', () => {
    expect(verdict(side(30, 60), side(1, 540))).toMatchObject({
      why: '30 of its 60 requests missed the SLO, 1 of 540 requests of the old variant',
    });
    expect(verdict(side(5, 60, 5), side(1, 540), { percentile: 90 })).toMatchObject({
      why: '5 of its 60 requests failed, 0 of 540 requests of the old variant',
    });
  });
});

describe('slowness', () => {
  const slowness = { measured: 1.312, tooSlow: 1.1, itemsPerSecond: 49.6 };
  const judge = (evidence: number, { elapsedS = 25, fraction = 0.5, slower = evidence } = {}) =>
    judgeCanary(
      {
        ...{ fraction, before: side(0, 900), after: side(0, 100), elapsedMs: 1000 * elapsedS },
        slowness: { ...slowness, slower, evidence },
      },
      { percentile: 99 },
    );

  it('rolls back at once, and says how slow it is', () => {
    expect(judge(501, { elapsedS: 1, fraction: 0.1 })).toEqual({
      kind: 'failed',
      why: 'its batches take 1.31 times as long as profiled, and from 1.10 times on its plan does not carry 50 items per second within the SLO',
    });
  });

  it('rolls back a variant that is surely slower than profiled, and more likely than not too slow', () => {
    expect(judge(2.1, { slower: 501 }).kind).toBe('failed');
    expect([judge(1.9, { slower: 501 }).kind, judge(2.1, { slower: 499 }).kind]).toEqual(['open', 'open']);
  });

  it('holds the last step open while it is possible, and rolls back if it is likely in the end', () => {
    const open = [judge(0.02), judge(0.02, { fraction: 0.1 }), judge(0.005)];
    expect(open.map(({ kind }) => kind)).toEqual(['open', 'passed', 'passed']);
    const late = { elapsedS: 120 };
    expect(judge(21, late)).toMatchObject({ kind: 'failed', why: expect.stringContaining('1.31 times') });
    expect(judge(19, late).kind).toBe('passed');
  });
});

interface Counted {
  ended: number;
  missed: number;
  failed: number;
}
type CountedSides = [before: Counted, after: Counted];

describe('a canary of 20 requests per second', () => {
  interface Sides {
    readonly missFraction: number;
    readonly failedFraction?: number;
    readonly oldMissFraction?: number;
  }

  /** Counts five outcomes (a quarter of a second). Returns the losses of the new side. */
  function count(rng: SeededRng, fraction: number, sides: Required<Sides>, [before, after]: CountedSides): number {
    let lost = 0;
    for (let i = 0; i < 5; i++) {
      const isNew = rng.next() < fraction;
      const counted = isNew ? after : before;
      const fails = isNew && rng.next() < sides.failedFraction;
      const misses = fails || rng.next() < (isNew ? sides.missFraction : sides.oldMissFraction);
      counted.ended += 1;
      counted.failed += Number(fails);
      counted.missed += Number(misses);
      lost += Number(isNew && misses);
    }
    return lost;
  }

  /** Walks through both steps in quarters of a second. Returns time and kind of the end. */
  function walk({ failedFraction = 0, oldMissFraction = 0, missFraction }: Sides, percentile: number, seed: number) {
    const rng = new SeededRng(seed);
    const [before, after]: CountedSides = [
      { ended: 0, missed: 0, failed: 0 },
      { ended: 0, missed: 0, failed: 0 },
    ];
    let [beganS, lost, fraction] = [0, 0, nextFraction(0)];
    for (let atS = 0.25; ; atS += 0.25) {
      lost += count(rng, fraction, { missFraction, failedFraction, oldMissFraction }, [before, after]);
      const step = judgeCanary({ fraction, before, after, elapsedMs: 1000 * (atS - beganS) }, { percentile });
      if (step.kind === 'failed') return { kind: 'failed', atS, lost };
      if (step.kind === 'open') continue;
      fraction = nextFraction(fraction);
      beganS = atS;
      if (fraction === 1) return { kind: 'passed', atS, lost };
    }
  }
  const walks = (sides: Sides, percentile: number, count: number) =>
    Array.from({ length: count }, (_, seed) => walk(sides, percentile, seed));

  it.each([
    ['misses nothing', { missFraction: 0 }, 99],
    ['misses as much as the SLO allows', { missFraction: 0.01, oldMissFraction: 0.01 }, 99],
    ['misses as much as a generous SLO allows', { missFraction: 0.05, oldMissFraction: 0.05 }, 95],
  ])('passes within 60 s when it %s, but for 1 in 200', (_, sides, percentile) => {
    const ends = walks(sides, percentile, 400);
    expect(ends.filter(({ kind }) => kind === 'failed').length).toBeLessThanOrEqual(2);
    expect(ends.filter(({ atS }) => atS > 60).length).toBeLessThanOrEqual(4);
  });

  it.each([
    ['misses all', { missFraction: 1 }, 5, 4],
    ['misses half', { missFraction: 0.5 }, 20, 7],
    ['fails 5 %', { missFraction: 0, failedFraction: 0.05 }, 30, 9],
  ])('is rolled back early when it %s', (_, sides, withinS, atMostLost) => {
    for (const percentile of [95, 99]) {
      const ends = walks(sides, percentile, 200);
      const early = ends.filter(({ kind, atS, lost }) => kind === 'failed' && atS <= withinS && lost <= atMostLost);
      expect(early.length).toBeGreaterThanOrEqual(184);
    }
  });
});

it('isBurning compares with ten times what the SLO allows', () => {
  expect([isBurning(side(6, 50), 99), isBurning(side(5, 50), 99), isBurning(side(49, 49), 99)]).toEqual([
    true,
    false,
    false,
  ]);
});
