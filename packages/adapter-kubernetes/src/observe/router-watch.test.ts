import type { AlarmClock, ArrivalEnvelope } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { labelsOf } from '../cluster/object-names.js';
import type { ObservedPod } from '../cluster/observed-objects.js';
import { routerPod } from '../plan/plan-loop.test-support.js';
import { pageText } from './router-pages.test-support.js';
import { RouterWatch, type RouterWatchDeps } from './router-watch.js';

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

/** Watch over routers that each get 20 requests per second while they answer. */
function watched(pods: readonly ObservedPod[], answers: (name: string) => string | undefined = () => 'shelf') {
  const clock = new ManualClock();
  const ask = (url: string) => {
    const pipeline = answers(/router-\d/.exec(url)?.[0] ?? '');
    if (pipeline === undefined) return Promise.reject(new Error('refused'));
    return Promise.resolve(pageText({ pipeline, arrived: 1_000 + Math.round(clock.nowMs() / 50) }));
  };
  const watch = new RouterWatch({ clock, ask }, pods, () => {});
  const stop = new AbortController();
  const running = watch.run(stop.signal);
  const seconds = (count: number) => clock.advanceTo(clock.nowMs() + 1000 * count);
  const end = async () => {
    stop.abort();
    await seconds(2);
    await running;
  };
  const told = () => watch.history.load(clock.nowMs()).arrivalsPerSecond;
  return { watch, seconds, end, told };
}

it('waits for the word of a router that serves, and for none that is silent and does not', async () => {
  let silent = '';
  const { watch, seconds, end, told } = watched([routerPod('router-1'), routerPod('router-2')], (name) =>
    name === silent ? undefined : 'shelf',
  );
  await seconds(10);
  silent = 'router-2';
  const before = told().length;
  await seconds(10);
  expect([told().length - before <= 1, watch.stale?.source]).toEqual([true, expect.stringContaining('router-2')]);
  watch.updatePods([routerPod('router-1'), routerPod('router-2', { ready: false })]);
  await seconds(1);
  expect([told().length - before >= 9, watch.stale?.source]).toEqual([true, undefined]);
  expect(told().slice(-5)).toEqual([20, 20, 20, 20, 20]);
  // Once the router answers again, it counts again.
  silent = '';
  watch.updatePods([routerPod('router-1'), routerPod('router-2')]);
  await seconds(5);
  expect(told().at(-1)).toBe(40);
  await end();
});

it('knows how long it has been listening in vain: since it began, or since it heard the last word', async () => {
  let isSilent = true;
  const { watch, seconds, end } = watched([routerPod('router-1')], () => (isSilent ? undefined : 'shelf'));
  expect(watch.staleMs).toBe(0);
  await seconds(3);
  expect(watch.staleMs).toBe(3_000);
  isSilent = false;
  await seconds(10);
  expect([watch.staleMs, watch.sides === undefined]).toEqual([0, false]);
  isSilent = true;
  await seconds(20);
  expect(watch.staleMs).toBeGreaterThan(10_000);
  expect(watch.staleMs).toBeLessThanOrEqual(20_000);
  await end();
});

