import { expect, it } from 'vitest';
import { ManualClock } from './manual-clock.js';

it('rings alarms in order of time, each at its instant, and lets promises go on between them', async () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  const note = (what: string) => seen.push(`${clock.nowMs()} ${what}`);
  clock.ringAt(20, () => note('b'));
  clock.ringAt(10, () => note('a'));
  void clock.sleep(10).then(async () => {
    note('awake');
    await clock.sleep(5);
    note('again');
  });
  clock.ringAt(15, () => note('never'))();
  clock.ringAt(99, () => note('later'));
  await clock.advanceTo(20);
  expect(seen).toEqual(['10 a', '10 awake', '15 again', '20 b']);
  expect([clock.nowMs(), clock.pendingAlarms]).toEqual([20, 1]);
});

it('rings alarms of one instant by rank, those in the past at the present instant', async () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  clock.ranked(2).ringAt(10, () => seen.push('c'));
  clock.ranked(1).ringAt(10, () => {
    seen.push('a');
    clock.ranked(3).ringAt(0, () => seen.push('d'));
    clock.ranked(1).ringAt(10, () => seen.push('b'));
  });
  await clock.advanceTo(10);
  expect(seen).toEqual(['a', 'b', 'c', 'd']);
});
