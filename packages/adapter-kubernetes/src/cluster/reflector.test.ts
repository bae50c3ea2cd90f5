import { AppError, SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { memoryProbes, type Probe, probe, probes } from '../api/conformance/probe-resource.test-support.js';
import { written } from '../api/conformance/subject.test-support.js';
import { refTo } from '../api/kube-object.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { Reflector, usualReflectorLimits } from './reflector.js';

const namespace = 'n';
const writer = { fieldManager: 'test' };
const { silenceMs } = usualReflectorLimits;

/** Reflector of all probes on a server in memory, with its reports. */
async function start({ limits = usualReflectorLimits, names = [] as readonly string[] } = {}) {
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, [memoryProbes]);
  const [api, own] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  const put = async (name: string, note?: string) =>
    written(await own.apply(probes, probe(namespace, name, note === undefined ? {} : { note }), writer));
  for (const name of names) await put(name);
  const told: string[] = [];
  const failures: number[] = [];
  const reflector = new Reflector<Probe>(
    { api, clock, rng: new SeededRng(1), limits },
    { type: probes, namespace },
    {
      onChange: (key, object) => told.push(object === undefined ? `-${key}` : `${key}=${object.spec.note ?? ''}`),
      onFailure: (_error, inARow) => failures.push(inARow),
    },
  );
  const abort = new AbortController();
  const running = reflector.run(abort.signal);
  const pass = (durationMs: number) => clock.advanceTo(clock.nowMs() + durationMs);
  await pass(0);
  return {
    ...{ clock, kube, api, put, told, failures, reflector, pass },
    remove: (name: string) => own.delete({ type: probes, namespace, name }),
    known: () => [...reflector.objects.keys()].sort(),
    stop: async () => {
      abort.abort();
      await running;
      expect(clock.pendingAlarms).toBe(0);
      expect(kube.openWatches).toBe(0);
    },
  };
}