it('does not listen to the router of another pipeline that has the address now', async () => {
  const { watch, seconds, end, told } = watched([routerPod('router-1')], () => 'another');
  await seconds(8);
  expect([told(), watch.stale?.source]).toEqual([
    [],
    expect.stringContaining('no metrics of a router of this pipeline'),
  ]);
  await end();
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
  // Next step: the serving router is replaced.
  watch.updatePods([routerPod('router-2'), next]);
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

/** Routers that show arrivals by second, 20 each, and answer waiting questions after their time or at `burst`. */
function paced(pods: readonly ObservedPod[], untilMs: (nowMs: number) => number | undefined) {
  const clock = new ManualClock();
  const asked: { readonly atMs: number; readonly waitMs: number; readonly most: ArrivalEnvelope }[] = [];
  const waiting = new Set<() => void>();
  const state = { rps: 20, counts: [] as number[] };
  const ask: RouterWatchDeps['ask'] = (_url, signal, { waitMs, most, seconds }) => {
    asked.push({ atMs: clock.nowMs(), waitMs, most });
    const page = () => {
      const last = state.counts.length - 1;
      const arrived = state.counts.reduce((sum, count) => sum + count, 0);
      const since = [last, clock.nowMs() - 1000 * state.counts.length, ...state.counts.slice(-seconds)].join(' ');
      return `${pageText({ arrived })}# arrivals ${since}\n`;
    };
    if (waitMs === 0) return Promise.resolve(page());
    return new Promise((resolve, reject) => {
      const end = (): void => {
        cancel();
        waiting.delete(end);
        resolve(page());
      };
      const cancel = clock.ringAt(clock.nowMs() + waitMs, end);
      waiting.add(end);
      signal.addEventListener('abort', () => {
        cancel();
        reject(new Error('aborted'));
      });
    });
  };
  let rounds = 0;
  const watch = new RouterWatch(
    { clock, ask },
    pods,
    () => rounds++,
    () => {
      const until = untilMs(clock.nowMs());
      return until === undefined ? undefined : { untilMs: until, most: [{ windowS: 1, arrivals: 60 }] };
    },
  );
  const stop = new AbortController();
  const running = watch.run(stop.signal);
  const seconds = async (count: number) => {
    for (let second = 0; second < count; second++) {
      await clock.advanceTo(clock.nowMs() + 1000);
      state.counts.push(state.rps);
    }
  };
  const burst = () => {
    for (const end of [...waiting]) end();
  };
  const end = async () => {
    stop.abort();
    await clock.advanceTo(clock.nowMs() + 20_000);
    await running;
  };
  const told = () => watch.history.load(clock.nowMs()).arrivalsPerSecond;
  return { watch, asked, state, seconds, burst, end, told, rounds: () => rounds };
}

it('asks as seldom as the policy allows, hears each arrival in its second, and is not stale meanwhile', async () => {
  const { watch, asked, seconds, end, told } = paced([routerPod('router-1')], (nowMs) => nowMs + 9_000);
  for (let step = 0; step < 12; step++) {
    await seconds(5);
    expect([watch.stale, watch.hasSignal]).toEqual([undefined, true]);
  }
  expect(asked.length).toBeLessThan(10);
  expect(asked.at(-1)).toMatchObject({ waitMs: 9_000, most: [{ windowS: 1, arrivals: 60 }] });
  expect(told().length).toBeGreaterThan(45);
  expect(told().every((count) => count === 20)).toBe(true);
  await end();
});

it('divides what may arrive among routers, and asks all of them at the burst of one', async () => {
  const { asked, seconds, burst, end, rounds } = paced(
    [routerPod('router-1'), routerPod('router-2')],
    (nowMs) => nowMs + 9_000,
  );
  await seconds(5);
  expect(asked.at(-1)?.most).toEqual([{ windowS: 1, arrivals: 30 }]);
  const [before, roundsBefore] = [asked.length, rounds()];
  burst();
  await seconds(1);
  expect(asked.slice(before, before + 2).map(({ waitMs }) => waitMs)).toEqual([0, 0]);
  expect(rounds()).toBe(roundsBefore + 1);
  await end();
});

it('asks each second while the policy needs each, at once when the pace changes, and of a router that has just come', async () => {
  let isQuiet = true;
  const one = routerPod('router-1');
  const { watch, asked, seconds, end } = paced([one], (nowMs) => (isQuiet ? nowMs + 9_000 : undefined));
  await seconds(3);
  const before = asked.length;
  isQuiet = false;
  watch.hurry();
  await seconds(4);
  expect(asked.slice(before).map(({ waitMs }) => waitMs)).toEqual([0, 0, 0, 0, 0].slice(0, asked.length - before));
  expect(asked.length - before).toBeGreaterThanOrEqual(4);
  isQuiet = true;
  await seconds(3);
  expect(asked.at(-1)?.waitMs).toBe(9_000);
  watch.updatePods([one, routerPod('router-2')]);
  await seconds(2);
  expect(asked.slice(-4).some(({ waitMs }) => waitMs === 0)).toBe(true);
  await end();
});
