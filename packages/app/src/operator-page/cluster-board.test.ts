/** The board over given states of pipelines. */
import type { FollowedPipeline } from '@equipoise/adapter-kubernetes';
import { type Observation, oneRouter, type Plan } from '@equipoise/core/model';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import { EventFeed } from '@equipoise/runtime';
import { describe, expect, it } from 'vitest';
import { syntheticPipeline } from '../equipoise.test-support.js';
import { ClusterBoard } from './cluster-board.js';

const parsed = parsePipelineFile(syntheticPipeline({ name: 'shelf', cpuCores: 4 }), { fileName: 'f', baseDir: '/' });
if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
const { spec } = parsed;

const planOf = (replicas: number): Plan => ({
  stages: Object.fromEntries(
    spec.stages.map(({ id, variants: [variant] }) => [
      id,
      [
        {
          variantId: variant?.id as never,
          resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
          ...{ maxBatchSize: 1, maxBatchWaitMs: 0, replicas, trafficFraction: 1 },
        },
      ],
    ]),
  ),
  predicted: { latencyMs: 50, percentile: 99, pas: 0.5, capacityRps: 40, cpuCores: 2, costPerHour: 2 },
});

const answerOf = (plan: Plan): FollowedPipeline['answer'] => ({
  ...{ kind: 'plan', plan, profiles: [], arrivalRps: 20, plannedAtEpochMs: 0 },
});

function followed(over: {
  plan?: Plan;
  arrived?: number;
  late?: number;
  ready?: boolean;
  stale?: true;
}): FollowedPipeline {
  const { plan = planOf(1), arrived = 0, late = 0, ready = false, stale } = over;
  const condition = {
    type: 'Ready',
    status: ready ? 'True' : 'False',
    reason: 'r',
    message: '',
    lastTransitionTime: '',
  };
  const served = { arrived, withinSlo: arrived - late, completed: arrived, failed: 0, dropped: {}, stages: {} };
  return {
    spec,
    view: { pipeline: { status: { plan, conditions: [condition] } } as never, pods: [] },
    answer: answerOf(plan),
    planned: { spec, split: oneRouter },
    plan,
    history: {
      served,
      latencies: new Map(),
      latencySince: () => undefined,
      stages: () => ({}),
      window: () => undefined,
    },
    issue: stale && { reason: 'RouterUnreachable', message: 'no answer' },
    signals: [{ source: 'router r', ageMs: 10 }],
  };
}

const observation = { atMs: 0, load: { arrivalsPerSecond: [] }, stages: {}, staleSources: [] } as never as Observation;

function bench() {
  let nowEpochMs = 0;
  let state: FollowedPipeline | undefined = followed({});
  const feed = new EventFeed(() => nowEpochMs);
  const board = new ClusterBoard({ feed, nowEpochMs: () => nowEpochMs });
  const stop = board.follow({
    get keys() {
      return state === undefined ? [] : ['n/shelf'];
    },
    followed: () => state,
  });
  const second = (over: Parameters<typeof followed>[0] | 'gone' | 'same') => {
    nowEpochMs += 1000;
    if (over !== 'same') state = over === 'gone' ? undefined : followed(over);
    board.look();
    return board.pipelines.get('n/shelf');
  };
  return { board, feed, second, stop };
}

describe('ClusterBoard', () => {
  it('counts what the routers counted since the last look', () => {
    const { board, second, stop } = bench();
    second({ arrived: 100 });
    second({ arrived: 130, late: 4 });
    // A new control loop counts from zero.
    const pipeline = second({ arrived: 7 });
    const points = pipeline?.history.window().points(10) ?? [];
    expect(points.map(({ arrivalRps, lateRps }) => [arrivalRps, lateRps])).toEqual([
      [0, 0],
      [30, 4],
      [7, 0],
    ]);
    expect(pipeline?.arrivalRps).toBeCloseTo(37 / 3);
    stop();
    expect(board.pipelines.size).toBe(0);
  });

  it('shortens histories if many more pipelines share the memory, and keeps the newest seconds', () => {
    let nowEpochMs = 0;
    const board = new ClusterBoard({ feed: new EventFeed(() => 0), nowEpochMs: () => nowEpochMs });
    const state = followed({});
    let keys = ['n/shelf'];
    const stop = board.follow({
      get keys() {
        return keys;
      },
      followed: (key) => (key === 'n/shelf' ? state : undefined),
    });
    const history = () => board.pipelines.get('n/shelf')?.history.window();
    for (; nowEpochMs < 300_000; nowEpochMs += 1000) board.look();
    expect(history()?.length).toBe(300);
    keys = [...keys, ...Array.from({ length: 2999 }, (_, i) => `n/other-${i}`)];
    board.look();
    const { rows, atEpochMs } = history()?.data ?? { rows: new Float32Array(), atEpochMs: new Float64Array() };
    expect(3000 * (rows.byteLength + atEpochMs.byteLength)).toBeLessThanOrEqual(128 * 1024 * 1024);
    expect(atEpochMs.length).toBeGreaterThanOrEqual(60);
    expect(atEpochMs.at(-1)).toBe(300_000);
    stop();
  });

  it('logs the first plan once, then decisions, and when the cluster is ready with them', () => {
    const { board, feed, second, stop } = bench();
    const decisions = () => board.pipelines.get('n/shelf')?.decisions({ limit: 10 }) ?? [];
    second({});
    second('same');
    expect(decisions()).toMatchObject([{ id: 1, trigger: 'start', decision: { kind: 'apply' } }]);
    expect(decisions()[0]?.outcome).toBeUndefined();
    second({ ready: true });
    expect(decisions()).toMatchObject([{ id: 1, outcome: { kind: 'applied' } }]);

    const plan = planOf(2);
    const evidence = { forecast: { method: 'm', meanRps: 30, upperRps: 36 } };
    board.decided('n/shelf', { kind: 'apply', plan, changes: [], reason: 'more load', evidence }, observation);
    const pipeline = second({ plan });
    expect(decisions()).toMatchObject([{ id: 2, trigger: 'plan', decision: { reason: 'more load' } }, { id: 1 }]);
    expect(pipeline?.history.window().points(9).at(-1)).toMatchObject({ forecastRps: 30, forecastUpperRps: 36 });
    expect(feed.since(0).map(({ kind, pipeline: name }) => [kind, name])).toEqual([
      ['decided', 'n/shelf'],
      ['amended', 'n/shelf'],
      ['decided', 'n/shelf'],
    ]);
    stop();
  });

  it('keeps changes longer than holds', () => {
    const { board, second, stop } = bench();
    second({});
    const evidence = { forecast: { method: 'm', meanRps: 1, upperRps: 1 } };
    for (let i = 0; i < 300; i++) board.decided('n/shelf', { kind: 'hold', reason: `${i}`, evidence }, observation);
    const all = board.pipelines.get('n/shelf')?.decisions({ limit: 1000 }) ?? [];
    expect([all.length, all[0]?.id, all.at(-1)?.id]).toEqual([200, 301, 1]);
    stop();
  });

  it('says what is wrong for as long as it is, and forgets pipelines that are gone', () => {
    const { board, second, stop } = bench();
    second({ stale: true });
    const faults = () => board.pipelines.get('n/shelf')?.status.faults;
    expect(second({ stale: true })?.status.faults).toEqual([
      { step: 'observe', message: 'no answer', sinceEpochMs: 1000, count: 1 },
    ]);
    second({});
    expect(faults()).toEqual([]);
    expect(second('gone')).toBeUndefined();
    stop();
  });
});
