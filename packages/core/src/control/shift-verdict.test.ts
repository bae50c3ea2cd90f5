import { describe, expect, it } from 'vitest';
import { isBurning, judgeShift, type SideCount } from './shift-verdict.js';

const slo = { latencyMs: 300, percentile: 99 };
const side = (missed: number, ended: number): SideCount => ({ ended, missed });
const verdict = (after: SideCount, before: SideCount, elapsedS = 20, passedOn = after.ended) =>
  judgeShift({ after, before, elapsedMs: 1000 * elapsedS, passedOn }, slo);

describe('judgeShift', () => {
  it.each([
    ['waits for the step to last', side(0, 100), side(0, 900), 10, 'open'],
    ['waits for requests', side(0, 40), side(0, 360), 20, 'open'],
    ['goes on when the SLO is kept', side(1, 100), side(0, 900), 20, 'passed'],
    ['goes on with little traffic when the time is over', side(0, 10), side(0, 90), 60, 'passed'],
    ['goes on without any traffic when the time is over', side(0, 0), side(0, 0), 60, 'passed'],
    ['goes back at once when the budget burns', side(6, 50), side(0, 450), 5, 'failed'],
    ['does not hurry on a few requests', side(6, 49), side(0, 441), 5, 'open'],
    ['takes a miss more than the SLO allows for chance', side(1, 60), side(0, 540), 20, 'open'],
    ['goes back when what is clearly worse stays so', side(12, 300), side(5, 2700), 60, 'failed'],
    ['looks on while what is clearly worse might be bettered', side(12, 300), side(5, 2700), 20, 'open'],
    ['does not go back for what hurts both', side(101, 300), side(900, 2700), 20, 'passed'],
    ['leaves at once what hurts both when the new side is no worse', side(100, 300), side(900, 2700), 20, 'urgent'],
    ['goes back for what is bad even beside a bad one', side(150, 300), side(900, 2700), 5, 'failed'],
    ['hurries away from a side that fails', side(2, 60), side(200, 540), 2, 'urgent'],
    ['does not hurry to a side that fails as well', side(30, 60), side(200, 540), 2, 'failed'],
    ['goes back when a few requests all miss', side(9, 10), side(0, 90), 60, 'failed'],
  ] as const)('%s', (_, after, before, elapsedS, kind) => {
    expect(verdict(after, before, elapsedS).kind).toBe(kind);
  });

  it('goes back when the new side does not end what is passed on to it', () => {
    expect(verdict(side(0, 10), side(0, 990), 20, 100)).toEqual({
      kind: 'failed',
      why: 'it ended 10 of the 100 requests that were passed on to it',
    });
    expect(verdict(side(0, 51), side(0, 949), 20, 100).kind).toBe('passed');
    expect(verdict(side(0, 0), side(0, 990), 20, 49).kind).toBe('open');
    // With little traffic that is said when the time is over.
    expect(verdict(side(0, 0), side(0, 441), 60, 49)).toMatchObject({ kind: 'failed' });
    expect(verdict(side(0, 2), side(0, 45), 60, 5).kind).toBe('failed');
    expect(verdict(side(0, 3), side(0, 45), 60, 5).kind).toBe('passed');
    expect(verdict(side(0, 0), side(0, 36), 60, 4).kind).toBe('passed');
  });

  it('goes on where hardly anything comes by a way that is shared', () => {
    expect(verdict(side(0, 0), side(0, 5000), 59).kind).toBe('open');
    expect(verdict(side(0, 0), side(0, 5000), 60).kind).toBe('passed');
  });

  it('says what was missed', () => {
    expect(verdict(side(30, 60), side(1, 540))).toMatchObject({
      why: '30 of its 60 requests missed the SLO, 1 of 540 beside it',
    });
  });
});

it('isBurning is what a change on trial may not do', () => {
  expect([isBurning(side(6, 50), 99), isBurning(side(5, 50), 99), isBurning(side(49, 49), 99)]).toEqual([
    true,
    false,
    false,
  ]);
});
