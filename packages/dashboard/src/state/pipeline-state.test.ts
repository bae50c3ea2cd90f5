import { effect } from '@preact/signals';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AdminApi, ApiFailure, ApiResult } from '../api/admin-client.js';
import { PipelineState } from './pipeline-state.js';

const GONE: ApiFailure = { kind: 'not-found', isRoute: false, message: 'No pipeline of this name is served.' };
const OLDER: ApiFailure = { kind: 'not-found', isRoute: true, message: 'There is no such path.' };
const UNREACHABLE: ApiFailure = { kind: 'unreachable' };

/** Answers by route, after `delayMs`. A stream stays open until the page ends it; `isFull` refuses it. */
class FakeServer implements AdminApi {
  readonly #startedAtMs = Date.now();
  readonly #controllers = new Set<ReadableStreamDefaultController<Uint8Array>>();
  #counted = { arrived: 0, atMs: Date.now(), rps: 10 };
  delayMs = 0;
  readonly asked: string[] = [];
  /** Numbers of the decisions that were read with their evidence. */
  readonly decisionsRead: number[] = [];
  readonly failures = new Map<string, ApiFailure>();
  /** Failure of every route. */
  failure: ApiFailure | undefined;
  skewMs = 0;
  specDigest = 'a';
  isFull = false;
  streams = 0;
  /** Decisions that changed nothing, after the first one. */
  holds = 0;

