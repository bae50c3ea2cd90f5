/** Replicas of a pipeline runner. */
import { AppError, replicaId, stageId, type Tensor, variantId } from '@equipoise/core/model';
import type { ModelRunner } from '@equipoise/core/ports';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { inputDigest } from './payload-algebra.js';
import { PipelineRunner } from './pipeline-runner.js';
import { echo, failed, setUp, x } from './runner-bench.test-support.js';
import { fp32, ScriptedRunner, serve, servingSpec } from './serving-bench.test-support.js';

describe('replicas', () => {
  it('fail an item alone', async () => {
    const bad = new AppError('INVALID_INPUT', 'Not an image.');
    const { clock, pipeline } = setUp(servingSpec(['a']), { a: (item) => (item['bad'] ? bad : item) });
    pipeline.setBatching(stageId('a'), { maxBatchSize: 8, maxBatchWaitMs: 5 });
    const outcomes = [x(1), { bad: fp32([]) }, x(3)].map((inputs) => pipeline.submit(inputs));
    await clock.advanceTo(50);
    expect(await Promise.all(outcomes)).toEqual([
      { kind: 'completed', output: x(1) },
      { kind: 'failed', failure: bad },
      { kind: 'completed', output: x(3) },
    ]);
    expect(pipeline.stageCounts()[stageId('a')]).toMatchObject({
      batches: expect.any(Number),
      items: 3,
      failedItems: 1,
      queueLength: 0,
    });
  });

  it.each([
    ['an error of the stage', new AppError('STAGE_FAILED', 'boom'), [1, 2, 1, 1], ['completed', 'failed', 'completed']],
    ['an overloaded server', new AppError('DROPPED', 'full'), [1, 2], ['completed', 'failed', 'failed']],
  ])('run the items of a failed batch alone if an input may be the cause: %s', async (_, error, sizes, kinds) => {
    const clock = new ManualClock();
    const pipeline = new PipelineRunner({ spec: servingSpec(['a']), hostCores: 1, clock });
    pipeline.setBatching(stageId('a'), { maxBatchSize: 2, maxBatchWaitMs: 0 });
    const ran: number[] = [];
    const run: ModelRunner['run'] = async (batch) => {
      ran.push(batch.length);
      if (batch.some((item) => item['bad'])) throw error;
      return { items: batch.map((output) => ({ kind: 'ok', output })), serviceMs: 1 };
    };
    serve(pipeline, 'a', { run, onLost: () => {}, close: async () => {} });
    const outcomes = [x(1), { ...x(2), bad: fp32([1]) }, x(3)].map((inputs) => pipeline.submit(inputs));
    await clock.advanceTo(10);
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(kinds);
    expect(ran).toEqual(sizes);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('boom')), /^Stage a failed; the server's log/],
    ['answers too few results', () => Promise.resolve({ items: [], serviceMs: 1 }), /0 results to 1 items/],
    [
      'throws',
      () => {
        throw new Error('sync');
      },
      /^Stage a failed; the server's log/,
    ],
    ['throws what cannot be shown', () => Promise.reject(Object.create(null)), /^Stage a failed; the server's log/],
  ])('keep the pipeline going when one %s', async (_, run, message) => {
    const clock = new ManualClock();
    const pipeline = new PipelineRunner({ spec: servingSpec(['a']), hostCores: 1, clock });
    serve(pipeline, 'a', { run, onLost: () => {}, close: async () => {} });
    const outcomes = [pipeline.submit(x(1)), pipeline.submit(x(2))];
    await clock.advanceTo(10);
    expect(await Promise.all(outcomes)).toEqual([failed('STAGE_FAILED', message), failed('STAGE_FAILED', message)]);
  });

  it.each([true, false])(
    'are out of service when lost (while busy: %s), and the listener is told once',
    async (whileBusy) => {
      const { clock, pipeline, runners } = setUp(servingSpec(['a']), { a: echo });
      const lost: string[] = [];
      pipeline.onReplicaLost((stage) => lost.push(`${stage}, ready: ${pipeline.ready}`));
      const gone = new AppError('REPLICA_LOST', 'gone', { retryable: true });
      const first = whileBusy ? pipeline.submit(x(1)) : undefined;
      const queued = whileBusy ? pipeline.submit(x(2)) : undefined;
      await clock.advanceTo(5);
      runners['a']?.lose(gone, whileBusy);
      await clock.advanceTo(20);
      expect(lost).toEqual(['a, ready: false']);
      const second = queued ?? pipeline.submit(x(2));
      serve(pipeline, 'a', new ScriptedRunner(echo, () => clock.sleep(10)));
      await clock.advanceTo(50);
      expect((await second).kind).toBe('completed');
      expect((await first)?.kind ?? 'none').toBe(whileBusy ? 'completed' : 'none');
      expect(runners['a']?.batches).toEqual(whileBusy ? [[x(1)]] : []);
    },
  );

  it('drain: the running batch ends, the next goes elsewhere, unknown ones are drained at once', async () => {
    const clock = new ManualClock();
    const pipeline = new PipelineRunner({ spec: servingSpec(['a']), hostCores: Number.POSITIVE_INFINITY, clock });
    const [old, fresh] = [0, 1].map(() => new ScriptedRunner(echo, () => clock.sleep(10))) as [
      ScriptedRunner,
      ScriptedRunner,
    ];
    const id = serve(pipeline, 'a', old);
    const outcomes = [pipeline.submit(x(1)), pipeline.submit(x(2))];
    serve(pipeline, 'a', fresh);
    let drainedAtMs = -1;
    const drained = pipeline.drainReplica(stageId('a'), id).then(() => {
      drainedAtMs = clock.nowMs();
    });
    outcomes.push(pipeline.submit(x(3)));
    await clock.advanceTo(100);
    await drained;
    await pipeline.drainReplica(stageId('a'), id);
    expect(drainedAtMs).toBe(10);
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(['completed', 'completed', 'completed']);
    expect([old.batches.length, fresh.batches.length]).toEqual([1, 2]);
  });

  it('are forgotten once they have left', async () => {
    const clock = new ManualClock();
    const pipeline = new PipelineRunner({ spec: servingSpec(['a']), hostCores: 1, clock });
    const runner = new ScriptedRunner(echo, () => clock.sleep(10));
    const replica = {
      replicaId: replicaId('a-0'),
      variantId: variantId('v'),
      resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
      runner,
    };
    pipeline.addReplica(stageId('a'), replica);
    expect(() => pipeline.addReplica(stageId('a'), replica)).toThrow('replica a-0 is in service already');
    await pipeline.drainReplica(stageId('a'), replica.replicaId);
    pipeline.addReplica(stageId('a'), replica);
    expect(pipeline.ready).toBe(true);
  });

  it('may be lost in the very call that hands them a batch', async () => {
    const clock = new ManualClock();
    const pipeline = new PipelineRunner({ spec: servingSpec(['a']), hostCores: 1, clock });
    const gone = new AppError('REPLICA_LOST', 'gone');
    let tell = (_error: AppError) => {};
    serve(pipeline, 'a', {
      run: () => {
        tell(gone);
        return Promise.reject(gone);
      },
      onLost: (listener) => {
        tell = listener;
      },
      close: async () => {},
    });
    const first = pipeline.submit(x(1));
    await clock.advanceTo(1);
    expect(pipeline.ready).toBe(false);
    serve(pipeline, 'a', new ScriptedRunner(echo, () => clock.sleep(10)));
    await clock.advanceTo(11);
    expect(await first).toEqual({ kind: 'completed', output: x(1) });
  });

  it.each([
    ['once more, with its tensors, though the first replica took them away', {}, undefined, 'completed'],
    ['not a third time', {}, 'REPLICA_LOST', 'failed'],
    ['not where the stage does not allow it', { idempotent: false }, 'REPLICA_LOST', 'failed'],
    ['once more where it does not, if the server did not get it', { idempotent: false }, undefined, 'completed'],
  ] as const)('lose a batch, which is run %s', async (name, more, code, kind) => {
    const clock = new ManualClock();
    const spec = servingSpec(['a']);
    const pipeline = new PipelineRunner({
      spec: { ...spec, stages: spec.stages.map((stage) => ({ ...stage, ...more })) },
      ...{ hostCores: Number.POSITIVE_INFINITY, clock },
    });
    const losing = (): ModelRunner => ({
      run: async (batch) => {
        const tensors: readonly Tensor[] = batch.flatMap((item) => Object.values(item));
        structuredClone(batch, { transfer: tensors.map(({ data }) => (data as Float32Array<ArrayBuffer>).buffer) });
        await clock.sleep(5);
        throw new AppError('REPLICA_LOST', 'gone', { details: { unsent: name.includes('did not get') } });
      },
      onLost: () => {},
      close: async () => {},
    });
    serve(pipeline, 'a', losing());
    if (name === 'not a third time') serve(pipeline, 'a', losing());
    const outcome = pipeline.submit(x(1));
    await clock.advanceTo(2);
    const fresh = new ScriptedRunner(echo, () => clock.sleep(10));
    serve(pipeline, 'a', fresh);
    await clock.advanceTo(20);
    expect(await outcome).toMatchObject(code === undefined ? { kind, output: x(1) } : { kind, failure: { code } });
    expect(fresh.batches.length).toBe(code === undefined ? 1 : 0);
    expect(pipeline.stageCounts()[stageId('a')]?.retriedItems).toBe(name.startsWith('not where') ? 0 : 1);
  });

  it('are handed the tensors themselves where they leave them alone, else a copy', async () => {
    const clock = new ManualClock();
    const seen: unknown[] = [];
    const runner = (keepsTensors: boolean): ModelRunner => ({
      keepsTensors,
      run: async (batch) => {
        seen.push(batch[0]?.['x']);
        return { items: batch.map((output) => ({ kind: 'ok', output })), serviceMs: 1 };
      },
      onLost: () => {},
      close: async () => {},
    });
    const own: unknown[] = [];
    for (const keeps of [true, false]) {
      const pipeline = new PipelineRunner({ spec: servingSpec(['a']), hostCores: 1, clock });
      serve(pipeline, 'a', runner(keeps));
      const inputs = x(1);
      own.push(inputs['x']);
      await pipeline.submit(inputs);
    }
    expect(seen.map((tensor, i) => tensor === own[i])).toEqual([true, false]);
    expect(seen).toEqual(own);
  });

  it('that hang are left alone with the input, which is refused to its tenant from then on', async () => {
    const clock = new ManualClock();
    const spec = servingSpec(['a']);
    const pipeline = new PipelineRunner({ spec, hostCores: 1, clock });
    const told: unknown[] = [];
    pipeline.onInputQuarantined((input) => told.push(input));
    pipeline.setPolicy(stageId('a'), { maxBatchSize: 1, maxBatchWaitMs: 0, hungAfterMs: [0, 250], remainingMs: 0 });
    const hanging = new ScriptedRunner(echo, () => new Promise(() => {}));
    serve(pipeline, 'a', hanging);
    const poison = () => pipeline.submit(x(13), { tenant: 'north', timeoutMs: 60_000 });
    const first = poison();
    await clock.advanceTo(250);
    expect(await first).toEqual(failed('REQUEST_QUARANTINED', /Stage a hung on this input/));
    expect(await poison()).toEqual(failed('REQUEST_QUARANTINED', /Stage a hung/));
    const [input] = pipeline.quarantinedInputs();
    expect(input).toEqual({ stageId: 'a', tenant: 'north', digest: inputDigest(x(13)), leftMs: 600_000 });
    expect(told).toEqual([{ stageId: 'a', tenant: 'north', digest: input?.digest }]);
    serve(pipeline, 'a', new ScriptedRunner(echo, () => clock.sleep(10)));
    const others = [pipeline.submit(x(13)), pipeline.submit(x(13), { tenant: 'south' }), pipeline.submit(x(12))];
    await clock.advanceTo(300);
    expect((await Promise.all(others)).map(({ kind }) => kind)).toEqual(['completed', 'completed', 'completed']);
    expect([pipeline.clearQuarantine(stageId('a')), pipeline.quarantinedInputs()]).toEqual([1, []]);
    const freed = poison();
    await clock.advanceTo(400);
    expect((await freed).kind).toBe('completed');
    expect(hanging.batches).toHaveLength(1);
    expect(pipeline.statistics.failedHere).toBe(0);
  });

  it('that find themselves that a batch hung are not given it again', async () => {
    const clock = new ManualClock();
    const pipeline = new PipelineRunner({ spec: servingSpec(['a']), hostCores: 1, clock });
    const hung = new AppError('REPLICA_LOST', 'a batch ran too long', { details: { trouble: 'hung' } });
    const run = async () => {
      await clock.sleep(10);
      throw hung;
    };
    const issues: unknown[] = [];
    pipeline.onReplicaUnhealthy((_, __, issue) => issues.push(issue));
    pipeline.onReplicaLost(() => issues.push('lost'));
    serve(pipeline, 'a', { run, onLost: () => {}, close: async () => {} });
    const fresh = new ScriptedRunner(echo, () => clock.sleep(10));
    const outcome = pipeline.submit(x(1));
    serve(pipeline, 'a', fresh);
    await clock.advanceTo(50);
    expect(await outcome).toEqual(failed('REQUEST_QUARANTINED', /Stage a hung/));
    expect([fresh.batches, issues]).toEqual([[], ['hung']]);
  });

  it.each([
    ['with a CPU share are charged for the CPU time that they report', { cpuMs: 1 }, {}, 100],
    ['with a CPU share are charged for all of the time if they report none', {}, {}, 8],
    ['of a server that runs elsewhere have no share', {}, { urls: ['http://other:1'], model: 'm' }, 100],
  ])('%s', async (_, reported, place, batches) => {
    const clock = new ManualClock();
    const spec = servingSpec(['a']);
    const server = 'urls' in place && { server: { ...place, batching: 'single' as const } };
    const stages = spec.stages.map((stage) => ({
      ...stage,
      variants: stage.variants.map((variant) => ({ ...variant, ...server })),
    }));
    const pipeline = new PipelineRunner({ spec: { ...spec, stages }, hostCores: 1, clock });
    const run: ModelRunner['run'] = async (batch) => {
      await clock.sleep(20); // 1 ms of work on a busy machine
      return { items: batch.map((output) => ({ kind: 'ok', output })), serviceMs: 20, ...reported };
    };
    serve(pipeline, 'a', { run, onLost: () => {}, close: async () => {} }, 0.05);
    const outcomes = Array.from({ length: 100 }, () => pipeline.submit(x(1), { timeoutMs: 60_000 }));
    await clock.advanceTo(2010);
    // Without CPU times: a burst of 50 ms and the share of 2 s are 150 ms, and the last batch may exceed them.
    expect(pipeline.stageCounts()[stageId('a')]?.batches).toBe(batches);
    await clock.advanceTo(60_000);
    await Promise.all(outcomes);
  });

  it('keep the expected times of a stage when only its batching changes', async () => {
    const { clock, pipeline, runners } = setUp(servingSpec(['a']), { a: echo });
    const stage = stageId('a');
    pipeline.setPolicy(stage, { maxBatchSize: 1, maxBatchWaitMs: 0, expectedServiceMs: [0, 390, 390], remainingMs: 0 });
    pipeline.setBatching(stage, { maxBatchSize: 2, maxBatchWaitMs: 0 });
    const outcomes = [1, 2, 3, 4].map((value) => pipeline.submit(x(value), { timeoutMs: value === 4 ? 395 : 1000 }));
    await clock.advanceTo(100);
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual([
      'completed',
      'completed',
      'completed',
      'dropped',
    ]);
    expect(runners['a']?.batches.map(({ length }) => length)).toEqual([1, 2]);
  });
});
