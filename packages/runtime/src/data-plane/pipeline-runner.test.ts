import { AppError, stageId, type Tensor, type TensorMap } from '@equipoise/core/model';
import type { BatchResult } from '@equipoise/core/ports';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import type { PipelineOutcome } from './pending-request.js';
import { PipelineRunner } from './pipeline-runner.js';
import { echo, failed, setUp, x, zeros } from './runner-bench.test-support.js';
import { edge, fp32, type ItemScript, ScriptedRunner, serve, servingSpec } from './serving-bench.test-support.js';

describe('a request', () => {
  it('walks a chain and ends with the output of its last stage', async () => {
    const { clock, pipeline, ends } = setUp(servingSpec(['a', 'b']), {
      a: ({ x: tensor }) => ({ x: fp32([1], (tensor?.data[0] as number) + 1) }),
      b: echo,
    });
    const outcome = pipeline.submit(x(1));
    expect(pipeline.inFlight).toBe(1);
    await clock.advanceTo(100);
    expect(await outcome).toEqual({ kind: 'completed', output: x(2) });
    expect(ends).toEqual([{ kind: 'completed', arrivedAtMs: 0, endedAtMs: 20, leftMs: 60_000, latencyMs: 20 }]);
    expect(pipeline.inFlight).toBe(0);
  });

  it('fans out along dimension 0, joins in order and gives parts buffers of their own', async () => {
    const spec = servingSpec(['detect', 'classify', 'count'], {
      edges: [edge('detect', 'classify', { fanOut: { expected: 2 } }), edge('classify', 'count', { join: 'all' })],
    });
    const { clock, pipeline, runners } = setUp(spec, { detect: echo, classify: echo, count: echo });
    const outcome = pipeline.submit({ crop: fp32([3, 2], 1, 2, 3, 4, 5, 6), score: fp32([3], 7, 8, 9) });
    await clock.advanceTo(400);
    expect(await outcome).toEqual({
      kind: 'completed',
      output: { crop: fp32([3, 2], 1, 2, 3, 4, 5, 6), score: fp32([3], 7, 8, 9) },
    });
    const buffers = runners['classify']?.batches
      .flat()
      .map(({ crop }) => (crop?.data as Float32Array | undefined)?.buffer);
    expect(new Set(buffers).size).toBe(3);
  });

  it('goes on behind the join with no tensors when it fans out into nothing', async () => {
    const spec = servingSpec(['detect', 'classify', 'count'], {
      edges: [edge('detect', 'classify', { fanOut: { expected: 2 } }), edge('classify', 'count', { join: 'all' })],
    });
    const { clock, pipeline, runners } = setUp(spec, {
      detect: () => ({ crop: fp32([0, 2]) }),
      classify: echo,
      count: (item) => ({ n: fp32([], Object.keys(item).length) }),
    });
    const outcome = pipeline.submit(x(0));
    await clock.advanceTo(100);
    expect(await outcome).toEqual({ kind: 'completed', output: { n: fp32([], 0) } });
    expect(runners['classify']?.batches).toEqual([]);
  });

  it('has its own tensors at any stage whose edge names them, also behind a fan-out without items', async () => {
    const passed = {
      inputs: [
        { name: 'boxes', output: 'crop' },
        { name: 'photo', source: 'x' },
      ],
    };
    const spec = servingSpec(['detect', 'classify', 'count'], {
      edges: [
        edge('detect', 'classify', { fanOut: { expected: 2 }, ...passed }),
        edge('classify', 'count', { join: 'all', inputs: [{ name: 'photo', source: 'x' }] }),
      ],
    });
    const { clock, pipeline, runners } = setUp(spec, {
      detect: ({ x: tensor }) => ({ crop: fp32([Number(tensor?.data[0]), 1], ...zeros(Number(tensor?.data[0]))) }),
      classify: ({ boxes, photo }) => ({ n: fp32([], (boxes?.data.length ?? 0) + Number(photo?.data[0])) }),
      count: echo,
    });
    const [two, none] = [x(2), x(0)] as const;
    const outcomes = [two, none].map((inputs) => pipeline.submit(inputs));
    await clock.advanceTo(5);
    expect(pipeline.inFlightBytes).toBe(8);
    await clock.advanceTo(400);
    expect(await Promise.all(outcomes)).toEqual(
      [2, 0].map((value) => ({ kind: 'completed', output: { photo: fp32([1], value) } })),
    );
    expect(pipeline.inFlightBytes).toBe(0);
    const given = runners['classify']?.batches.flat().map(({ photo }) => photo?.data as Float32Array);
    expect(given).toEqual([Float32Array.of(2), Float32Array.of(2)]);
    expect(new Set([...(given ?? []), two['x']?.data].map((data) => (data as Float32Array).buffer)).size).toBe(3);
  });

  it('fails if a stage lacks a tensor that its edge passes on', async () => {
    const spec = servingSpec(['a', 'b'], { edges: [edge('a', 'b', { inputs: [{ name: 'y', output: 'z' }] })] });
    const { clock, pipeline, runners } = setUp(spec, { a: echo, b: echo });
    const outcome = pipeline.submit(x(1));
    await clock.advanceTo(100);
    expect(await outcome).toEqual(failed('STAGE_FAILED', /^Stage a: its edge to b passes on z; it gave x\.$/));
    expect(runners['b']?.batches).toEqual([]);
  });

  it('merges by name, prefixing what comes twice, and never shares memory between two ways', async () => {
    const spec = servingSpec(['split', 'left', 'right', 'both'], {
      edges: [edge('split', 'left'), edge('split', 'right'), edge('left', 'both'), edge('right', 'both')],
      outputs: [{ from: stageId('both') }, { from: stageId('split'), tensors: ['x'] }],
    });
    const { clock, pipeline, runners } = setUp(spec, { split: echo, left: echo, right: echo, both: echo });
    const outcome = pipeline.submit(x(5));
    await clock.advanceTo(100);
    expect(await outcome).toEqual({
      kind: 'completed',
      output: { 'left.x': fp32([1], 5), 'right.x': fp32([1], 5), x: fp32([1], 5) },
    });
    const given = ['left', 'right']
      .map((stage) => runners[stage]?.batches[0]?.[0]?.['x']?.data as Float32Array | undefined)
      .map((data) => data?.buffer);
    expect(given[0]).not.toBe(given[1]);
  });

  it.each<[string, RegExp, ItemScript]>([
    [
      'leading dimensions that differ',
      /Stage detect: its output fans out.*a \[2\] and b \[3\]/,
      () => ({ a: fp32([2], 1, 2), b: fp32([3], 1, 2, 3) }),
    ],
    [
      'data that do not fit their shape',
      /Stage detect: it gave a, which is not a tensor/,
      () => ({ a: { datatype: 'FP32', shape: [2], data: Float32Array.of(1) } }),
    ],
    [
      'an unknown datatype',
      /Stage detect: it gave a, which is not a tensor: .*found BF16/,
      () => ({ a: { datatype: 'BF16', shape: [2], data: Uint16Array.of(1, 2) } as unknown as Tensor }),
    ],
    [
      'a number among bytes',
      /Stage detect: it gave a, which is not a tensor: .*found Number at 1/,
      () => ({ a: { datatype: 'BYTES', shape: [2], data: ['a', 1] } as unknown as Tensor }),
    ],
  ])('fails alone when a fan-out meets %s', async (_, message, spoil) => {
    const spec = servingSpec(['detect', 'classify', 'count'], {
      edges: [edge('detect', 'classify', { fanOut: { expected: 2 } }), edge('classify', 'count', { join: 'all' })],
    });
    const { clock, pipeline } = setUp(spec, {
      detect: (item) => (item['bad'] ? spoil(item) : item),
      classify: echo,
      count: echo,
    });
    pipeline.setBatching(stageId('detect'), { maxBatchSize: 4, maxBatchWaitMs: 0 });
    const outcomes = [x(1), { bad: fp32([]) }, x(2)].map((inputs) => pipeline.submit(inputs));
    await clock.advanceTo(200);
    const [first, bad, last] = await Promise.all(outcomes);
    expect([first?.kind, last?.kind]).toEqual(['completed', 'completed']);
    expect(bad).toEqual(failed('STAGE_FAILED', message));
    expect(pipeline.inFlight).toBe(0);
  });

  it('fails when the items of a join differ, and runs nowhere after that', async () => {
    const spec = servingSpec(['detect', 'classify', 'count'], {
      edges: [edge('detect', 'classify', { fanOut: { expected: 2 } }), edge('classify', 'count', { join: 'all' })],
    });
    const { clock, pipeline, runners } = setUp(spec, {
      detect: echo,
      classify: ({ x: tensor }) => ({
        y: fp32([tensor?.data[0] as number], ...zeros(tensor?.data[0] as number)),
      }),
      count: echo,
    });
    const outcome = pipeline.submit({ x: fp32([2], 1, 2) });
    await clock.advanceTo(100);
    expect(await outcome).toEqual(
      failed('STAGE_FAILED', /Stage classify: .*item 2 has y as FP32 \[2\], but the first as/),
    );
    expect(runners['count']?.batches).toEqual([]);
  });

  it.each<[string, RegExp, ItemScript]>([
    [
      'items of different shapes',
      /Stage classify: .*item 2 has y as FP32 \[2\], but the first as/,
      ({ x: tensor }) => ({ y: fp32([tensor?.data[0] as number], ...zeros(tensor?.data[0] as number)) }),
    ],
    [
      'items of different tensors',
      /Stage classify: .*item 2 has no y1/,
      (item) => ({ [`y${item['x']?.data[0]}`]: fp32([1], 0) }),
    ],
  ])('fails when its response would be gathered from %s', async (_, message, classify) => {
    const spec = servingSpec(['detect', 'classify'], {
      edges: [edge('detect', 'classify', { fanOut: { expected: 2 } })],
    });
    const { clock, pipeline, ends } = setUp(spec, { detect: echo, classify });
    const outcome = pipeline.submit({ x: fp32([2], 1, 2) });
    await clock.advanceTo(100);
    expect(await outcome).toEqual(failed('STAGE_FAILED', message));
    expect(ends).toMatchObject([{ kind: 'failed', code: 'STAGE_FAILED' }]);
  });

  it('fails when the stage whose items would be its response cannot fan out', async () => {
    const spec = servingSpec(['detect', 'classify'], {
      edges: [edge('detect', 'classify', { fanOut: { expected: 2 } })],
    });
    const uneven = () => ({ a: fp32([2], 1, 2), b: fp32([3], 1, 2, 3) });
    const { clock, pipeline, runners } = setUp(spec, { detect: uneven, classify: echo });
    const outcome = pipeline.submit(x(1));
    await clock.advanceTo(100);
    expect(await outcome).toEqual(failed('STAGE_FAILED', /Stage detect: its output fans out.*a \[2\] and b \[3\]/));
    expect(runners['classify']?.batches).toEqual([]);
  });

  it('fails on a fan-out of more items than may wait, before it makes them, and counts against the plan', async () => {
    const edges = [edge('detect', 'classify', { fanOut: { expected: 2 } })];
    const spec = servingSpec(['detect', 'classify'], { edges, admission: { maxQueueLength: 1000 } });
    const { clock, pipeline, ends } = setUp(spec, { detect: echo, classify: echo });
    const started = process.cpuUsage();
    const outcome = pipeline.submit({ x: { datatype: 'FP32', shape: [2 ** 40, 0], data: new Float32Array() } });
    await clock.advanceTo(100);
    expect(await outcome).toEqual(
      failed('INVALID_INPUT', /Stage detect: .*fans out into 1099511627776 items.*1000 may wait.*maxQueueLength/),
    );
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(1000);
    expect(ends).toMatchObject([{ kind: 'failed', code: 'INVALID_INPUT', mayComeOfPlan: true }]);
    expect(pipeline.statistics.failedHere).toBe(1);
  });

  it('fails when the response lacks a tensor that the outputs name', async () => {
    const spec = servingSpec(['a'], { outputs: [{ from: stageId('a'), tensors: ['y'] }] });
    const { clock, pipeline } = setUp(spec, { a: echo });
    const outcome = pipeline.submit(x(1));
    await clock.advanceTo(50);
    expect(await outcome).toEqual(failed('STAGE_FAILED', /Stage a: .*tensor y; it gave x/));
  });

  it('has its deadline from the SLO or its own time-out, and is dropped alone', async () => {
    const { clock, pipeline, ends } = setUp(servingSpec(['a']), { a: echo });
    const outcomes = [undefined, 15, 1000].map((timeoutMs) => pipeline.submit(x(1), timeoutMs ? { timeoutMs } : {}));
    pipeline.setPolicy(stageId('a'), {
      maxBatchSize: 1,
      maxBatchWaitMs: 0,
      expectedServiceMs: [0, 10],
      remainingMs: 0,
    });
    await clock.advanceTo(100);
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(['completed', 'dropped', 'completed']);
    expect(ends[0]).toEqual({
      kind: 'dropped',
      reason: 'deadline-unreachable',
      arrivedAtMs: 0,
      endedAtMs: 5,
      leftMs: 15,
      latencyMs: 5,
    });
    expect(pipeline.stageCounts()[stageId('a')]?.dropped).toEqual({ 'deadline-unreachable': 1 });
  });

  it('that was elsewhere before has what is left of its time, and its latency from when it came there', async () => {
    const { clock, pipeline, ends } = setUp(servingSpec(['a'], { slo: { latencyMs: 50, percentile: 99 } }), {
      a: echo,
    });
    await clock.advanceTo(100);
    const outcomes = [70, 45, 70].map((arrivedAtMs, index) =>
      pipeline.submit(x(1), { arrivedAtMs, ...(index === 2 && { timeoutMs: 25 }) }),
    );
    await clock.advanceTo(200);
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(['completed', 'dropped', 'dropped']);
    expect(ends).toMatchObject([
      { reason: 'deadline-passed', arrivedAtMs: 45, latencyMs: 55 },
      { reason: 'deadline-passed', arrivedAtMs: 70, latencyMs: 30 },
      { kind: 'completed', arrivedAtMs: 70, latencyMs: 40 },
    ]);
    expect(pipeline.statistics.total).toMatchObject({ arrived: 3, withinSlo: 1 });
  });

  it('is dropped at its deadline when no replica comes', async () => {
    const { clock, pipeline } = setUp(servingSpec(['a'], { slo: { latencyMs: 400, percentile: 99 } }), {});
    const outcome = pipeline.submit(x(1));
    expect(pipeline.ready).toBe(false);
    await clock.advanceTo(399);
    expect(pipeline.inFlight).toBe(1);
    await clock.advanceTo(400);
    expect(await outcome).toMatchObject({ kind: 'dropped', reason: 'no-ready-replica' });
  });

  it('is cancelled by its signal, while queued, while running and before it came', async () => {
    const { clock, pipeline, runners } = setUp(servingSpec(['a']), { a: echo });
    const [running, queued] = [new AbortController(), new AbortController()];
    const outcomes = [running.signal, queued.signal, AbortSignal.abort()].map((signal) =>
      pipeline.submit(x(1), { signal }),
    );
    const other = pipeline.submit(x(2));
    running.abort();
    queued.abort();
    await clock.advanceTo(100);
    const cancelled = { kind: 'dropped', reason: 'cancelled' };
    expect(await Promise.all(outcomes)).toMatchObject([cancelled, cancelled, cancelled]);
    expect((await other).kind).toBe('completed');
    expect(runners['a']?.batches).toEqual([[x(1)], [x(2)]]);
  });
});