  get = async <Value>(path: string): Promise<ApiResult<Value>> => {
    const [, route = '', id] = /^\/admin\/pipelines\/p(\/[a-z-]+)?(?:\/(\d+))?/.exec(path) ?? [];
    this.asked.push(route);
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    const failure = this.failure ?? this.failures.get(route);
    if (failure !== undefined) return { ok: false, failure };
    if (id !== undefined) {
      this.decisionsRead.push(Number(id));
      return { ok: true, value: this.#decision(Number(id)) as Value };
    }
    return { ok: true, value: this.#answer(route, new URL(path, 'http://fake').searchParams) as Value };
  };

  post = (): never => {
    throw new Error('The page acts on nothing by itself.');
  };

  stream = async (_: string, signal: AbortSignal): Promise<Response | undefined> => {
    if (this.isFull || this.failure !== undefined) return undefined;
    this.streams += 1;
    const begin = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      this.#controllers.add(controller);
      signal.addEventListener('abort', () => {
        this.streams -= 1;
        this.#controllers.delete(controller);
        controller.error(new Error('ended by the page'));
      });
    };
    return new Response(new ReadableStream({ start: begin }));
  };

  times(route: string): number {
    return this.asked.filter((each) => each === route).length;
  }

  /** Sends text on all open streams. */
  send(text: string): void {
    for (const controller of this.#controllers) controller.enqueue(new TextEncoder().encode(text));
  }

  get nowMs(): number {
    return Date.now() + this.skewMs;
  }

  setRate(rps: number): void {
    this.#counted = { arrived: this.#arrived, atMs: Date.now(), rps };
  }

  get #arrived(): number {
    const { arrived, atMs, rps } = this.#counted;
    return arrived + (rps * (Date.now() - atMs)) / 1000;
  }

  /** One point a second since the start. If the clock is set, all of them move. */
  #points(fromEpochMs: number): readonly object[] {
    const seconds = Math.floor((Date.now() - this.#startedAtMs) / 1000);
    const all = Array.from({ length: seconds }, (_, i) => this.#startedAtMs + 1000 * (i + 1) + this.skewMs);
    return all.filter((atEpochMs) => atEpochMs > fromEpochMs).map((atEpochMs) => ({ atEpochMs, arrivalRps: 10 }));
  }

  #decisions(limit: number, before: number): object {
    if (this.holds === 0) return { decisions: [{ id: 1, atEpochMs: 0 }] };
    const first = Math.max(1, before - limit);
    const ids = Array.from({ length: before - first }, (_, i) => before - 1 - i);
    const applied = { id: 1, atEpochMs: 0, kind: 'apply', outcome: { kind: 'applied', tookMs: 1 } };
    const decisions = ids.map((id) => (id === 1 ? applied : { id, atEpochMs: 0, kind: 'hold' }));
    return { decisions, ...(first > 1 && { nextBefore: first }) };
  }

  #decision(id: number): object {
    return { id, atEpochMs: 0, decision: id === 1 ? { kind: 'apply', plan: { stages: {} } } : { kind: 'hold' } };
  }

  #answer(route: string, query: URLSearchParams): object {
    const requests = { arrived: this.#arrived, completed: 0, withinSlo: 0, failed: 0, dropped: {} };
    switch (route) {
      case '/graph':
        return { stages: [], edges: [], sources: [], combines: [], outputs: [] };
      case '/counts':
        return { atEpochMs: this.nowMs, inFlight: 0, requests, stages: {}, edges: [] };
      case '/decisions':
        return this.#decisions(Number(query.get('limit')), Number(query.get('before') ?? this.holds + 2));
      case '/history':
        return { stepMs: 1000, points: this.#points(Number(query.get('fromEpochMs') ?? 0)) };
      default:
        return { name: 'p', stages: {}, requests, specDigest: this.specDigest };
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

  it('reads the graph again when the pipeline changes', async () => {
    await started(5000);
    expect(server.times('/graph')).toBe(1);
    server.specDigest = 'b';
    server.failures.set('/graph', UNREACHABLE);
    await vi.advanceTimersByTimeAsync(2100);
    server.failures.clear();
    await vi.advanceTimersByTimeAsync(1100);
    const times = server.times('/graph');
    expect(times).toBeGreaterThan(1);
    await vi.advanceTimersByTimeAsync(5000);
    expect(server.times('/graph')).toBe(times);
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

  it('follows the server when its clock is set back an hour', async () => {
    await started(20_000);
    const lagMs = () => Math.abs(server.nowMs - (state.history.value.at(-1)?.atEpochMs ?? 0));
    expect(lagMs()).toBeLessThan(2500);
    expect(state.rates.value?.arrivalRps).toBeCloseTo(10, 6);
    state.replayAt.value = server.nowMs - 5000;
    server.skewMs = -3_600_000;
    server.setRate(50);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(lagMs()).toBeLessThan(2500);
    expect(state.rates.value?.arrivalRps).toBeCloseTo(50, 6);
    expect(state.replayAt.value).toBeUndefined();
    const times = state.history.value.map(({ atEpochMs }) => atEpochMs);
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
    expect(times.length).toBeGreaterThan(25);
  });

  it('asks for the last point and the later ones only, while the clock runs', async () => {
    await started(10_000);
    const before = server.times('/history');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(server.times('/history') - before).toBeLessThanOrEqual(11);
    expect(state.history.value.length).toBeGreaterThanOrEqual(18);
  });

  it('does not show the last point as the present while the history cannot be read', async () => {
    await started(5000);
    expect(state.newest.value).toEqual(state.history.value.at(-1));
    const refused: ApiFailure = { kind: 'refused', status: 503, message: 'busy' };
    server.failures.set('/history', refused);
    await vi.advanceTimersByTimeAsync(1100);
    expect([state.newest.value, state.historyFailure.value, state.failure.value]).toEqual([
      undefined,
      refused,
      undefined,
    ]);
    server.failures.clear();
    await vi.advanceTimersByTimeAsync(1100);
    expect([state.newest.value, state.historyFailure.value]).toEqual([state.history.value.at(-1), undefined]);
  });

  it('says that its rates are old if the counts cannot be read', async () => {
    await started();
    const refused: ApiFailure = { kind: 'refused', status: 503, message: 'busy' };
    server.failures.set('/counts', refused);
    await vi.advanceTimersByTimeAsync(1100);
    expect(state.failure.value).toBe(refused);
  });

  it('finds the running plan behind hours of decisions that changed nothing, and looks for it once', async () => {
    server.holds = 1000;
    await started();
    expect([state.plan.value, state.planId.value]).toEqual([{ stages: {} }, 1]);
    const before = server.times('/decisions');
    server.send('event: decided\ndata: {}\n\n');
    await vi.advanceTimersByTimeAsync(500);
    expect(server.times('/decisions') - before).toBe(1);
  });

  it('reads the plan of a decision once, and evidence only of decisions that it does not know', async () => {
    server.holds = 20;
    await started();
    const read = () => server.decisionsRead.length;
    expect(server.decisionsRead).toEqual([21, 1]);
    for (let i = 0; i < 5; i++) {
      server.send('event: amended\ndata: {}\n\n');
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(read()).toBe(2);
    server.holds = 21;
    server.send('event: decided\ndata: {}\n\n');
    await vi.advanceTimersByTimeAsync(500);
    expect(server.decisionsRead).toEqual([21, 1, 22]);
  });

  it('reads at most some four times a second, however many events come', async () => {
    await started(5000);
    const before = server.times('');
    for (let i = 0; i < 400; i++) {
      server.send('event: replica-ready\ndata: {}\n\n');
      await vi.advanceTimersByTimeAsync(5);
    }
    const reads = server.times('') - before;
    expect(reads).toBeGreaterThanOrEqual(6);
    expect(reads).toBeLessThanOrEqual(9);
  });

  it('renders once for all readings of a second', async () => {
    await started(5000);
    let renderings = 0;
    const end = effect(() => {
      for (const read of [state.facts, state.running, state.counts, state.rates, state.history]) void read.value;
      renderings += 1;
    });
    const before = server.times('');
    await vi.advanceTimersByTimeAsync(10_000);
    end();
    expect(renderings - 1).toBe(server.times('') - before);
  });

  it('ends a stream that it cannot read before it opens another one', async () => {
    await started();
    expect(server.streams).toBe(1);
    server.send('x'.repeat(1_000_001));
    await vi.advanceTimersByTimeAsync(2000);
    expect([server.streams, state.stream.value]).toEqual([1, 'open']);
  });

  it('reads decisions once more for all events that come during a reading', async () => {
    await started();
    server.delayMs = 300;
    const before = server.times('/decisions');
    for (let i = 0; i < 20; i++) {
      server.send('event: decided\ndata: {}\n\n');
      await vi.advanceTimersByTimeAsync(5);
    }
    await vi.advanceTimersByTimeAsync(700);
    expect(server.times('/decisions') - before).toBe(2);
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
