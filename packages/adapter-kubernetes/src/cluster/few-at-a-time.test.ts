import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { fewAtATime } from './few-at-a-time.js';

/** Works for 100 ms on each item and fails at the named ones; returns the start times. */
function start(items: readonly string[], count: number, failing: readonly string[] = []) {
  const clock = new ManualClock();
  const begun: string[] = [];
  const ended = fewAtATime(items, count, async (item) => {
    begun.push(`${item}@${clock.nowMs()}`);
    await clock.sleep(100);
    if (failing.includes(item)) throw new Error(item);
  });
  return { clock, begun, ended };
}

describe('fewAtATime', () => {
  it('begins in order, as many at a time as allowed', async () => {
    const { clock, begun, ended } = start(['a', 'b', 'c', 'd', 'e'], 2);
    await clock.advanceTo(1_000);
    await ended;
    expect(begun).toEqual(['a@0', 'b@0', 'c@100', 'd@100', 'e@200']);
  });

  it('begins nothing after a failure, and tells it when all has ended', async () => {
    const { clock, begun, ended } = start(['a', 'b', 'c'], 2, ['a', 'b']);
    const refused = expect(ended).rejects.toThrow('a');
    await clock.advanceTo(1_000);
    await refused;
    expect(begun).toEqual(['a@0', 'b@0']);
  });

  it('has nothing to do for nothing', async () => {
    await start([], 3).ended;
  });
});
