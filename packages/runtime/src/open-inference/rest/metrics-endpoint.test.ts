import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SharedPage } from '../../net/metrics-page.js';
import type { ServedPipeline } from '../served-pipeline.js';
import type { RestRequest } from './endpoint.js';
import { metricsEndpoint } from './metrics-endpoint.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A pipeline on the faked clock, and its port. */
function bench() {
  const state = { nowMs: 5_400, arrivalsPerSecond: [3, 0, 4, 1, 2], latest: [{ windowS: 0.25, arrivals: 1 }] };
  const signal = { aborted: false, addEventListener: () => {}, removeEventListener: () => {} };
  let isServing = true;
  const pipeline = {
    isPart: false,
    get nowMs() {
      return state.nowMs + performance.now();
    },
    get load() {
      return state;
    },
    lastSeconds: (count: number) => ({ last: 4, sinceMs: 400, counts: state.arrivalsPerSecond.slice(-count) }),
  } as unknown as ServedPipeline;
  const page = new SharedPage({ contentType: 'text/plain', text: () => Promise.resolve('up 1\n') });
  const endpoint = metricsEndpoint(page);
  const ask = (query: string, pipelines = [pipeline]) => {
    const named = new Map(pipelines.map((each, index) => [`p${index}`, each]));
    const request = {
      pipelines: named,
      query: new URLSearchParams(query),
      signal,
      isServing: () => isServing,
      headers: {},
    };
    let text: string | undefined;
    const asked = Promise.resolve(endpoint(request as unknown as RestRequest)).then((answer) => {
      text = answer.text;
    });
    return { asked, text: () => text };
  };
  const drain = () => {
    isServing = false;
  };
  return { state, pipeline, signal, ask, drain };
}

describe('GET /metrics of a router', () => {
  it('shows the arrivals of the last seconds as a comment, if asked', async () => {
    const { ask, pipeline } = bench();
    const [plain, seconds, several] = [ask(''), ask('seconds=3'), ask('seconds=3', [pipeline, pipeline])];
    await vi.advanceTimersByTimeAsync(0);
    expect([plain, seconds, several].map(({ text }) => text())).toEqual([
      'up 1\n',
      'up 1\n# arrivals 4 400 4 1 2\n',
      'up 1\n',
    ]);
  });

  it('answers after the wait', async () => {
    const { ask } = bench();
    const { text } = ask('wait_ms=9000&most=0.25:1&most=1:9');
    await vi.advanceTimersByTimeAsync(8_999);
    expect(text()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(text()).toBe('up 1\n');
  });

  it.each(['a burst', 'the end of the server', 'the end of the client'])('answers at %s', async (what) => {
    const { ask, state, drain, signal } = bench();
    const { text } = ask('wait_ms=9000&most=0.25:1&most=1:9');
    await vi.advanceTimersByTimeAsync(3_000);
    expect(text()).toBeUndefined();
    if (what === 'a burst') state.latest = [{ windowS: 0.25, arrivals: 2 }];
    else if (what === 'the end of the server') drain();
    else signal.aborted = true;
    await vi.advanceTimersByTimeAsync(250);
    expect(text()).toBe('up 1\n');
  });

  it('lets 16 questions wait, and answers others at once', async () => {
    const { ask } = bench();
    const asked = Array.from({ length: 18 }, () => ask('wait_ms=1000'));
    await vi.advanceTimersByTimeAsync(0);
    expect(asked.filter(({ text }) => text() !== undefined)).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked.every(({ text }) => text() !== undefined)).toBe(true);
  });

  it.each(['wait_ms=20000', 'wait_ms=-1', 'seconds=601', 'seconds=x', 'most=1', 'most=0:1', 'most=99:1', 'most=1:1:1'])(
    'refuses %s',
    async (query) => {
      await expect(bench().ask(query).asked).rejects.toMatchObject({ code: 'MALFORMED_REQUEST' });
    },
  );
});
