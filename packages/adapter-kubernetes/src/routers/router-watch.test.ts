import type { AlarmClock } from '@equipoise/core';
import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { routerPod } from '../plans/plan-loop.test-support.js';
import { pageText } from './router-pages.test-support.js';
import { RouterWatch } from './router-watch.js';

it('takes nothing for arrivals that a router counted before it was watched, on a clock that stands still for nobody', async () => {
  const manual = new ManualClock();
  let looks = 0;
  const clock: AlarmClock = {
    nowMs: () => manual.nowMs() + 1e-3 * looks++,
    ringAt: (atMs, ring) => manual.ringAt(atMs, ring),
  };
  let arrived = 100_000;
  const ask = () => Promise.resolve(pageText({ arrived }));
  const watch = new RouterWatch({ clock, ask }, [routerPod('router-1')], () => {
    arrived += 20;
  });
  const stop = new AbortController();
  const running = watch.run(stop.signal);
  for (let second = 0; second < 6; second++) await manual.advanceTo(manual.nowMs() + 1000);
  stop.abort();
  await manual.advanceTo(manual.nowMs() + 2000);
  await running;
  const { arrivalsPerSecond } = watch.history.load(clock.nowMs());
  expect(arrivalsPerSecond.length).toBeGreaterThan(2);
  expect(Math.max(...arrivalsPerSecond)).toBeLessThan(50);
});
