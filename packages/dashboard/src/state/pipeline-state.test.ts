import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AdminApi, ApiFailure, ApiResult } from '../api/admin-client.js';
import { PipelineState } from './pipeline-state.js';

const GONE: ApiFailure = { kind: 'not-found', isRoute: false, message: 'No pipeline of this name is served.' };
const OLDER: ApiFailure = { kind: 'not-found', isRoute: true, message: 'There is no such path.' };
const UNREACHABLE: ApiFailure = { kind: 'unreachable' };

/** Answers by route. A stream stays open until the page ends it; `isFull` refuses it. */
class FakeServer implements AdminApi {
  readonly asked: string[] = [];
  readonly failures = new Map<string, ApiFailure>();
  /** Failure of every route. */
  failure: ApiFailure | undefined;
  skewMs = 0;
  isFull = false;
  streams = 0;

  get = async <Value>(path: string): Promise<ApiResult<Value>> => {
    const [, route = ''] = /^\/admin\/pipelines\/p(\/[a-z-]+)?/.exec(path) ?? [];
    this.asked.push(route);
    const failure = this.failure ?? this.failures.get(route);
    if (failure !== undefined) return { ok: false, failure };
    return { ok: true, value: this.#answer(route) as Value };
  };

  post = (): never => {
    throw new Error('The page acts on nothing by itself.');
  };

  stream = async (_: string, signal: AbortSignal): Promise<Response | undefined> => {
    if (this.isFull || this.failure !== undefined) return undefined;
    this.streams += 1;
    const begin = (controller: ReadableStreamDefaultController) =>
      signal.addEventListener('abort', () => {
        this.streams -= 1;
        controller.error(new Error('ended by the page'));
      });
    return new Response(new ReadableStream({ start: begin }));
  };

  times(route: string): number {
    return this.asked.filter((each) => each === route).length;
  }

  #answer(route: string): object {
    const requests = { arrived: 0, completed: 0, withinSlo: 0, failed: 0, dropped: {} };
    switch (route) {
      case '/graph':
        return { stages: [], edges: [], sources: [], combines: [], outputs: [] };
      case '/counts':
        return { atEpochMs: Date.now() + this.skewMs, inFlight: 0, requests, stages: {}, edges: [] };
      case '/decisions':
        return { decisions: [{ id: 1, atEpochMs: 0 }] };
      case '/history':
        return { stepMs: 1000, points: [] };
      default:
        return { name: 'p', stages: {}, requests };
    }
  }
}

describe('the state of a pipeline', () => {
  const page = Object.assign(new EventTarget(), { hidden: false });
  let server: FakeServer;
  let state: PipelineState;

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('document', page);
    page.hidden = false;
    server = new FakeServer();
    state = new PipelineState(server, 'p');
  });

  afterEach(() => {
    state.stop();
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  const show = (isShown: boolean): void => {
    page.hidden = !isShown;
    page.dispatchEvent(new Event('visibilitychange'));
  };
  const started = async (ms = 1100): Promise<void> => {
    state.start();
    await vi.advanceTimersByTimeAsync(ms);
  };

  it('of a pipeline that is gone says so, keeps the last figures, and goes on when it is back', async () => {
    await started();
    expect([state.facts.value?.name, state.failure.value]).toEqual(['p', undefined]);
    const readAtMs = state.readAtMs.value;
    server.failure = GONE;
    await vi.advanceTimersByTimeAsync(5000);
    expect([state.facts.value?.name, state.failure.value]).toEqual(['p', GONE]);
    expect(state.readAtMs.value).toBeLessThanOrEqual((readAtMs ?? 0) + 1000);
    server.failure = undefined;
    await vi.advanceTimersByTimeAsync(2100);
    expect(state.failure.value).toBeUndefined();
  });

  it('of a pipeline that never answered has no figures', async () => {
    server.failure = GONE;
    await started();
    expect([state.facts.value, state.failure.value]).toEqual([undefined, GONE]);
  });

  it('reads all again after a lost connection, whose stream it ends', async () => {
    await started();
    expect([server.streams, state.stream.value]).toEqual([1, 'open']);
    const before = { graph: server.times('/graph'), decisions: server.times('/decisions') };
    server.failure = UNREACHABLE;
    await vi.advanceTimersByTimeAsync(3000);
    expect([server.streams, state.stream.value === 'open']).toEqual([0, false]);
    server.failure = undefined;
    await vi.advanceTimersByTimeAsync(4000);
    expect(server.times('/graph')).toBeGreaterThan(before.graph);
    expect(server.times('/decisions')).toBeGreaterThan(before.decisions);
    expect([server.streams, state.stream.value]).toEqual([1, 'open']);
  });

  it('shows new decisions also to one page too many, which gets no events', async () => {
    server.isFull = true;
    await started();
    expect(state.stream.value).toBe('refused');
    const before = server.times('/decisions');
    await vi.advanceTimersByTimeAsync(20_000);
    const reads = server.times('/decisions') - before;
    expect(reads).toBeGreaterThanOrEqual(3);
    expect(reads).toBeLessThanOrEqual(5);
  });

  it('asks for nothing and holds no connection while its tab is hidden', async () => {
    await started();
    show(false);
    await vi.advanceTimersByTimeAsync(2000);
    const before = server.asked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect([server.streams, server.asked.length - before]).toEqual([0, 0]);
    show(true);
    await vi.advanceTimersByTimeAsync(2000);
    expect([server.streams, server.asked.length > before]).toEqual([1, true]);
  });

  it('asks an older server only once for what it does not have, until another server may be there', async () => {
    for (const route of ['/graph', '/counts', '/history']) server.failures.set(route, OLDER);
    await started(10_000);
    expect([server.times('/graph'), server.times('/counts'), server.times('/history')]).toEqual([1, 0, 1]);
    expect([state.historyOffer.value, state.failure.value, state.facts.value?.name]).toEqual([
      'missing',
      undefined,
      'p',
    ]);
    server.failures.clear();
    server.failure = UNREACHABLE;
    await vi.advanceTimersByTimeAsync(3000);
    server.failure = undefined;
    await vi.advanceTimersByTimeAsync(3000);
    expect([state.historyOffer.value, state.graph.value === undefined]).toEqual(['offered', false]);
  });

  it.each([3_600_000, -90_000])(
    'has the time of a server whose clock is off by %d ms, also after it is set',
    async (ms) => {
      server.skewMs = ms;
      await started();
      expect(state.skewMs.value).toBe(ms);
      expect(state.nowMs()).toBe(Date.now() + ms);
      server.skewMs = 0;
      await vi.advanceTimersByTimeAsync(1100);
      expect(state.nowMs()).toBe(Date.now());
    },
  );
});
