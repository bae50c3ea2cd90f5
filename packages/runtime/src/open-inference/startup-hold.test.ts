import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { Cancellation } from '../data-plane/cancellation.js';
import { type HeldRequest, type HoldLimits, StartupHold } from './startup-hold.js';

const bench = (limits: Partial<HoldLimits> = {}) => {
  const clock = new ManualClock();
  const hold = new StartupHold(clock, { isOpen: false, ...limits });
  const began: string[] = [];
  const finish: (() => void)[] = [];
  const refused: string[] = [];
  const send = (name: string, more: Partial<HeldRequest> = {}) => {
    const ended = hold.run(
      { bytes: 1, signal: new Cancellation(), refused: (reason) => refused.push(reason), ...more },
      async (heldMs) => {
        began.push(`${name} ${heldMs}`);
        await new Promise<void>((resolve) => finish.push(resolve));
        return name;
      },
    );
    return ended.catch((error) => error.details.reason as string);
  };
  return { clock, hold, began, refused, send, finishNext: () => finish.shift()?.() };
};

describe('StartupHold', () => {
  it('lets requests enter one after the other, in order, once it opens', async () => {
    const { clock, hold, began, send, finishNext } = bench();
    const ends = [send('a')];
    await clock.advanceTo(300);
    ends.push(send('b'), send('c'));
    await clock.advanceTo(500);
    expect(began).toEqual([]);
    hold.open();
    await clock.advanceTo(500);
    expect(began).toEqual(['a 500']);
    finishNext();
    await clock.advanceTo(510);
    expect(began).toEqual(['a 500', 'b 200']);
    finishNext();
    await clock.advanceTo(510);
    finishNext();
    expect([await Promise.all(ends), began[2], hold.held]).toEqual([['a', 'b', 'c'], 'c 210', 3]);
    expect(clock.pendingAlarms).toBeLessThanOrEqual(1);
  });

  it('does not hold requests that come later', async () => {
    const { clock, hold, began, send } = bench();
    void send('a');
    await clock.advanceTo(10);
    hold.open();
    void send('b');
    await clock.advanceTo(10);
    expect(began.toSorted()).toEqual(['a 10', 'b 0']);
  });

  it('lets the next request enter after a second, whatever the one before it does', async () => {
    const { clock, hold, began, send } = bench();
    void send('stuck');
    void send('next');
    await clock.advanceTo(1);
    hold.open();
    await clock.advanceTo(1000);
    expect(began).toEqual(['stuck 1']);
    await clock.advanceTo(1001);
    expect(began).toEqual(['stuck 1', 'next 1001']);
  });

  it('lets the parts of a request enter together', async () => {
    const { clock, hold, began, send } = bench();
    for (const [name, group] of [
      ['a', '1'],
      ['b', '2'],
      ['c', '1'],
    ] as const)
      void send(name, { group });
    await clock.advanceTo(1);
    hold.open();
    await clock.advanceTo(1);
    expect(began).toEqual(['a 1', 'c 1']);
  });

  it('refuses beyond its bounds in requests, bytes and time', async () => {
    const { clock, hold, refused, send } = bench({ mostRequests: 3, mostBytes: 10, mostMs: 100 });
    const first = send('a', { bytes: 6 });
    const large = send('large', { bytes: 5 });
    await clock.advanceTo(50);
    const others = [send('b'), send('c')];
    expect(() => hold.requirePlace()).toThrow(expect.objectContaining({ code: 'DROPPED' }));
    expect([await large, await send('d')]).toEqual(['memory-full', 'no-ready-replica']);
    await clock.advanceTo(100);
    expect(await first).toBe('no-ready-replica');
    hold.requirePlace();
    hold.close();
    expect(await Promise.all(others)).toEqual(['draining', 'draining']);
    expect(refused).toEqual(['memory-full', 'no-ready-replica', 'no-ready-replica', 'draining', 'draining']);
    expect(clock.pendingAlarms).toBe(0);
  });

  it('forgets a request whose client goes away', async () => {
    const { clock, hold, began, refused, send } = bench({ mostRequests: 1 });
    const signal = new Cancellation();
    const left = send('left', { signal });
    await clock.advanceTo(1);
    signal.abort();
    expect([await left, refused]).toEqual(['cancelled', ['cancelled']]);
    void send('next');
    hold.open();
    await clock.advanceTo(1);
    expect(began).toEqual(['next 0']);
  });
});