describe('a client batch', () => {
  const items = [1, 2, 3].map(x);

  it('has the outcomes of its items in order, each counted as a request', async () => {
    const { clock, pipeline, ends } = setUp(servingSpec(['a']), {
      a: (item) => (item['x']?.data[0] === 2 ? new AppError('INVALID_INPUT', 'two') : item),
    });
    const outcomes = pipeline.submitBatch(items);
    expect(pipeline.inFlight).toBe(3);
    await clock.advanceTo(25);
    expect(pipeline.inFlightBytes).toBe(8);
    await clock.advanceTo(100);
    expect(await outcomes).toMatchObject([{ output: x(1) }, failed('INVALID_INPUT', /two/), { output: x(3) }]);
    expect(ends.map(({ kind, arrivedAtMs }) => [kind, arrivedAtMs])).toEqual([
      ['completed', 0],
      ['failed', 0],
      ['completed', 0],
    ]);
    expect(pipeline.statistics.total).toMatchObject({ arrived: 3, completed: 2, failed: 1 });
    expect(pipeline.inFlightBytes).toBe(0);
  });

  it.each([
    ['queue-full', { maxQueueLength: 3 }],
    ['memory-full', { maxQueueLength: 100, maxInFlightBytes: 15 }],
  ])('is dropped as a whole as %s', async (reason, admission) => {
    const { clock, pipeline } = setUp(servingSpec(['a'], { admission }), { a: echo });
    const before = [pipeline.submit(x(8)), pipeline.submit(x(9))];
    const dropped = { kind: 'dropped', reason };
    expect(await pipeline.submitBatch(items)).toMatchObject([dropped, dropped, dropped]);
    const fitting = pipeline.submitBatch(items.slice(0, 1));
    expect(pipeline.statistics.total).toMatchObject({ arrived: 6, dropped: { [reason]: 3 } });
    await clock.advanceTo(100);
    expect(await Promise.all([...before, fitting.then(([outcome]) => outcome)])).toMatchObject(
      Array(3).fill({ kind: 'completed' }),
    );
  });

  it('is refused before it is split, if the queue cannot take it', async () => {
    const { clock, pipeline, ends } = setUp(servingSpec(['a'], { admission: { maxQueueLength: 3 } }), { a: echo });
    expect(pipeline.refuseBatch(3)).toBeUndefined();
    expect([pipeline.statistics.total.arrived, pipeline.inFlight]).toEqual([0, 0]);
    const before = [pipeline.submit(x(8)), pipeline.submit(x(9))];
    const dropped = { kind: 'dropped', reason: 'queue-full' };
    expect(pipeline.refuseBatch(3)).toMatchObject([dropped, dropped, dropped]);
    expect(pipeline.statistics.total).toMatchObject({ arrived: 5, dropped: { 'queue-full': 3 } });
    expect(ends).toMatchObject([dropped, dropped, dropped]);
    await clock.advanceTo(100);
    expect((await Promise.all(before)).map(({ kind }) => kind)).toEqual(['completed', 'completed']);
  });

  it('takes the places of less urgent requests', async () => {
    const { clock, pipeline } = setUp(servingSpec(['a'], { admission: { maxQueueLength: 3 } }), { a: echo });
    const others = [7, 8, 9].map((value) => pipeline.submit(x(value), { priority: 3 }));
    const outcomes = pipeline.submitBatch(items, { priority: 1 });
    await clock.advanceTo(100);
    expect((await outcomes).map(({ kind }) => kind)).toEqual(Array(3).fill('completed'));
    expect((await Promise.all(others)).map(({ kind }) => kind).sort()).toEqual(['completed', 'dropped', 'dropped']);
  });

  it('does not let a single request wait for all its items', async () => {
    const { clock, pipeline, runners } = setUp(servingSpec(['a']), { a: echo });
    void pipeline.submitBatch(items);
    void pipeline.submit(x(9));
    await clock.advanceTo(100);
    expect(runners['a']?.batches).toEqual([[x(1)], [x(9)], [x(2)], [x(3)]]);
  });

  it('fills the first batch of a stage', async () => {
    const { clock, pipeline, runners } = setUp(servingSpec(['a']), { a: echo });
    pipeline.setBatching(stageId('a'), { maxBatchSize: 3, maxBatchWaitMs: 0 });
    const outcomes = pipeline.submitBatch(items);
    await clock.advanceTo(100);
    expect((await outcomes).map(({ kind }) => kind)).toEqual(Array(3).fill('completed'));
    expect(runners['a']?.batches).toEqual([items]);
  });

  it('is dropped as a whole if its last item would wait too long', async () => {
    const spec = servingSpec(['a'], { admission: { maxQueueLength: 100, maxWaitFraction: 1 } });
    const { pipeline, runners } = setUp(spec, { a: echo });
    const policy = { maxBatchSize: 1, maxBatchWaitMs: 0, expectedServiceMs: [0, 10], remainingMs: 0 };
    pipeline.setPolicy(stageId('a'), policy);
    const dropped = { kind: 'dropped', reason: 'wait-too-long' };
    // The last item would start after 20 ms, and take 10. Of a burst, an item may be expected to wait twice the time left.
    expect(await pipeline.submitBatch(items, { timeoutMs: 19 })).toMatchObject([dropped, dropped, dropped]);
    expect(runners['a']?.batches).toEqual([]);
    void pipeline.submitBatch(items, { timeoutMs: 21 });
    expect(pipeline.inFlight).toBe(3);
  });

  it('drops the other items, for the same reason, once one is dropped', async () => {
    const { clock, pipeline, runners } = setUp(servingSpec(['a']), { a: echo });
    const outcomes = pipeline.submitBatch(items, { timeoutMs: 15 });
    await clock.advanceTo(100);
    const kinds = (await outcomes).map((outcome) => (outcome.kind === 'dropped' ? outcome.reason : outcome.kind));
    expect(kinds).toEqual(['completed', 'deadline-passed', 'deadline-passed']);
    expect(runners['a']?.batches).toHaveLength(2);
  });

  it('is cancelled as a whole, also before it came', async () => {
    const { clock, pipeline, runners } = setUp(servingSpec(['a']), { a: echo });
    const [before, later] = [new AbortController(), new AbortController()];
    before.abort();
    const outcomes = [before, later].map(({ signal }) => pipeline.submitBatch(items, { signal }));
    later.abort();
    const cancelled = Array(3).fill({ kind: 'dropped', reason: 'cancelled' });
    expect(await Promise.all(outcomes)).toMatchObject([cancelled, cancelled]);
    await clock.advanceTo(100);
    expect(runners['a']?.batches).toHaveLength(1);
    expect([pipeline.inFlight, pipeline.inFlightBytes]).toEqual([0, 0]);
  });

  it.each([
    [
      'fails if its answers alone need more memory than there is',
      40,
      0,
      failed('BATCH_SIZE_INVALID', /batch size is 1\./),
    ],
    ['is dropped if other requests take the memory for its answers', 84, 8, { kind: 'dropped', reason: 'memory-full' }],
  ])('%s', async (_, maxInFlightBytes, others, second) => {
    const spec = servingSpec(['a'], { admission: { maxQueueLength: 100, maxInFlightBytes } });
    const { clock, pipeline } = setUp(spec, { a: () => ({ y: fp32([8], ...zeros(8)) }) });
    const outcomes = pipeline.submitBatch(items);
    const later = pipeline.submit({ x: fp32([others], ...zeros(others)) }, { priority: 3 });
    await clock.advanceTo(100);
    const dropped = { kind: 'dropped', reason: 'memory-full' };
    expect(await outcomes).toMatchObject([{ kind: 'completed' }, second, dropped]);
    expect((await later).kind).toBe('completed');
    const { completed, failed: failures, dropped: drops } = pipeline.statistics.total;
    expect([completed, failures, drops['memory-full'], drops.cancelled]).toEqual(
      others === 0 ? [2, 1, 1, 0] : [2, 0, 2, 0],
    );
    expect([pipeline.inFlight, pipeline.inFlightBytes]).toEqual([0, 0]);
  });
});

