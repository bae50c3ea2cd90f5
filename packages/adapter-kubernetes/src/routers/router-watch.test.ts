import type { AlarmClock } from '@equipoise/core';
import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { routerPod } from '../plans/plan-loop.test-support.js';
import { labelsOf } from '../render/object-names.js';
import { pageText } from './router-pages.test-support.js';
import { RouterWatch } from './router-watch.js';

const NEXT_LABELS = labelsOf('shelf', { kind: 'next' });

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

it('counts both sides of a shift from the youngest router that serves, while all of them are heard', async () => {
  const clock = new ManualClock();
  const next = { ...routerPod('router-9'), metadata: { ...routerPod('router-9').metadata, labels: NEXT_LABELS } };
  const served: Record<string, number> = {};
  let silent = '';
  const ask = (url: string) => {
    const [name = ''] = /router-\d/.exec(url) ?? [];
    if (name === silent) return Promise.reject(new Error('refused'));
    served[name] = (served[name] ?? 100) + 10;
    const late = name === 'router-9' ? served[name] / 10 : 0;
    return Promise.resolve(pageText({ arrived: served[name], completed: [served[name] - late, 0, late] }));
  };
  const watch = new RouterWatch({ clock, ask }, [routerPod('router-1'), next], () => {});
  const stop = new AbortController();
  const running = watch.run(stop.signal);
  const seconds = (count: number) => clock.advanceTo(clock.nowMs() + 1000 * count);
  await seconds(13);
  expect(watch.sides).toMatchObject({ before: { ended: 100, missed: 0 }, after: { ended: 100, missed: 10 } });
  // Another step: another router that serves.
  watch.see([routerPod('router-2'), next]);
  expect(watch.sides).toMatchObject({ before: { ended: 0 }, after: { ended: 0 } });
  await seconds(9);
  expect(watch.sides?.before.ended).toBeGreaterThanOrEqual(40);
  expect(watch.sides?.before.ended).toBeLessThanOrEqual(60);
  silent = 'router-9';
  await seconds(8);
  expect(watch.sides).toBeUndefined();
  stop.abort();
  await seconds(2);
  await running;
});