describe('Reflector', () => {
  it('lists page by page, then follows', async () => {
    const limits = { ...usualReflectorLimits, pageSize: 2 };
    const { told, put, remove, pass, api, known, reflector, stop } = await start({ limits, names: ['a', 'b', 'c'] });
    expect(reflector.isListed).toBe(true);
    expect(told.splice(0)).toEqual(['n/a=', 'n/b=', 'n/c=']);
    expect(api.calls).toEqual(['list probes', 'list probes', 'watch probes']);
    await put('d', 'new');
    await put('a', 'changed');
    await remove('b');
    await pass(0);
    expect(told).toEqual(['n/d=new', 'n/a=changed', '-n/b']);
    expect(known()).toEqual(['n/a', 'n/c', 'n/d']);
    await stop();
  });

  it('begins a watch that the server ended again where it was, without a list', async () => {
    const { told, put, pass, api, failures, clock, stop } = await start({ names: ['a'] });
    // Longer than any watch; bookmarks prevent a time-out for silence.
    await pass(usualReflectorLimits.watchMs.longest * 3);
    expect(clock.nowMs()).toBeGreaterThan(0);
    expect(api.calls.filter((call) => call === 'list probes')).toHaveLength(1);
    expect(api.calls.filter((call) => call === 'watch probes').length).toBeGreaterThan(2);
    expect(failures).toEqual([]);
    await put('b');
    await pass(0);
    expect(told).toEqual(['n/a=', 'n/b=']);
    await stop();
  });

  it('goes on after dropped watches, with pauses, and misses nothing', async () => {
    const { kube, told, put, remove, pass, api, failures, stop } = await start({ names: ['a'] });
    api.line = 'down';
    kube.dropWatches();
    await pass(60_000);
    // Retries are 0.1 to 10 s apart: neither a tight loop nor too rare.
    expect(failures.length).toBeGreaterThan(8);
    expect(failures.length).toBeLessThan(25);
    await put('b');
    await remove('a');
    api.line = 'up';
    await pass(10_000);
    expect(told).toEqual(['n/a=', 'n/b=', '-n/a']);
    expect(api.calls.filter((call) => call === 'list probes')).toHaveLength(1);
    await stop();
  });

  it('lists again when the server has forgotten its version, and tells only the differences', async () => {
    const { kube, told, put, remove, pass, api, failures, known, stop } = await start({ names: ['a', 'b', 'c'] });
    told.splice(0);
    api.line = 'down';
    kube.dropWatches();
    await pass(1_000);
    await put('b', 'changed');
    await put('d');
    await remove('c');
    kube.compact();
    api.line = 'up';
    failures.splice(0);
    await pass(20_000);
    expect(told.sort()).toEqual(['-n/c', 'n/b=changed', 'n/d=']);
    expect(known()).toEqual(['n/a', 'n/b', 'n/d']);
    expect(api.calls.filter((call) => call === 'list probes')).toHaveLength(2);
    await stop();
  });

  it('gives up a connection that has fallen silent', async () => {
    const { kube, told, put, pass, failures, api, stop } = await start();
    // Events of the server are lost without an error.
    const feed = kube.muteWatches();
    await put('a');
    await pass(silenceMs - 1);
    expect([told, failures]).toEqual([[], []]);
    await pass(1_000);
    expect(failures).toEqual([1]);
    expect(told).toEqual(['n/a=']);
    expect(feed).toBe(1);
    expect(api.calls.filter((call) => call === 'watch probes')).toHaveLength(2);
    await stop();
  });

  it('lists again on a server that was restored, whose versions are smaller', async () => {
    const { kube, told, put, remove, pass, api, failures, known, stop } = await start({ names: ['a', 'b', 'c'] });
    told.splice(0);
    kube.restoreTo(kube.revision - 3);
    await put('d');
    await remove('a');
    await pass(silenceMs + 20_000);
    expect(told.sort()).toEqual(['-n/a', 'n/d=']);
    expect(known()).toEqual(['n/b', 'n/c', 'n/d']);
    expect(api.calls.filter((call) => call === 'list probes')).toHaveLength(2);
    await put('e');
    await pass(0);
    expect(told).toContain('n/e=');
    expect(failures).toEqual([1, 1]);
    await stop();
  });

  it.each([
    [504, 2],
    [503, 1],
  ])('lists again if the server refuses its version, not if it is busy: %i', async (httpStatus, lists) => {
    const { kube, api, put, told, pass, stop } = await start({ names: ['a'] });
    const watch = api.watch.bind(api);
    const refuses = new AppError('CLUSTER_REFUSED', 'Too large resource version', { details: { httpStatus } });
    api.watch = () => {
      api.watch = watch;
      throw refuses;
    };
    kube.dropWatches();
    await put('b');
    await pass(5_000);
    expect(told).toEqual(['n/a=', 'n/b=']);
    expect(api.calls.filter((call) => call === 'list probes')).toHaveLength(lists);
    await stop();
  });

  it('waits as long as a busy server asks', async () => {
    const { kube, clock } = await start();
    const api = new MemoryKubeApi(kube);
    const details = { httpStatus: 429, retryAfterSeconds: 30 };
    let asked = 0;
    api.list = async () => {
      asked += 1;
      throw new AppError('CLUSTER_REFUSED', 'too many requests', { details });
    };
    const abort = new AbortController();
    const listener = { onChange: () => {}, onFailure: () => {} };
    const running = new Reflector({ api, clock, rng: new SeededRng(3) }, { type: probes }, listener).run(abort.signal);
    await clock.advanceTo(29_000);
    expect(asked).toBe(1);
    await clock.advanceTo(91_000);
    expect(asked).toBe(4);
    abort.abort();
    await running;
  });

  it('does not ask a server that ends each watch at once in a tight loop', async () => {
    const { kube, pass, api, stop } = await start();
    kube.endsWatchesAtOnce = true;
    kube.dropWatches();
    await pass(60_000);
    expect(api.calls.filter((call) => call === 'watch probes').length).toBeLessThan(25);
    await stop();
  });

  it('tries the first list until it is answered', async () => {
    const { kube, api, clock } = { ...(await start()) };
    expect(kube.openWatches).toBe(1);
    const late = new MemoryKubeApi(kube);
    late.line = 'down';
    const told: string[] = [];
    const abort = new AbortController();
    const listener = { onChange: (key: string) => told.push(key), onFailure: () => {} };
    const reflector = new Reflector({ api: late, clock, rng: new SeededRng(2) }, { type: probes }, listener);
    const running = reflector.run(abort.signal);
    await clock.advanceTo(5_000);
    expect(reflector.isListed).toBe(false);
    written(await api.create(probes, probe(namespace, 'a', {}), writer));
    late.line = 'up';
    await clock.advanceTo(20_000);
    expect(told).toEqual(['n/a']);
    abort.abort();
    await running;
  });

  it('keeps and reports the part of an object that its listener keeps', async () => {
    const { kube, clock, put, stop } = await start({ names: ['a'] });
    await put('b', 'kept');
    const told: string[] = [];
    const abort = new AbortController();
    const reflector = new Reflector<Probe>(
      { api: new MemoryKubeApi(kube), clock, rng: new SeededRng(2) },
      { type: probes },
      {
        keep: ({ metadata, spec, ...rest }) =>
          spec.note === undefined ? undefined : { ...rest, metadata, spec: { note: spec.note.slice(0, 1) } },
        onChange: (key, object) => told.push(`${key}=${object?.spec.note}`),
        onFailure: () => {},
      },
    );
    const running = reflector.run(abort.signal);
    await clock.advanceTo(0);
    await put('a', 'new');
    await put('c');
    await put('b');
    await clock.advanceTo(0);
    expect(told).toEqual(['n/b=k', 'n/a=n', 'n/b=undefined']);
    expect([...reflector.objects.keys()]).toEqual(['n/a']);
    abort.abort();
    await running;
    await stop();
  });

  it('knows the objects of one namespace by their keys', async () => {
    const { reflector, put, pass, stop } = await start();
    const made = await put('a', 'x');
    await pass(0);
    expect(reflector.objects.get('n/a')).toEqual(made);
    expect(refTo(probes, made)).toEqual({ type: probes, namespace, name: 'a' });
    await stop();
  });
});
