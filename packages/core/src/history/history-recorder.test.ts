import { describe, expect, it } from 'vitest';
import type { Decision } from '../model/decision.js';
import { replicaId, stageId, variantId } from '../model/ids.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { HistoryRecorder, type HistorySample } from './history-recorder.js';

const spec = chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 10 }] });
const a = stageId('a');
const variant = spec.stages[0]?.variants[0]?.id ?? variantId('v');
const SLO_MS = spec.slo.latencyMs;

function bench() {
  let state: HistorySample = {
    arrived: 0,
    stages: [{ arrived: 0, dropped: 0, queueLength: 0 }],
    edges: [],
    runningPlan: { stages: {} },
  };
  const recorder = new HistoryRecorder({
    spec,
    sloLatencyMs: () => SLO_MS,
    budgetCores: () => 4,
    curves: requireCurves(spec, []),
    startedAtMs: 500,
    epochMsOf: (atMs) => 1_000_000 + atMs,
    sample: () => state,
  });
  const set = (over: Partial<HistorySample>) => {
    state = { ...state, ...over };
  };
  return { recorder, set };
}

const batch = { stageId: a, variantId: variant, replicaId: replicaId('a-1'), cpuCores: 1, size: 1, failedItems: 0 };

describe('the recorder', () => {
  it('ends each second with what happened since the last one', () => {
    const { recorder, set } = bench();
    recorder.requestEnded({ endedAtMs: 600, latencyMs: 20, leftMs: SLO_MS, outcome: 'completed' });
    recorder.batchEnded({ ...batch, serviceMs: 20, busyMs: 21, waitsMs: [4] }, 700);
    set({ arrived: 3, stages: [{ arrived: 3, dropped: 1, queueLength: 2 }] });
    recorder.requestEnded({ endedAtMs: 1600, latencyMs: SLO_MS + 1, leftMs: SLO_MS, outcome: 'completed' });
    set({ arrived: 4 });
    recorder.advance(2500);
    const window = recorder.history.window();
    expect([...window.data.atEpochMs]).toEqual([1_001_500, 1_002_500]);
    const [first, second] = window.points(10);
    expect(first).toMatchObject({ arrivalRps: 3, completedRps: 1, lateRps: 0, cpuCores: { used: 0.021 } });
    expect(first?.stages[a]).toMatchObject({ arrivalRps: 3, queueLength: 2 });
    expect(second).toMatchObject({ arrivalRps: 1, completedRps: 1, lateRps: 1, cpuCores: { used: 0 } });
    expect(recorder.latencies.window().reduce((sum, { count }) => sum + count, 0)).toBe(2);
    expect(window.stageFigure(0, 0, 'serviceMs') / window.stageFigure(0, 0, 'expectedMs')).toBe(2);
  });

  it('keeps the rate of the running plan while plans are only advised', () => {
    const { recorder } = bench();
    const decision = (kind: string, rps: number) =>
      ({
        kind,
        evidence: { forecast: { meanRps: rps, upperRps: rps }, load: { arrivalRps: rps } },
      }) as unknown as Decision;
    recorder.decided(decision('apply', 10));
    recorder.advance(1500);
    recorder.decided(decision('apply', 30), true);
    recorder.advance(2500);
    recorder.decided(decision('hold', 20), true);
    recorder.advance(3500);
    recorder.decided(decision('apply', 40));
    recorder.advance(4500);
    const window = recorder.history.window();
    expect([0, 1, 2, 3].map((at) => window.figure(at, 'provisionedRps'))).toEqual([10, 10, 20, 40]);
    expect([0, 1, 2, 3].map((at) => window.figure(at, 'forecastRps'))).toEqual([10, 30, 20, 40]);
  });

  it('tells how old the newest data of each source is', () => {
    const { recorder, set } = bench();
    expect(recorder.signals(500)).toEqual([
      { source: 'arrivals' },
      { source: 'answers' },
      { source: 'batches of a' },
      { source: 'decision' },
    ]);
    recorder.requestEnded({ endedAtMs: 600, latencyMs: 20, leftMs: SLO_MS, outcome: 'completed' });
    recorder.batchEnded({ ...batch, serviceMs: 20, busyMs: 21, waitsMs: [4] }, 700);
    set({ arrived: 1 });
    recorder.advance(9500);
    expect(recorder.signals(10_000)).toEqual([
      { source: 'arrivals', ageMs: 8500 },
      { source: 'answers', ageMs: 9400 },
      { source: 'batches of a', ageMs: 9300 },
      { source: 'decision' },
    ]);
  });

  it.each([
    ['in time', { latencyMs: 20, outcome: 'completed' }, [0, 0]],
    ['late', { latencyMs: SLO_MS + 1, outcome: 'completed' }, [1, 0]],
    ['dropped', { latencyMs: 20, outcome: 'queue-full' }, [1, 0]],
    [
      'dropped, because its client left little time',
      { latencyMs: 5, leftMs: 10, outcome: 'deadline-unreachable' },
      [1, 1],
    ],
    ['given up by its client early', { latencyMs: 20, outcome: 'cancelled' }, [1, 1]],
    ['given up by its client late', { latencyMs: SLO_MS, outcome: 'cancelled' }, [1, 0]],
    ['failed', { latencyMs: 20, outcome: 'failed' }, [1, 0]],
    ['failed by its input', { latencyMs: 20, outcome: 'failed', byClient: true }, [1, 1]],
    ['dropped by a server that stops', { latencyMs: 20, outcome: 'draining' }, [0, 0]],
  ] as const)('counts a request that is %s', (_, end, [missed, ofClient]) => {
    const { recorder } = bench();
    recorder.requestEnded({ endedAtMs: 600, leftMs: SLO_MS, ...end });
    recorder.advance(1500);
    const window = recorder.history.window();
    expect([window.missed(0), window.figure(0, 'clientMissed')]).toEqual([missed, ofClient]);
  });

  it('shows no negative number of ready replicas while an unhealthy one drains', () => {
    const { recorder, set } = bench();
    const replica = {
      replicaId: replicaId('a-1'),
      variantId: variant,
      resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
    };
    const stage = { replicas: [{ ...replica, status: 'draining' as const }], maxBatchSize: 1, maxBatchWaitMs: 0 };
    set({ stages: [{ arrived: 0, dropped: 0, queueLength: 0, open: 1 }], runningPlan: { stages: { [a]: stage } } });
    recorder.advance(1500);
    const [point] = recorder.history.window().points(1);
    expect(point?.stages[a]?.cpuCores).toBe(1);
    expect(point?.stages[a]?.replicas).toEqual({ starting: 0, ready: 0, draining: 1, unhealthy: 0 });
  });

  it('leaves a gap after a long stop, and no thousands of empty seconds', () => {
    const { recorder } = bench();
    recorder.advance(10_000_500);
    const window = recorder.history.window();
    expect(window.length).toBeLessThan(100);
    expect(window.atEpochMs(window.length - 1)).toBe(11_000_500);
  });

  it('compares each replica with the profile, in blocks of 5 s', () => {
    const { recorder } = bench();
    const other = { ...batch, replicaId: replicaId('a-2'), busyMs: 1, waitsMs: [] };
    recorder.batchEnded({ ...other, serviceMs: 30 }, 600);
    recorder.batchEnded({ ...other, serviceMs: 0, failedItems: 1 }, 700);
    recorder.batchEnded({ ...other, replicaId: replicaId('a-1'), serviceMs: 10 }, 800);
    recorder.advance(5500);
    const blocks = recorder.replicas.window();
    expect(
      blocks.map(({ replicaId: id, batches, failedItems, measured }) => [id, batches, failedItems, measured]),
    ).toEqual([
      ['a-2', 2, 1, 1],
      ['a-1', 1, 0, 1],
    ]);
    expect(blocks[0]?.logSum).toBeCloseTo(Math.log(3));
    expect(blocks[1]?.logSum).toBeCloseTo(0);
    expect(recorder.replicas.window({ fromEpochMs: 1_005_500 })).toEqual([]);
  });

  it('needs a few MiB for an hour of ten stages', () => {
    const points = [{ cpuCores: 1, batchSize: 1, meanMs: 10 }];
    const names = Array.from({ length: 10 }, (_, i) => [`s${i}`, points] as const);
    const wide = chainSpec(Object.fromEntries(names));
    const sample = {
      ...{
        arrived: 0,
        edges: wide.edges.map(() => ({ offered: 0, taken: 0, fanOuts: 0, items: 0 })),
        runningPlan: { stages: {} },
      },
      stages: wide.stages.map(() => ({ arrived: 0, dropped: 0, queueLength: 0 })),
    };
    const recorder = new HistoryRecorder({
      ...{ spec: wide, sloLatencyMs: () => SLO_MS, budgetCores: () => undefined, curves: requireCurves(wide, []) },
      ...{ startedAtMs: 0, epochMsOf: (atMs) => atMs, sample: () => sample },
    });
    for (let second = 1; second <= 3600; second++) recorder.advance(1000 * second);
    const { rows, atEpochMs } = recorder.history.window().data;
    expect(rows.byteLength + atEpochMs.byteLength).toBeLessThan(4 * 2 ** 20);
  });
});