describe('overload', () => {
  it('bounds the bytes in flight, answers what is beyond at once, and counts what has ended no more', async () => {
    const spec = servingSpec(['a'], { admission: { maxQueueLength: 100, maxInFlightBytes: 10 } });
    const { clock, pipeline } = setUp(spec, { a: echo });
    const outcomes = [x(1), x(2), x(3)].map((inputs) => pipeline.submit(inputs));
    expect(pipeline.inFlightBytes).toBe(8);
    expect(await outcomes[2]).toMatchObject({ kind: 'dropped', reason: 'memory-full' });
    await clock.advanceTo(25);
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(['completed', 'completed', 'dropped']);
    expect(pipeline.inFlightBytes).toBe(0);
    const large = pipeline.submit({ x: fp32([4], 1, 2, 3, 4) });
    await clock.advanceTo(50);
    expect((await large).kind).toBe('completed');
    expect(pipeline.statistics.total).toMatchObject({ arrived: 4, completed: 3, dropped: { 'memory-full': 1 } });
  });

  it('bounds the outputs of stages that wait for later stages, and admits no request meanwhile', async () => {
    const spec = servingSpec(['a', 'b'], { admission: { maxQueueLength: 100, maxInFlightBytes: 100 } });
    const { clock, pipeline } = setUp(spec, { a: () => ({ y: fp32([8], ...zeros(8)) }), b: () => x(7) });
    pipeline.setBatching(stageId('a'), { maxBatchSize: 4, maxBatchWaitMs: 0 });
    const outcomes = Promise.all([1, 2, 3, 4, 5].map((value) => pipeline.submit(x(value))));
    await clock.advanceTo(15);
    expect(pipeline.inFlightBytes).toBe(5 * 4 + 32);
    await clock.advanceTo(25);
    // The first request still held its output when the four others came.
    expect(pipeline.inFlightBytes).toBe(2 * (4 + 32));
    const refused = { kind: 'dropped', reason: 'memory-full' };
    expect(await pipeline.submit({ x: fp32([10], ...zeros(10)) })).toMatchObject(refused);
    await clock.advanceTo(100);
    expect(await outcomes).toMatchObject([...Array(3).fill({ kind: 'completed' }), refused, refused]);
    expect([pipeline.inFlight, pipeline.inFlightBytes]).toEqual([0, 0]);
    const large = pipeline.submit({ x: fp32([40], ...zeros(40)) });
    await clock.advanceTo(200);
    expect((await large).kind).toBe('completed');
  });

  it('tells a request that is dropped how long what waits will take', async () => {
    const spec = servingSpec(['a'], { admission: { maxQueueLength: 4 } });
    const { clock, pipeline } = setUp(spec, { a: echo });
    pipeline.setPolicy(stageId('a'), {
      ...{ maxBatchSize: 1, maxBatchWaitMs: 0, expectedServiceMs: [0, 10], remainingMs: 0 },
    });
    const outcomes = [1, 2, 3, 4, 5, 6].map((value) => pipeline.submit(x(value)));
    expect(await outcomes[5]).toEqual({ kind: 'dropped', reason: 'queue-full', retryAfterMs: 45 });
    await clock.advanceTo(100);
  });
});

