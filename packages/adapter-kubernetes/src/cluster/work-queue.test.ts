import { AppError, SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { type PassTiming, WorkQueue } from './work-queue.js';

/** Queue with recorded passes of 100 ms; `answers`: outcomes of a key's passes, in order. */
function start(
  answers: Readonly<Record<string, readonly (number | Error)[]>> = {},
  { concurrency = 2, restMs = 0, retries = { perSecond: 1_000, burst: 1_000 } } = {},
) {
  const clock = new ManualClock();
  const begun: string[] = [];
  const failed: string[] = [];
  const timings: PassTiming[] = [];
  const left = new Map(Object.entries(answers).map(([key, list]) => [key, [...list]]));
  let working = 0;
  let most = 0;
  const limits = { concurrency, restMs, retries, retry: { shortestMs: 1_000, longestMs: 4_000 } };
  const queue = new WorkQueue(
    { clock, rng: new SeededRng(3), limits, onTiming: (timing) => timings.push(timing) },
    async (key) => {
      begun.push(`${key}@${clock.nowMs()}`);
      most = Math.max(most, ++working);
      await clock.sleep(100);
      working--;
      const answer = left.get(key)?.shift();
      if (answer instanceof Error) throw answer;
      return answer === undefined ? {} : { againAfterMs: answer };
    },
    (key) => failed.push(key),
  );
  const abort = new AbortController();
  const running = queue.run(abort.signal);
  return { clock, queue, begun, failed, timings, abort, running, most: () => most };
}

describe('WorkQueue', () => {
  it('works on a key once, however often it was added, and once more when it was added meanwhile', async () => {
    const { clock, queue, begun, most } = start();
    queue.add('a');
    queue.add('a');
    await clock.advanceTo(50);
    queue.add('a');
    queue.add('a');
    await clock.advanceTo(1_000);
    expect(begun).toEqual(['a@0', 'a@100']);
    expect(most()).toBe(1);
  });

  it('lets a key rest between two passes, and no other key', async () => {
    const { clock, queue, begun } = start({}, { restMs: 200 });
    queue.add('a');
    await clock.advanceTo(150);
    queue.add('a');
    queue.add('b');
    expect(queue.isIdle).toBe(false);
    await clock.advanceTo(299);
    expect(begun).toEqual(['a@0', 'b@150']);
    await clock.advanceTo(1_000);
    expect(begun).toEqual(['a@0', 'b@150', 'a@300']);
    expect(queue.isIdle).toBe(true);
  });

  it('works on as many keys at a time as allowed, in the order in which they came', async () => {
    const { clock, queue, begun, most } = start();
    for (const key of ['a', 'b', 'c', 'd', 'e']) queue.add(key);
    await clock.advanceTo(1_000);
    expect(begun).toEqual(['a@0', 'b@0', 'c@100', 'd@100', 'e@200']);
    expect(most()).toBe(2);
  });

  it('tells how long a key waited, and how long its pass took', async () => {
    const { clock, queue, timings } = start({ a: [new Error('no')] }, { concurrency: 1 });
    queue.add('a');
    queue.add('b');
    await clock.advanceTo(50);
    queue.add('b');
    await clock.advanceTo(250);
    expect(timings).toEqual([
      { waitedMs: 0, tookMs: 100 },
      { waitedMs: 100, tookMs: 100 },
    ]);
  });

  it('works on urgent keys first', async () => {
    const { clock, queue, begun } = start({}, { concurrency: 1 });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    for (const key of ['c', 'd']) queue.add(key, { isUrgent: true });
    await clock.advanceTo(1_000);
    expect(begun).toEqual(['a@0', 'c@100', 'd@200', 'b@300']);
  });

  it('repeats a failed pass later each time, and forgets the failures after a good one', async () => {
    const error = new Error('no');
    const { clock, queue, begun, failed } = start({ a: [error, error, error] });
    queue.add('a');
    await clock.advanceTo(20_000);
    expect(failed).toEqual(['a', 'a', 'a']);
    const times = begun.map((each) => Number(each.split('@')[1]));
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0) - 100);
    expect(pauses).toHaveLength(3);
    for (const [index, whole] of [1_000, 2_000, 4_000].entries()) {
      expect(pauses[index]).toBeGreaterThanOrEqual(whole / 2);
      expect(pauses[index]).toBeLessThanOrEqual(whole);
    }
  });

  it('comes again after the time that a pass asked for, or earlier when it is added', async () => {
    const { clock, queue, begun } = start({ a: [5_000, 5_000] });
    queue.add('a');
    await clock.advanceTo(5_200);
    expect(begun).toEqual(['a@0', 'a@5100']);
    queue.addAfter('a', 60_000);
    await clock.advanceTo(6_000);
    queue.add('a');
    await clock.advanceTo(6_050);
    expect(begun.at(-1)).toBe('a@6000');
  });

  it('ends when its passes have ended, and leaves no alarm', async () => {
    const { clock, queue, begun, abort, running } = start({ a: [1_000] });
    queue.add('a');
    await clock.advanceTo(50);
    queue.addAfter('b', 10);
    abort.abort();
    let ended = false;
    void running.then(() => {
      ended = true;
    });
    await clock.advanceTo(60);
    expect(ended).toBe(false);
    await clock.advanceTo(10_000);
    expect(ended).toBe(true);
    expect(begun).toEqual(['a@0']);
    expect(clock.pendingAlarms).toBe(0);
  });

  it('waits as long as the server asks', async () => {
    const busy = new AppError('CLUSTER_REFUSED', 'too many requests', { details: { retryAfterSeconds: 30 } });
    const { clock, queue, begun, abort, running } = start({ a: [busy] });
    queue.add('a');
    await clock.advanceTo(29_000);
    expect(begun).toEqual(['a@0']);
    await clock.advanceTo(31_000);
    expect(begun).toEqual(['a@0', 'a@30100']);
    abort.abort();
    await running;
  });

  it('retries many keys at a common rate', async () => {
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    const failing = Object.fromEntries(keys.map((key) => [key, [new Error('no')]]));
    const { clock, queue, begun, abort, running } = start(failing, {
      concurrency: 20,
      retries: { perSecond: 1, burst: 5 },
    });
    for (const key of keys) queue.add(key);
    await clock.advanceTo(5_000);
    expect(begun.length - keys.length).toBeLessThanOrEqual(10);
    await clock.advanceTo(30_000);
    expect(begun.length).toBe(2 * keys.length);
    abort.abort();
    await running;
  });
});
