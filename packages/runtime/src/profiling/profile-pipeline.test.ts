import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineSpec, SeededRng, type SourceTensor, stageId, variantId } from '@equipoise/core/model';
import { curvesOf } from '@equipoise/core/plan';
import type { LaunchRequest } from '@equipoise/core/ports';
import { describe, expect, it } from 'vitest';
import type { WorkProgress } from '../progress-meter.js';
import type { MeasuredPoint } from './measured-profile.js';
import {
  bench,
  boundsWith,
  CountedNeighbours,
  type FakeStage,
  int32,
  linear,
  machine,
  numbersOf,
  pipeline,
  samples,
  stage,
  variant,
} from './profile-pipeline.test-support.js';

const none = { x: int32([0, 1]) };

describe('profilePipeline', () => {
  it('gives the known service times with the way to the replica and back, and the throughput of both', async () => {
    const one = pipeline([stage('a', [variant('v')], { bounds: boundsWith([1, 4]) })]);
    const { profile, launcher } = bench(one, { a: { ...linear(6, 1), loadMs: 77 } }, 3);
    const { variants } = await profile();
    expect(variants).toMatchObject([{ stageId: 'a', variantId: 'v', loadMs: 77, depth: 'quick', skipped: [] }]);
    const sure = { batches: 30, meanUncertaintyFraction: 0, endedBy: 'sure', busyNeighbours: 0 };
    expect(variants[0]?.points).toEqual([
      { cpuCores: 1, batchSize: 1, p50Ms: 10, p95Ms: 10, p99Ms: 10, meanMs: 10, throughputRps: 100, ...sure },
      {
        cpuCores: 1,
        batchSize: 4,
        p50Ms: 13,
        p95Ms: 13,
        p99Ms: 13,
        meanMs: 13,
        throughputRps: expect.closeTo(4000 / 13, 9),
        ...sure,
      },
    ]);
    expect(launcher.open).toBe(0);
  });

  it('keeps the spread: percentiles of nine fast batches in ten and one slow one', async () => {
    const spec = pipeline([stage('a', [variant('v')], { bounds: boundsWith([1]) })]);
    const { profile } = bench(spec, { a: { serviceMs: (_, __, call) => (call % 10 === 9 ? 5 : 1) } });
    const [point] = (await profile()).variants[0]?.points ?? [];
    expect(point).toMatchObject({ p50Ms: 1, p95Ms: 5, p99Ms: 5 });
    expect(point?.meanMs).toBeCloseTo(1.4, 1);
    expect(point?.batches).toBeGreaterThan(150);
    expect(curvesOf(spec, (await profile()).variants).kind).toBe('curves');
  });

  it('ends a noisy point at its cap and a slow one after three batches', async () => {
    const noisy = bench(pipeline([stage('a', [variant('v')], { bounds: boundsWith([1]) })]), {
      a: { serviceMs: (_, __, call) => (call % 2 === 0 ? 1 : 9) },
    });
    expect((await noisy.profile()).variants[0]?.points[0]).toMatchObject({
      endedBy: 'time-cap',
      meanUncertaintyFraction: expect.closeTo(0.14, 1),
    });
    expect(noisy.clock.atMs - 1000).toBeGreaterThan(640);
    expect(noisy.clock.atMs - 1000).toBeLessThanOrEqual(700);
    const slow = bench(pipeline([stage('a', [variant('v')], { bounds: boundsWith([1]) })]), { a: linear(1000, 0) });
    expect((await slow.profile()).variants[0]?.points[0]?.batches).toBe(3);
    expect(slow.launcher.batches).toHaveLength(4);
  });

  it('measures for longer in full depth, until the p99 is sure too', async () => {
    const spec = pipeline([stage('a', [variant('v')], { bounds: boundsWith([1]) })]);
    const full = async (tail: number) => {
      const rng = new SeededRng(5);
      const { profile } = bench(spec, { a: { serviceMs: () => 1 - tail * Math.log(1 - rng.next()) } });
      const [variantProfile] = (await profile({ options: { quick: false } })).variants;
      expect(variantProfile?.depth).toBe('full');
      const point = variantProfile?.points[0] as MeasuredPoint;
      const [low, high] = point.p99IntervalMs as readonly [number, number];
      expect(point.endedBy).toBe('sure');
      expect((high - low) / 2 / point.p99Ms).toBeLessThanOrEqual(0.05);
      expect(low).toBeLessThan(1 - tail * Math.log(0.01));
      expect(high).toBeGreaterThan(1 - tail * Math.log(0.01));
      return point.batches;
    };
    const calm = await full(0.02);
    expect(calm).toBeGreaterThan(900);
    expect(calm).toBeLessThan(1100);
    // The mean is certain within 1 % after about 1,100 batches, the p99 within 5 % only after 1,600.
    expect(await full(0.2)).toBeGreaterThan(1500);
  });

  it('skips sizes behind one that exceeds the latency target alone', async () => {
    const spec = pipeline([stage('a', [variant('v')])], { slo: { latencyMs: 30, percentile: 99 } });
    const [{ points, skipped }] = (await bench(spec, { a: linear(8, 8) }).profile()).variants as [never];
    expect(sizes(points)).toEqual([1, 2, 4]);
    expect(skipped).toEqual(
      [8, 16, 32].map((batchSize) => ({
        cpuCores: 1,
        batchSize,
        kind: 'over-slo',
        reason: 'batch size 4 takes 40.0 ms in the median, more than the latency target of 30 ms alone',
      })),
    );
  });

  it('skips sizes behind two whose time per item has not fallen', async () => {
    const [flat] = (await bench(pipeline([stage('a', [variant('v')])]), { a: linear(0, 2) }).profile()).variants;
    expect(sizes(flat?.points)).toEqual([1, 2, 4]);
    expect(flat?.skipped[0]).toMatchObject({
      kind: 'dominated',
      reason: 'time per item has not fallen for 2 sizes up to 4',
    });
    const falling = bench(pipeline([stage('a', [variant('v')])]), { a: linear(10, 0.1) });
    expect(sizes((await falling.profile()).variants[0]?.points)).toEqual([1, 2, 4, 8, 16, 32]);
  });

  it('judges the time per item by medians, so that one stall does not end the sizes', async () => {
    const stalled: FakeStage = {
      serviceMs: (_, items, call) => 10 + items / 10 + (items === 4 && call % 30 === 5 ? 500 : 0),
    };
    const [{ points }] = (await bench(pipeline([stage('a', [variant('v')])]), { a: stalled }).profile()).variants as [
      never,
    ];
    expect(sizes(points)).toEqual([1, 2, 4, 8, 16, 32]);
  });

  it('takes a failing larger batch as the end of the sizes, and a failing smallest one as an error', async () => {
    const fixed: FakeStage = { ...linear(10, 1), mostItems: 1 };
    const [{ points, skipped }] = (await bench(pipeline([stage('a', [variant('v')])]), { a: fixed }).profile())
      .variants as [never];
    expect(sizes(points)).toEqual([1]);
    expect(skipped).toMatchObject(
      [2, 4, 8, 16, 32].map((batchSize) => ({
        batchSize,
        kind: 'failed',
        reason: expect.stringMatching(/^batch size 2 failed: a batch of 2/),
      })),
    );
    const broken = bench(pipeline([stage('a', [variant('v')])]), { a: { ...fixed, mostItems: 0 } });
    await expect(broken.profile()).rejects.toMatchObject({
      code: 'STAGE_FAILED',
      message: expect.stringMatching(/^Stage a, variant v failed/),
    });
    expect(broken.launcher.open).toBe(0);
  });

  it('measures shares on one core, whole counts as they are, and none the machine does not have', async () => {
    const spec = pipeline([stage('a', [variant('v', { cpuCores: [0.5, 2, 8] })], { bounds: boundsWith([1]) })]);
    const { profile, launcher } = bench(spec, { a: { serviceMs: ({ resources }) => 12 / resources.cpuCores } });
    const [{ points, skipped }] = (await profile()).variants as [never];
    expect(launcher.launches).toEqual(['a/v@1', 'a/v@2']);
    expect(points).toMatchObject([
      { cpuCores: 1, meanMs: 12 },
      { cpuCores: 2, meanMs: 6 },
    ]);
    expect(skipped).toEqual([{ cpuCores: 8, batchSize: 1, kind: 'no-such-cores', reason: 'this machine has 2 cores' }]);
  });

  it('does not measure synthetic stages and inline profiles, and says so', async () => {
    const inline = variant('inline', { profile: [{ cpuCores: 1, batchSize: 1, meanMs: 3 }] });
    const synthetic = { ...stage('s', [variant('v')]), module: undefined };
    const { module: _, ...bare } = synthetic;
    const { profile, launcher } = bench(pipeline([bare, stage('a', [inline])]), {});
    expect(await profile({ samples: [] })).toEqual({
      machine,
      variants: [],
      notMeasured: [
        { stageId: 's', variantId: 'v', reason: expect.stringContaining('synthetic') },
        { stageId: 'a', variantId: 'inline', reason: 'its profile is written in the pipeline file' },
      ],
    });
    expect(launcher.launches).toEqual([]);
  });

  it('measures later stages on what the most accurate variant before them gives, fan-out cut and join stacked', async () => {
    const accurate = variant('good', { accuracy: { value: 0.9, metric: 'f1' } });
    const spec = fanOutPipeline([accurate, variant('bad', { accuracy: { value: 0.5, metric: 'f1' } })]);
    const { profile, launcher } = bench(spec, {
      detect: { ...linear(5, 1), run: ({ variant: { id } }, input) => repeated(id === 'good' ? 10 : 100, input) },
      classify: linear(5, 1),
      count: linear(5, 1),
    });
    await profile();
    const seen = (name: string, batchSize: number) =>
      launcher.batches
        .filter(({ replica, inputs }) => replica === name && inputs.length === batchSize)
        .map(({ inputs }) => inputs.map((input) => numbersOf(input, 'x')));
    expect(seen('classify/v@1', 4)[0]).toEqual([[11], [12], [12], [13]]);
    expect(seen('count/v@1', 1).slice(0, 3)).toEqual([[[11]], [[12, 12]], [[13, 13, 13]]]);
    expect(launcher.launches).toEqual(['detect/good@1', 'detect/bad@1', 'classify/v@1', 'count/v@1']);
  });

  it('measures a stage on the tensors that its edge passes on', async () => {
    const chain = pipeline([stage('a', [variant('v')]), stage('b', [variant('v')])]);
    const inputs = [
      { name: 'y', output: 'x' },
      { name: 'first', source: 'x' },
    ];
    const { profile, launcher } = bench(
      { ...chain, edges: chain.edges.map((edge) => ({ ...edge, inputs })) },
      {
        a: { ...linear(5, 1), run: (_, input) => ({ x: int32([1], 10 * (numbersOf(input, 'x')[0] ?? 0)) }) },
        b: linear(5, 1),
      },
    );
    await profile();
    const given = launcher.batches.filter(({ replica }) => replica === 'b/v@1').slice(0, 3);
    expect(given.map(({ inputs: [item] }) => [...numbersOf(item, 'y'), ...numbersOf(item, 'first')])).toEqual([
      [10, 1],
      [20, 2],
      [30, 3],
    ]);
  });

  it('measures one stage alone, behind stages that only run the samples', async () => {
    const { profile, launcher } = bench(fanOutPipeline([variant('v', { cpuCores: [0.25, 0.5] })]), {
      detect: { ...linear(5, 1), run: (_, input) => repeated(10, input) },
      classify: linear(5, 1),
    });
    const { variants } = await profile({ options: { quick: true, stageId: stageId('classify') } });
    expect(variants.map(({ stageId: id }) => id)).toEqual(['classify']);
    expect(launcher.launches).toEqual(['detect/v@0.5', 'classify/v@1']);
    const seen = launcher.batches.filter(({ replica }) => replica === 'classify/v@1');
    expect(seen.slice(0, 3).map(({ inputs }) => numbersOf(inputs[0], 'x'))).toEqual([[11], [12], [12]]);
    expect(launcher.open).toBe(0);
  });

  it('hands over tensors that nobody else holds', async () => {
    const spec = pipeline([stage('a', [variant('v')], { bounds: boundsWith([4]) })]);
    const { profile, launcher } = bench(spec, { a: linear(5, 1) });
    await profile();
    const buffers = launcher.handedOver;
    expect(new Set(buffers).size).toBe(buffers.length);
    expect(buffers).not.toContain(samples[0]?.inputs.x.data);
  });

  it('takes the inputs of a stage from a less accurate variant if the most accurate one gives none', async () => {
    const spec = fanOutPipeline([
      variant('good', { accuracy: { value: 0.9, metric: 'f1' } }),
      variant('bad', { accuracy: { value: 0.5, metric: 'f1' } }),
    ]);
    const { profile, launcher } = bench(spec, {
      detect: {
        ...linear(5, 1),
        run: ({ variant: { id } }, input) => (id === 'good' ? { x: int32([0, 1]) } : repeated(100, input)),
      },
      classify: linear(5, 1),
      count: linear(5, 1),
    });
    const { variants } = await profile();
    expect(variants.map(({ stageId: id }) => id)).toEqual(['detect', 'detect', 'classify', 'count']);
    const seen = launcher.batches.filter(({ replica }) => replica === 'classify/v@1');
    expect(numbersOf(seen[0]?.inputs[0], 'x')).toEqual([101]);
    expect(launcher.open).toBe(0);
  });

  it('draws more samples of the folder for a stage that few of the usual 24 reach', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'equipoise-draw-'));
    try {
      for (let x = 10; x < 70; x++) writeFileSync(join(folder, `${x}.json`), JSON.stringify({ x: [x] }));
      const spec = fanOutPipeline([variant('v')]);
      const tensors: SourceTensor[] = [{ name: 'x', datatype: 'INT32', shape: [1], contentTypes: [] }];
      const sources = spec.sources.map((source) => ({ ...source, tensors, samplesPath: folder }));
      const { profile, launcher } = bench(
        { ...spec, sources },
        {
          detect: { ...linear(5, 1), run: (_, input) => ((numbersOf(input, 'x')[0] ?? 0) < 32 ? none : input) },
          classify: linear(5, 1),
          count: linear(5, 1),
        },
      );
      await profile({ samples: undefined });
      const eight = launcher.batches.find(({ replica, inputs }) => replica === 'classify/v@1' && inputs.length === 8);
      expect(eight?.inputs.map((input) => numbersOf(input, 'x')[0])).toEqual([32, 33, 34, 35, 36, 37, 38, 39]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('names the stage that no sample reaches, and the stage that refuses one', async () => {
    const empty = bench(fanOutPipeline([variant('v')]), {
      detect: { ...linear(1, 1), run: () => ({ x: int32([0, 1]) }) },
    });
    await expect(empty.profile()).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: 'None of the 3 samples gives an input to stage classify; add samples that do.',
    });
  });

  it('reports progress up to the last unit', async () => {
    const seen: WorkProgress[] = [];
    const spec = pipeline([stage('a', [variant('v')]), stage('b', [variant('v')], { bounds: boundsWith([1, 2]) })]);
    await bench(spec, { a: linear(0, 2), b: linear(5, 1) }).profile({ onProgress: (progress) => seen.push(progress) });
    expect(seen[0]).toEqual({ doneUnits: 0, totalUnits: 8, etaMs: 8 * 650, label: 'a/v cores 1 batch 1' });
    expect(seen.at(-1)).toEqual({ doneUnits: 8, totalUnits: 8, etaMs: 0, label: 'b/v cores 1 batch 2' });
    expect(seen.map(({ doneUnits }) => doneUnits)).toEqual([0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8]);
  });

  it('counts the figures beside idle cores as work, so that the time left is nothing only at the end', async () => {
    const seen: WorkProgress[] = [];
    const spec = pipeline([stage('a', [variant('v')], { bounds: boundsWith([1, 2]) })]);
    const { profile } = bench(spec, { a: linear(5, 1) });
    await profile({ neighbours: new CountedNeighbours(), onProgress: (progress) => seen.push(progress) });
    const done = seen.map(({ doneUnits }) => doneUnits);
    expect(done).toEqual([0, 0.8, 0.8, 1.6, 1.6, 1.8, 1.8, 2].map((units) => expect.closeTo(units)));
    expect(seen.findIndex(({ etaMs }) => etaMs < 1e-6)).toBe(done.length - 1);
    expect(seen.at(-1)?.label).toBe('a/v cores 1 batch 2, others idle');
  });

  it('plans on the figures beside busy cores and keeps those beside idle ones, where a core is free', async () => {
    const spec = pipeline([stage('a', [variant('v', { cpuCores: [1, 2] })], { bounds: boundsWith([1, 2]) })]);
    const neighbours = new CountedNeighbours();
    const { profile, clock } = bench(spec, { a: { serviceMs: () => (neighbours.busy > 0 ? 12 : 10) } });
    const startedAtMs = clock.atMs;
    const { points } = (await profile({ neighbours })).variants[0] ?? {};
    expect(points).toMatchObject([
      { cpuCores: 1, batchSize: 1, meanMs: 12, busyNeighbours: 1, idle: { meanMs: 10, throughputRps: 100 } },
      { cpuCores: 1, batchSize: 2, meanMs: 12, busyNeighbours: 1, idle: { meanMs: 10, throughputRps: 200 } },
      { cpuCores: 2, batchSize: 1, meanMs: 10, busyNeighbours: 0 },
      { cpuCores: 2, batchSize: 2, meanMs: 10, busyNeighbours: 0 },
    ]);
    expect(points?.map(({ idle }) => idle === undefined)).toEqual([false, false, true, true]);
    expect(neighbours.busy).toBe(0);
    // Per idle point: 8 timed and 2 warm-up batches of 10 ms.
    const idleMs = 2 * (8 + 2) * 10;
    expect(clock.atMs - startedAtMs).toBeLessThanOrEqual(4 * (60 + 12 + 30 * 12) + idleMs);
  });

  it('keeps the monotone fit of every core count with its errors', async () => {
    const dented: FakeStage = { serviceMs: (_, items) => ({ 1: 4, 2: 10, 4: 8, 8: 20 })[items] ?? 0 };
    const spec = pipeline([stage('a', [variant('v')], { bounds: boundsWith([1, 2, 4, 8]) })]);
    const { variants } = await bench(spec, { a: dented }).profile();
    expect(variants[0]?.fits).toEqual([
      {
        cpuCores: 1,
        batchSizes: [1, 2, 4, 8],
        fittedMs: [4, 10, 10, 20],
        raisedFraction: expect.closeTo(0.25, 9),
        leaveOneOutFraction: expect.closeTo(2 / 3, 1),
      },
    ]);
    const curves = curvesOf(spec, variants);
    expect(curves.kind === 'curves' && curves.curve(stageId('a'), variantId('v'), 1)?.meanMs(3)).toBeCloseTo(10, 9);
  });

  it('gives memory as the growth around the launch, and none when it has not grown', async () => {
    const spec = pipeline([stage('a', [variant('v')], { bounds: boundsWith([1, 2]) })]);
    const readings = [1000, 1500, 900];
    const { profile } = bench(spec, { a: linear(5, 1) });
    const { points } = (await profile({ residentBytes: () => readings.shift() ?? 0 })).variants[0] ?? {};
    expect(points?.map(({ memoryBytes }) => memoryBytes)).toEqual([500, undefined]);
  });

  it('gives the memory of a replica in a process of its own as that of the process', async () => {
    const spec = pipeline([stage('a', [variant('v')], { bounds: boundsWith([1, 2]) })]);
    const { profile, launcher } = bench(spec, { a: linear(5, 1) });
    const readings = [7000, undefined];
    const inProcess = {
      launch: async (request: LaunchRequest) => ({
        ...(await launcher.launch(request)),
        residentBytes: () => readings.shift(),
      }),
    };
    const { points } = (await profile({ launcher: inProcess, residentBytes: () => 100 })).variants[0] ?? {};
    expect(points?.map(({ memoryBytes }) => memoryBytes)).toEqual([7000, undefined]);
  });
});

const sizes = (points: readonly { readonly batchSize: number }[] = []) => points.map(({ batchSize }) => batchSize);

/** A sample x becomes x items of x + offset. */
function repeated(offset: number, input: Parameters<typeof numbersOf>[0]) {
  const [x = 0] = numbersOf(input, 'x');
  return { x: int32([x, 1], ...new Array<number>(x).fill(x + offset)) };
}

function fanOutPipeline(detectors: PipelineSpec['stages'][number]['variants']): PipelineSpec {
  const stages = [stage('detect', detectors), stage('classify', [variant('v')]), stage('count', [variant('v')])];
  const [detect, classify, count] = stages.map(({ id }) => id) as [never, never, never];
  return pipeline(stages, {
    edges: [
      { from: detect, to: classify, fanOut: { expected: 2 } },
      { from: classify, to: count, join: 'all' },
    ],
  });
}
