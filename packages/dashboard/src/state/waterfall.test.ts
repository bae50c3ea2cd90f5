import { describe, expect, it } from 'vitest';
import { chromeTrace, namedRequests, type RequestSpan, timeByKind, waterfallRows } from './waterfall.js';

const span = (stageId: string, kind: RequestSpan['kind'], startMs: number, endMs: number): RequestSpan => ({
  ...{ stageId, kind, startMs, endMs },
});
const spans = [
  span('detect', 'run', 2, 10),
  span('detect', 'queue', 0, 2),
  span('classify', 'queue', 10, 11),
  span('classify', 'run', 11, 15),
  span('classify', 'queue', 10, 15),
  span('classify', 'run', 15, 19),
];

describe('the names of requests', () => {
  it('tell apart the requests of one trace', () => {
    const request = { traceId: 'ab', startedEpochMs: 1000, latencyMs: 19, outcome: 'completed', spans };
    const others = [{ ...request, latencyMs: 20 }, request, { ...request, startedEpochMs: 1001 }];
    const names = namedRequests([request, ...others]).map(({ name }) => name);
    expect(new Set(names).size).toBe(4);
    expect(namedRequests(others)[1]?.name).toBe(names[0]);
  });
});

describe('the waterfall of a request', () => {
  it('has a row per visit: the items of a fan-out do not overlap', () => {
    const rows = waterfallRows(spans);
    expect(rows.map(({ stageId, startMs, endMs, spans: own }) => [stageId, startMs, endMs, own.length])).toEqual([
      ['detect', 0, 10, 2],
      ['classify', 10, 15, 2],
      ['classify', 10, 19, 2],
    ]);
    for (const { spans: own } of rows)
      for (const [at, each] of own.entries())
        expect(each.startMs).toBeGreaterThanOrEqual((own[at - 1]?.endMs ?? 0) - 1e-6);
  });

  it('sums the time of each kind', () => {
    expect(timeByKind(spans)).toEqual({ queue: 8, batch: 0, run: 16, hop: 0 });
  });

  it('becomes a trace in microseconds, with named rows', () => {
    const request = { traceId: 'ab', startedEpochMs: 1000, latencyMs: 19, outcome: 'completed', spans };
    const { traceEvents } = chromeTrace([request]) as { readonly traceEvents: readonly Record<string, unknown>[] };
    const named = traceEvents.filter(({ name }) => name === 'thread_name').map(({ args, tid }) => [tid, args]);
    expect(named).toEqual([
      [0, { name: 'request' }],
      [1, { name: 'detect' }],
      [2, { name: 'classify' }],
      [3, { name: 'classify' }],
    ]);
    expect(traceEvents.find(({ name }) => name === 'detect run')).toMatchObject({
      ...{ ph: 'X', pid: 1, tid: 1, ts: 1_002_000, dur: 8000 },
    });
  });
});
