import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RouterHistory } from './router-history.js';
import { page } from './router-pages.test-support.js';

describe('RouterHistory', () => {
  it('counts each arrival in its second, however seldom and irregularly the pages come', () => {
    const router = fc.record({
      startMs: fc.integer({ min: 1_000, max: 4_999 }),
      counts: fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 60, maxLength: 60 }),
      gapsMs: fc.array(fc.integer({ min: 200, max: 15_000 }), { minLength: 1, maxLength: 20 }),
    });
    fc.assert(
      fc.property(fc.array(router, { minLength: 1, maxLength: 3 }), (routers) => {
        const history = new RouterHistory(0);
        const endMs = 50_000;
        const expected = new Array<number>(60).fill(0);
        routers.forEach(({ startMs, counts, gapsMs }, index) => {
          history.addRouter(`r${index}`, startMs);
          let atMs = startMs;
          const pageAt = (nowMs: number) => {
            const last = Math.floor((nowMs - startMs) / 1000) - 1;
            const whole = counts.slice(0, last + 1);
            const arrived = whole.reduce((sum, count) => sum + count, 0);
            const seconds = { last, sinceMs: (nowMs - startMs) % 1000, counts: whole };
            history.addPage(`r${index}`, { ...page({ arrived }), seconds }, nowMs);
          };
          for (const gapMs of gapsMs) {
            atMs += gapMs;
            if (atMs >= endMs) break;
            pageAt(atMs);
          }
          pageAt(endMs);
          const offset = Math.round(startMs / 1000);
          counts.slice(0, Math.floor((endMs - startMs) / 1000)).forEach((count, second) => {
            expected[second + offset] = (expected[second + offset] ?? 0) + count;
          });
        });
        const { arrivalsPerSecond } = history.load(endMs);
        const told = arrivalsPerSecond.length;
        const last = Math.min(
          ...routers.map(({ startMs }) => Math.floor((endMs - startMs) / 1000) + Math.round(startMs / 1000)),
        );
        expect(arrivalsPerSecond).toEqual(expected.slice(last - told, last));
        expect(told).toBeGreaterThan(40);
      }),
      { seed: 22, numRuns: 200 },
    );
  });

  it('counts nothing twice and loses nothing when a router starts again', () => {
    const history = new RouterHistory(0);
    history.addRouter('a', 500);
    const add = (atMs: number, arrived: number, last: number, counts: readonly number[]) =>
      history.addPage('a', { ...page({ arrived }), seconds: { last, sinceMs: 0, counts } }, atMs);
    add(3_500, 6, 2, [1, 2, 3]);
    add(5_500, 15, 4, [2, 3, 4, 5]);
    add(8_500, 7, 0, [7]);
    expect(history.load(8_500).arrivalsPerSecond.reduce((sum, count) => sum + count)).toBe(22);
  });

  it('knows nothing before a router is heard', () => {
    const history = new RouterHistory(0);
    history.addRouter('a', 0);
    expect(history.hasPages).toBe(false);
    expect(history.load(5_000)).toEqual({ arrivalsPerSecond: [], latest: [] });
    expect(history.window(99)).toBeUndefined();
  });

  it('counts by whole seconds, begins with the first page of a router that was there, and leaves the running second out', () => {
    const history = new RouterHistory(500);
    history.addRouter('a', 500);
    history.addPage('a', page({ arrived: 1_000_000 }), 1_500);
    history.addPage('a', page({ arrived: 1_000_010 }), 2_500);
    history.addPage('a', page({ arrived: 1_000_030 }), 3_500);
    history.addPage('a', page({ arrived: 1_000_034 }), 4_200);
    expect(history.load(4_300).arrivalsPerSecond).toEqual([10, 20]);
  });

  it('counts a new router from its start, and the arrivals of a gap over all of it', () => {
    const history = new RouterHistory(0);
    history.addRouter('a', 2_000);
    history.addPage('a', page({ arrived: 30 }), 5_000);
    expect(history.load(5_000).arrivalsPerSecond).toEqual([10, 10, 10]);
    history.addPage('a', page({ arrived: 33 }), 9_000);
    expect(
      history
        .load(9_000)
        .arrivalsPerSecond.slice(3)
        .reduce((sum, count) => sum + count),
    ).toBe(3);
  });

  it('adds routers up, goes on when one starts anew, and waits for none that leaves', () => {
    const history = new RouterHistory(0);
    for (const router of ['a', 'b']) history.addRouter(router, 0);
    for (const router of ['a', 'b']) history.addPage(router, page(), 1_000);
    history.addPage('a', page({ arrived: 10, latest: [1, 2, 3] }), 2_000);
    history.addPage('b', page({ arrived: 5, latest: [1, 1, 1] }), 2_000);
    expect(history.load(2_000)).toMatchObject({
      arrivalsPerSecond: [15],
      latest: [
        { windowS: 0.25, arrivals: 2 },
        { windowS: 0.5, arrivals: 3 },
        { windowS: 1, arrivals: 4 },
      ],
    });
    // The counters of `a` restart; `b` is silent and terminates.
    history.addPage('a', page({ arrived: 4 }), 3_000);
    expect(history.load(3_000).arrivalsPerSecond).toEqual([15]);
    history.setAwaited('b', false);
    expect(history.load(3_000).arrivalsPerSecond).toEqual([15, 4]);
    history.removeRouter('b');
    history.addPage('a', page({ arrived: 5 }), 4_000);
    expect(history.load(4_000).arrivalsPerSecond).toEqual([15, 4, 1]);
  });

  it('keeps how bursty requests are while a new router cannot tell, for ten minutes', () => {
    const history = new RouterHistory(0);
    history.addRouter('a', 0);
    history.addPage('a', page({ dispersion: [1.2, 3] }), 1_000);
    history.addPage('a', page(), 2_000);
    expect(history.load(600_000).burstiness).toMatchObject({ dispersionAt10s: 3 });
    expect(history.load(602_000).burstiness).toBeUndefined();
  });

  it('tells share within the SLO and latency of the last minute alone', () => {
    const history = new RouterHistory(0);
    history.addRouter('a', 0);
    history.addPage('a', page({ arrived: 100, completed: [0, 0, 100], dropped: 900 }), 1_000);
    history.addPage('a', page({ arrived: 300, completed: [50, 50, 200] }), 11_000);
    expect(history.window(50)).toMatchObject({ arrivalRps: 20 });
    for (let second = 12; second <= 80; second++) {
      const completed = [50 + 90 * (second - 11), 50 + 10 * (second - 11), 200] as const;
      history.addPage('a', page({ arrived: 300 + 100 * (second - 11), completed, dropped: 900 }), 1_000 * second);
    }
    const window = history.window(95);
    expect(window).toMatchObject({ arrivalRps: 100, sloAttainmentFraction: 1 });
    // 90 % up to 150 ms, the rest evenly up to 300 ms: the p95 is halfway.
    expect(window?.latencyMs).toBeCloseTo(225, 6);
  });

  it('tells the last bound where a latency lies beyond all of them', () => {
    const history = new RouterHistory(0);
    history.addRouter('a', 0);
    history.addPage('a', page(), 1_000);
    history.addPage('a', page({ arrived: 10, completed: [0, 0, 10] }), 3_000);
    expect(history.window(99)).toMatchObject({ latencyMs: 300, sloAttainmentFraction: 0 });
  });

  it('counts drops since it began, whichever routers there were', () => {
    const history = new RouterHistory(0);
    history.addRouter('a', 0);
    history.addPage('a', page({ dropped: 50 }), 1_000);
    history.addPage('a', page({ dropped: 52, queue: 4 }), 2_000);
    history.removeRouter('a');
    history.addRouter('b', 2_500);
    history.addPage('b', page({ dropped: 3, queue: 1 }), 3_000);
    expect(history.stages()).toEqual({
      detect: { queueLength: 1, droppedTotal: 5 },
      classify: { queueLength: 1, droppedTotal: 0 },
    });
  });

  it('loses no arrival and invents none, however pages come', () => {
    const step = fc.record({ afterMs: fc.integer({ min: 1, max: 4_000 }), arrivals: fc.integer({ min: 0, max: 500 }) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const history = new RouterHistory(0);
        history.addRouter('a', 1);
        let [atMs, arrived] = [1, 0];
        for (const { afterMs, arrivals } of steps) {
          atMs += afterMs;
          arrived += arrivals;
          history.addPage('a', page({ arrived }), atMs);
        }
        // One more page at a whole second, so that every second is complete.
        atMs = 1000 * Math.ceil(atMs / 1000 + 1);
        history.addPage('a', page({ arrived }), atMs);
        const { arrivalsPerSecond } = history.load(atMs);
        expect(arrivalsPerSecond.reduce((sum, count) => sum + count, 0)).toBe(arrived);
        expect(arrivalsPerSecond.every((count) => count >= 0 && Number.isInteger(count))).toBe(true);
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});
