import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SourceJoin } from './source-join.js';

/** A join of `optional.length` sources under a clock that the test moves. Events read `time what`. */
function bench(optional: readonly boolean[], { maxWaitMs = 100, maxWaiting = 10 } = {}) {
  const events: string[] = [];
  const shown = (parts: readonly (string | undefined)[]) => parts.map((part) => part ?? '-').join('|');
  let nowMs = 0;
  let wakesAtMs = Number.POSITIVE_INFINITY;
  const join = new SourceJoin<string>(
    { maxWaitMs, maxWaiting, optional },
    {
      begin: (parts, atMs) => events.push(`${atMs} ${shown(parts)}`),
      giveUp: (parts, missing, atMs) => events.push(`${atMs} ${shown(parts)} lacks ${missing.join()}`),
      wakeAt: (atMs) => {
        wakesAtMs = atMs;
      },
    },
  );
  const advanceTo = (atMs: number) => {
    while (wakesAtMs <= atMs) {
      nowMs = wakesAtMs;
      wakesAtMs = Number.POSITIVE_INFINITY;
      join.advance(nowMs);
    }
    nowMs = atMs;
  };
  const offer = (key: string, source: number, part = `${key}${source}`) => join.offer(key, source, part, nowMs);
  return { join, events, advanceTo, offer };
}

describe('SourceJoin', () => {
  it('begins a request with the last part, whatever the order', () => {
    const { join, events, advanceTo, offer } = bench([false, false]);
    offer('a', 1);
    offer('b', 0);
    expect(join.waiting).toBe(2);
    advanceTo(40);
    offer('a', 0);
    expect(events).toEqual(['40 a0|a1']);
    expect(join.waiting).toBe(1);
  });

  it('gives up a request whose wait ends without a part that it needs', () => {
    const { events, advanceTo, offer } = bench([false, false, true]);
    offer('a', 0);
    advanceTo(30);
    offer('b', 2);
    advanceTo(200);
    expect(events).toEqual(['100 a0|-|- lacks 1,2', '130 -|-|b2 lacks 0,1']);
  });

  it('begins without the parts of optional sources when the wait ends', () => {
    const { events, advanceTo, offer } = bench([false, true]);
    offer('a', 0);
    advanceTo(99);
    expect(events).toEqual([]);
    advanceTo(100);
    expect(events).toEqual(['100 a0|-']);
  });

  it('tells late and repeated parts from new ones, until it forgets the key', () => {
    const { events, advanceTo, offer } = bench([false, true]);
    offer('a', 0);
    expect(offer('a', 0)).toBe('duplicate');
    advanceTo(150);
    expect([offer('a', 1), offer('a', 0)]).toEqual(['late', 'duplicate']);
    advanceTo(200);
    expect(offer('a', 1)).toBeUndefined();
    offer('a', 0);
    expect(events).toEqual(['100 a0|-', '200 a0|a1']);
    expect([offer('a', 0), offer('a', 1)]).toEqual(['duplicate', 'duplicate']);
  });

  it('ends waits before a part that comes at the same instant, although no alarm rang', () => {
    const { join, events } = bench([false, true]);
    join.offer('a', 0, 'a0', 0);
    expect(join.offer('a', 1, 'a1', 100)).toBe('late');
    expect(events).toEqual(['100 a0|-']);
  });

  it('refuses new requests while as many as allowed wait, but takes parts that they wait for', () => {
    const { offer, events } = bench([false, false], { maxWaiting: 2 });
    offer('a', 0);
    offer('b', 0);
    expect(offer('c', 0)).toBe('full');
    expect(offer('a', 1)).toBeUndefined();
    expect(offer('c', 0)).toBeUndefined();
    expect(events).toEqual(['0 a0|a1']);
  });

  it('gives a part back; its source may send another one', () => {
    const { join, offer, events } = bench([false, false]);
    offer('a', 0);
    offer('a', 1, 'first'); // completes the request
    expect(join.withdraw('a', 0, 'a0')).toBe(false);
    offer('b', 0);
    expect(join.withdraw('b', 0, 'other')).toBe(false);
    expect(join.withdraw('b', 0, 'b0')).toBe(true);
    expect(join.waiting).toBe(0);
    offer('b', 0, 'again');
    offer('b', 1);
    expect(events).toEqual(['0 a0|first', '0 again|b1']);
  });

  it('gives back all waiting parts', () => {
    const { join, offer, events, advanceTo } = bench([false, false]);
    offer('a', 0);
    offer('b', 1);
    expect(join.clear()).toEqual(['a0', 'b1']);
    advanceTo(1000);
    expect(events).toEqual([]);
  });

  it('loses no part and uses none twice, in bounded memory, for any arrivals', () => {
    const arrival = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      source: fc.integer({ min: 0, max: 2 }),
      afterMs: fc.integer({ min: 0, max: 60 }),
      leaves: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(arrival, { maxLength: 60 }),
        fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
        (arrivals, optional) => {
          const { join, events, advanceTo, offer } = bench(optional, { maxWaiting: 3 });
          let atMs = 0;
          const taken: string[] = [];
          const left: string[] = [];
          for (const [number, { key, source, afterMs, leaves }] of arrivals.entries()) {
            atMs += afterMs;
            advanceTo(atMs);
            const part = `${key}${source}#${number}`;
            if (offer(key, source, part) === undefined) taken.push(part);
            if (leaves && join.withdraw(key, source, part)) left.push(part);
            expect(join.waiting).toBeLessThanOrEqual(3);
          }
          advanceTo(atMs + 1000);
          expect(join.waiting).toBe(0);
          const used = events.flatMap((event) => event.split(' ')[1]?.split('|') ?? []).filter((part) => part !== '-');
          expect([...used, ...left].sort()).toEqual(taken.sort());
        },
      ),
      { seed: 20, numRuns: 300 },
    );
  });
});