describe('a broken invariant', () => {
  const slicesNot = {
    datatype: 'FP32',
    shape: [1],
    data: Object.assign(new Float32Array(1), { slice: undefined }),
  } as unknown as Tensor;

  it.each<[string, (batch: readonly TensorMap[]) => BatchResult]>([
    [
      'before the policies have the answer',
      (batch) => ({ items: batch.map((output) => ({ kind: 'ok', output })), serviceMs: 1n as unknown as number }),
    ],
    [
      'while they send the answer on',
      (batch) => ({ items: batch.map(() => ({ kind: 'ok', output: { x: slicesNot } })), serviceMs: 1 }),
    ],
  ])('%s fails the requests of that batch alone, and the replica serves on', async (_, broken) => {
    const clock = new ManualClock();
    const defects: unknown[] = [];
    const spec = servingSpec(['a', 'left', 'right'], {
      edges: [edge('a', 'left'), edge('a', 'right')],
      outputs: [{ from: stageId('left') }, { from: stageId('right') }],
    });
    const onDefect = (error: unknown) => defects.push(error);
    const pipeline = new PipelineRunner({ spec, hostCores: 1, clock, onDefect });
    const run = async (batch: readonly TensorMap[]): Promise<BatchResult> => {
      await clock.sleep(10);
      if (batch.some((item) => item['bad'])) return broken(batch);
      return { items: batch.map((output) => ({ kind: 'ok', output })), serviceMs: 1 };
    };
    for (const stage of ['a', 'left', 'right'])
      serve(pipeline, stage, { run, onLost: () => {}, close: async () => {} });
    pipeline.setBatching(stageId('a'), { maxBatchSize: 2, maxBatchWaitMs: 5 });
    const inputs = [{ bad: fp32([1], 0) }, x(1), x(2), x(3)];
    const outcomes = inputs.map((input) => pipeline.submit(input));
    await clock.advanceTo(200);
    const [bad, companion, ...others] = await Promise.all(outcomes);
    expect([bad, companion]).toEqual([
      failed('INTERNAL_ERROR', /^The server/),
      failed('INTERNAL_ERROR', /^The server/),
    ]);
    expect(others.map(({ kind }) => kind)).toEqual(['completed', 'completed']);
    expect(defects).toEqual([expect.any(TypeError)]);
    expect([pipeline.ready, pipeline.inFlight, pipeline.statistics.total.failed]).toEqual([true, 0, 2]);
  });

  it('at an arrival fails that request alone', async () => {
    const clock = new ManualClock();
    const defects: unknown[] = [];
    const sources = [{ name: 'input', to: [stageId('a'), stageId('b')], tensors: [] }];
    const outputs = [{ from: stageId('a') }, { from: stageId('b') }];
    const spec = servingSpec(['a', 'b'], { edges: [], sources, outputs });
    const onDefect = (error: unknown) => defects.push(error);
    const pipeline = new PipelineRunner({ spec, hostCores: 2, clock, onDefect });
    for (const stage of ['a', 'b']) serve(pipeline, stage, new ScriptedRunner(echo, () => clock.sleep(10)));
    const outcomes = [{ x: slicesNot }, x(1)].map((inputs) => pipeline.submit(inputs));
    await clock.advanceTo(100);
    const [bad, good] = await Promise.all(outcomes);
    expect([bad, good?.kind]).toEqual([failed('INTERNAL_ERROR', /^The server/), 'completed']);
    expect([defects.length, pipeline.inFlight, pipeline.statistics.total.failed]).toEqual([1, 0, 1]);
  });
});

