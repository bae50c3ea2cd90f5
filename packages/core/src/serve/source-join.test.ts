import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SourceJoin, type SourceJoinRules } from './source-join.js';

/** A join under a clock that the test moves. Events read `time what`. */
function bench(
  sources: readonly (boolean | number | { optional: boolean; maxAgeMs: number })[],
  {
    maxWaitMs = 100,
    maxWaiting = 10,
    window,
  }: { maxWaitMs?: number; maxWaiting?: number; window?: SourceJoinRules['window'] } = {},
) {
  const events: string[] = [];
  const shown = (parts: readonly (string | undefined)[]) => parts.map((part) => part ?? '-').join('|');
  let nowMs = 0;
  let wakesAtMs = Number.POSITIVE_INFINITY;
  const join = new SourceJoin<string>(
    {
      maxWaitMs,
      maxWaiting,
      ...(window && { window }),
      sources: sources.map((each) => {
        if (typeof each === 'object') return each;
        return typeof each === 'boolean' ? { optional: each } : { optional: false, maxAgeMs: each };
      }),
    },
    {
      begin: (parts, atMs) => events.push(`${atMs} ${shown(parts)}`),
      giveUp: (parts, missing, isStale) =>
        events.push(`${nowMs} ${shown(parts)} ${isStale ? 'stale' : 'lacks'} ${missing.join()}`),
      forget: (part) => events.push(`${nowMs} forgets ${part}`),
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
  const offer = (key: string, source: number, part = `${key}${source}`, timeMs?: number) => {
    const end = join.offer({ key, source, part, timeMs }, nowMs);
    return end === 'taken' ? undefined : end;
  };
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
    join.offer({ key: 'a', source: 0, part: 'a0' }, 0);
    expect(join.offer({ key: 'a', source: 1, part: 'a1' }, 100)).toBe('late');
    expect(events).toEqual(['100 a0|-']);
  });

  it('ends the wait of the oldest request if more wait than allowed', () => {
    const { offer, events, advanceTo, join } = bench([false, false], { maxWaiting: 2 });
    offer('a', 0);
    advanceTo(10);
    offer('b', 0);
    expect(offer('c', 0)).toBeUndefined();
    expect(join.waiting).toBe(2);
    // The wait for it has ended.
    expect(offer('a', 1)).toBe('late');
    expect([offer('b', 1), offer('c', 1)]).toEqual([undefined, undefined]);
    expect(events).toEqual(['10 a0|- lacks 1', '10 b0|b1', '10 c0|c1']);
  });

  it('begins the oldest request early if it can do without the missing part', () => {
    const { offer, events } = bench([false, true], { maxWaiting: 1 });
    offer('a', 0);
    expect([offer('b', 0), offer('b', 1)]).toEqual([undefined, undefined]);
    expect(events).toEqual(['0 a0|-', '0 b0|b1']);
  });

  it('joins the parts of others while one client parks parts without partners', () => {
    const { offer, events, advanceTo, join } = bench([false, false], { maxWaiting: 1000, maxWaitMs: 30_000 });
    for (let parked = 0; parked < 1000; parked++) offer(`parked ${parked}`, 0);
    for (let good = 0; good < 50; good++) {
      advanceTo(10 * good);
      expect(offer(`good ${good}`, 0)).toBeUndefined();
      for (let more = 0; more < 20; more++) offer(`more ${good} ${more}`, 0);
      expect(offer(`good ${good}`, 1)).toBeUndefined();
    }
    const joined = events.filter((event) => !event.includes('lacks'));
    expect(joined).toHaveLength(50);
    expect(join.waiting).toBe(999);
    expect(join.counts).toMatchObject([
      { joined: 50, dropped: 0 },
      { joined: 50, dropped: 0 },
    ]);
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

describe('a join by key', () => {
  const window = { lengthMs: 100, late: 'drop', hasTimes: false } as const;

  it('pairs the parts of a key again and again, each part once', () => {
    const { offer, advanceTo, events, join } = bench([false, false], { window });
    offer('a', 0, 'one');
    offer('a', 0, 'two');
    offer('b', 1);
    offer('a', 1, 'first');
    advanceTo(50);
    offer('a', 1, 'second');
    offer('a', 1, 'third');
    advanceTo(500);
    expect(events).toEqual(['0 one|first', '50 two|second', '100 -|b1 lacks 0', '150 -|third lacks 0']);
    expect(join.counts).toMatchObject([{ joined: 2 }, { joined: 2, unmatched: 2 }]);
  });

  it('refuses a late part once; the next one begins a wait of its own', () => {
    const { offer, advanceTo, events } = bench([false, true], { window });
    offer('a', 0);
    advanceTo(150);
    expect([offer('a', 1, 'late'), offer('a', 1, 'next')]).toEqual(['late', undefined]);
    offer('a', 0, 'other');
    expect(events).toEqual(['100 a0|-', '150 other|next']);
  });

  it('begins a request with a late part if no other part is needed', () => {
    const { offer, advanceTo, events, join } = bench([false, true], { window: { ...window, late: 'partial' } });
    offer('a', 1);
    offer('b', 0);
    advanceTo(150);
    expect([offer('a', 0), offer('b', 1)]).toEqual([undefined, 'late']);
    expect(events).toEqual(['100 -|a1 lacks 0', '100 b0|-', '150 a0|-']);
    expect(join.counts).toMatchObject([{ joined: 2 }, { missing: 2, unmatched: 1, late: 1 }]);
  });

  it('lets a late part wait for the next parts of its key', () => {
    const { offer, advanceTo, events } = bench([false, false], { window: { ...window, late: 'wait' } });
    offer('a', 0);
    advanceTo(150);
    expect(offer('a', 1, 'late')).toBeUndefined();
    advanceTo(200);
    offer('a', 0, 'next');
    expect(events).toEqual(['100 a0|- lacks 1', '200 next|late']);
  });

  it('makes a place for a late part that waits, once', () => {
    const window = { lengthMs: 10, late: 'wait', hasTimes: true } as const;
    const { offer, advanceTo, events } = bench([false, false], { maxWaiting: 2, window });
    offer('a', 0, 'early', 5);
    advanceTo(100);
    offer('b', 0, 'b0', 100);
    offer('c', 0, 'c0', 100);
    expect([offer('a', 1, 'late', 5), offer('a', 1, 'late', 5)]).toEqual([undefined, 'duplicate']);
    offer('c', 1, 'c1', 100);
    expect(events).toEqual(['100 early|- lacks 1', '100 b0|- lacks 1', '100 c0|c1']);
  });

  it('goes by stated times, however late the parts come, and prefers the nearest request', () => {
    const { offer, advanceTo, events } = bench([false, false], {
      maxWaitMs: 1000,
      window: { lengthMs: 40, late: 'drop', hasTimes: true },
    });
    offer('a', 0, 'at 0', 0);
    offer('a', 0, 'at 50', 50);
    advanceTo(900);
    expect(offer('a', 0, 'again', 50)).toBe('duplicate');
    offer('a', 1, 'at 35', 35);
    offer('a', 1, 'at 1000', 1000);
    advanceTo(1500);
    expect([offer('a', 1, 'too late', 20), offer('a', 0, 'again', 50)]).toEqual(['late', 'duplicate']);
    advanceTo(3000);
    expect(events).toEqual(['900 at 50|at 35', '1000 at 0|- lacks 1', '1900 -|at 1000 lacks 0']);
  });

  it('bounds the work for one key, and knows neither clock nor order of the times', () => {
    const { offer, join } = bench([false, false], {
      maxWaiting: 1e6,
      window: { lengthMs: 1, late: 'drop', hasTimes: true },
    });
    const ends = Array.from({ length: 300 }, (_, i) => offer('a', 0, `${i}`, (i % 2 === 0 ? 1 : -1) * 1e15 * (i + 1)));
    expect(ends.filter((end) => end === 'full')).toHaveLength(200);
    expect(join.waiting).toBe(100);
  });
});

describe('the newest part of a slow source', () => {
  it('joins each request of the fast one until its maximum age', () => {
    const { offer, advanceTo, events, join } = bench([false, 100]);
    expect(offer('1', 0)).toBeUndefined();
    expect(offer('', 1, 'old')).toBe('kept');
    offer('2', 0);
    expect(offer('', 1, 'new')).toBe('kept');
    offer('3', 0);
    advanceTo(99);
    offer('3', 0);
    advanceTo(100);
    offer('4', 0);
    expect(events).toEqual([
      '0 10|- stale 1',
      '0 20|old',
      '0 forgets old',
      '0 30|new',
      '99 30|new',
      '100 forgets new',
      '100 40|- stale 1',
    ]);
    expect(join.counts).toMatchObject([
      { joined: 3, unmatched: 2 },
      { joined: 3, kept: 2 },
    ]);
  });

  it('may be missing, and is looked up when the other parts are there', () => {
    const { offer, advanceTo, events } = bench([false, false, { optional: true, maxAgeMs: 50 }]);
    offer('a', 0);
    offer('', 2, 'value');
    offer('b', 0);
    offer('b', 1);
    advanceTo(60);
    offer('a', 1);
    expect(events).toEqual(['0 b0|b1|value', '50 forgets value', '60 a0|a1|-']);
  });

  it('is that of the key in a join by key, by stated times the newest', () => {
    const window = { lengthMs: 10, late: 'drop', hasTimes: true } as const;
    const { offer, events } = bench([false, 1000], { window });
    expect([offer('a', 1, 'a at 5', 5), offer('a', 1, 'a at 4', 4)]).toEqual(['kept', 'late']);
    offer('b', 1, 'b at 1', 1);
    offer('a', 0, 'A', 7);
    expect(events).toEqual(['0 A|a at 5']);
  });

  it('is kept for a limited number of keys, and goes with the rest', () => {
    const window = { lengthMs: 10, late: 'drop', hasTimes: false } as const;
    const { offer, events, join } = bench([false, 1000], { maxWaiting: 2, window });
    for (const key of ['a', 'b', 'a', 'c']) offer(key, 1);
    expect(events).toEqual(['0 forgets a1', '0 forgets b1']);
    expect(join.clear()).toEqual([]);
    expect(events.slice(2)).toEqual(['0 forgets a1', '0 forgets c1']);
  });
});

it('every part ends in one way, in bounded memory, for any arrivals, keys, times and rules', () => {
  const arrival = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    source: fc.integer({ min: 0, max: 2 }),
    afterMs: fc.integer({ min: 0, max: 40 }),
    timeMs: fc.option(fc.integer({ min: -200, max: 2000 }), { nil: undefined }),
    leaves: fc.boolean(),
  });
  const rules = fc.record({
    optional: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    ageMs: fc.option(fc.constantFrom(30, 300), { nil: undefined }),
    late: fc.constantFrom('drop' as const, 'partial' as const, 'wait' as const),
    hasTimes: fc.boolean(),
    byKey: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(arrival, { maxLength: 60 }), rules, (arrivals, { optional, ageMs, byKey, ...rule }) => {
      const sources = optional.map((each, source) =>
        source === 2 && ageMs !== undefined ? { optional: each, maxAgeMs: ageMs } : each,
      );
      const window = byKey ? { lengthMs: 60, ...rule } : undefined;
      const { join, events, advanceTo, offer } = bench(sources, { maxWaiting: 3, ...(window && { window }) });
      let atMs = 0;
      let left = 0;
      for (const [number, { key, source, afterMs, leaves, timeMs }] of arrivals.entries()) {
        atMs += afterMs;
        advanceTo(atMs);
        offer(key, source, `${source}#${number}`, timeMs);
        if (leaves && join.withdraw(key, source, `${source}#${number}`)) left += 1;
        expect(join.waiting).toBeLessThanOrEqual(3);
      }
      advanceTo(atMs + 1000);
      expect(join.waiting).toBe(0);
      const ended = join.counts.map(
        ({ joined, unmatched, late, duplicate, kept, dropped }, source) =>
          unmatched + late + duplicate + kept + dropped + (sources[source] instanceof Object ? 0 : joined),
      );
      expect(ended).toEqual([0, 1, 2].map((source) => arrivals.filter((each) => each.source === source).length));
      const used = events
        .filter((event) => !event.includes('forgets'))
        .flatMap((event) => event.split(' ')[1]?.split('|') ?? [])
        .filter((part) => part !== '-' && (ageMs === undefined || !part.startsWith('2')));
      expect(new Set(used).size).toBe(used.length);
      expect(left).toBeLessThanOrEqual(join.counts.reduce((sum, { dropped }) => sum + dropped, 0));
      const forgotten = events.filter((event) => event.includes('forgets')).length;
      expect(forgotten).toBe(ageMs === undefined ? 0 : join.counts[2]?.kept);
    }),
    { seed: 12, numRuns: 200 },
  );
});