describe('the end of serving', () => {
  it('drops arrivals as draining, ends what is inside, and leaves no alarm behind', async () => {
    const { clock, pipeline } = setUp(servingSpec(['a']), { a: echo });
    const [inside, waiting] = [pipeline.submit(x(1)), pipeline.submit(x(2))];
    pipeline.beginDraining();
    expect(pipeline.ready).toBe(false);
    expect(await pipeline.submit(x(3))).toMatchObject({ kind: 'dropped', reason: 'draining' });
    let drained = false;
    void pipeline.drained.then(() => {
      drained = true;
    });
    await clock.advanceTo(15);
    expect(drained).toBe(false);
    await clock.advanceTo(25);
    expect([(await inside).kind, (await waiting).kind, drained, clock.pendingAlarms]).toEqual([
      'completed',
      'completed',
      true,
      0,
    ]);
  });

  it('lets a listener submit, and survives one that throws', async () => {
    const { clock, pipeline } = setUp(servingSpec(['a']), { a: echo });
    const warnings: string[] = [];
    const note = (warning: Error) => warnings.push(warning.message);
    process.on('warning', note);
    let again: Promise<PipelineOutcome> | undefined;
    pipeline.onRequestEnd(() => {
      again ??= pipeline.submit(x(2));
    });
    pipeline.onRequestEnd(() => {
      throw new Error('listener');
    });
    const first = await Promise.all([pipeline.submit(x(1)), clock.advanceTo(50)]);
    process.off('warning', note);
    expect([first[0].kind, (await again)?.kind]).toEqual(['completed', 'completed']);
    expect(warnings).toEqual(['listener', 'listener']);
  });
});
