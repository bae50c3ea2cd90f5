import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { InvariantViolation, type Tensor, type TensorMap } from '@equipoise/core/model';
import type { LaunchRequest, ModelRunner } from '@equipoise/core/ports';
import { describeModelRunnerConformance, launchRequestOf, stageNamed, variantNamed } from '@equipoise/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { commandItem, fixtures, fp32, obeying, obeyingSubject, requestFor } from '../obeying-stage.test-support.js';
import { threadCpuMs } from '../replica/cpu-meter.js';
import { ThreadReplicaLauncher } from './thread-replica-launcher.js';

const launcher = new ThreadReplicaLauncher();
const started: ModelRunner[] = [];
let livingThreads = 0;

function countThread(thread: Worker): void {
  livingThreads += 1;
  thread.once('exit', () => {
    livingThreads -= 1;
  });
}

async function start(request: LaunchRequest = obeying()): Promise<ModelRunner> {
  const { runner } = await launcher.launch(request);
  started.push(runner);
  return runner;
}

async function answerTo(runner: ModelRunner, ...batch: TensorMap[]): Promise<unknown[]> {
  const { items } = await runner.run(batch);
  return items.map((item) => (item.kind === 'ok' ? item.output : `${item.error.code}: ${item.error.message}`));
}

beforeAll(() => {
  process.on('worker', countThread);
});

afterEach(async () => {
  await Promise.allSettled(started.splice(0).map((runner) => runner.close()));
});

afterAll(() => {
  process.off('worker', countThread);
  expect(livingThreads).toBe(0);
});

/** Replica shared by tests that leave it running. */
function servingReplica(): () => ModelRunner {
  let runner: ModelRunner;
  beforeAll(async () => {
    runner = (await launcher.launch(obeying())).runner;
  });
  afterAll(() => runner.close());
  return () => runner;
}

describeModelRunnerConformance('ThreadReplicaLauncher', () => ({
  ...obeyingSubject(launcher, (limits) => new ThreadReplicaLauncher(limits)),
  living: () => livingThreads,
}));

describe('a replica thread', () => {
  const replica = servingReplica();

  it.runIf(process.platform === 'linux')('has a lower priority than the serving thread', async () => {
    const serving = getPriority();
    const priority = { datatype: 'FP64', shape: [], data: Float64Array.of(Math.min(19, serving + 5)) };
    expect(await answerTo(replica(), commandItem('priority'))).toEqual([{ priority }]);
    expect(getPriority()).toBe(serving);
  });

  it('has a small young generation, so that it keeps little garbage', async () => {
    const threads: Worker[] = [];
    const note = (thread: Worker) => threads.push(thread);
    process.on('worker', note);
    await start();
    process.off('worker', note);
    expect(threads.map(({ resourceLimits }) => resourceLimits?.maxYoungGenerationSizeMb)).toContain(48);
  });

  it('gives the stage its variant and resources', async () => {
    const request = requestFor('./obey.mjs', { artifact: './affine.onnx', parameters: { depth: 2 } });
    expect(await answerTo(await start(request), commandItem('describe'))).toEqual([
      {
        described: {
          datatype: 'BYTES',
          shape: [3],
          data: ['only', `${fixtures}/affine.onnx`, JSON.stringify({ depth: 2, cpuCores: 1, memoryBytes: 0, gpus: 0 })],
        },
      },
    ]);
  });

  // A kernel without scheduler statistics reports nothing.
  it.runIf(threadCpuMs() !== undefined)('reports what a batch costs a CPU share', async () => {
    const { resources, ...request } = obeying();
    const share = await start({ ...request, resources: { ...resources, cpuCores: 0.5 } });
    expect((await share.run([commandItem('pid')])).cpuMs).toBeGreaterThanOrEqual(0);
    expect((await replica().run([commandItem('pid')])).cpuMs).toBeUndefined();
  });

  it('times the batch inside the stage', async () => {
    const { serviceMs } = await replica().run([commandItem('slow')]);
    expect(serviceMs).toBeGreaterThan(45);
    expect(serviceMs).toBeLessThan(30_000);
  });

  it('keeps the message of a stage that fails, for every item', async () => {
    expect(await answerTo(replica(), { x: fp32(1) }, commandItem('fail'))).toEqual(
      Array(2).fill("STAGE_FAILED: Stage 'obey' (variant 'only') failed: the stage is broken"),
    );
  });

  it.each([
    ['too few results', [commandItem('lose-result'), { x: fp32(1) }], 'run must return 2 results, found 1'],
    ['a result that is no tensor map', [commandItem('text')], 'expected an object of tensors by name, found String'],
  ])('says what was expected instead of %s', async (_, batch, message) => {
    const [answer] = await answerTo(replica(), ...batch);
    expect(answer).toMatch(/^STAGE_FAILED/);
    expect(answer).toContain(message);
  });

  it('finds a tensor that the stage returns a second time', async () => {
    const runner = replica();
    expect(await answerTo(runner, commandItem('same'))).toEqual([{ same: fp32(1) }]);
    expect(await answerTo(runner, commandItem('same'))).toEqual([
      expect.stringContaining('return a new one each time'),
    ]);
  });

  it('refuses a batch larger than the stage allows', async () => {
    const request = obeying();
    const stage = { ...request.stage, bounds: { ...request.stage.bounds, batchSizes: [1, 2] } };
    const runner = await start({ ...request, stage });
    await expect(runner.run([{}, {}, {}])).rejects.toThrow(InvariantViolation);
    expect(await answerTo(runner, {}, {})).toEqual([{}, {}]);
  });

  it('prints to stderr, because stdout belongs to the program', async () => {
    const printed = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      await answerTo(replica(), commandItem('print'));
      await expect
        .poll(() => printed.mock.calls.map(([chunk]) => String(chunk)).join(''))
        .toContain('printed by a stage');
    } finally {
      printed.mockRestore();
    }
  });
});

describe('tensors on their way to a replica thread and back', () => {
  const replica = servingReplica();
  const memoryItem = (x: Tensor): TensorMap => ({ x, ...commandItem('memory') });

  it('move without a copy: the sender keeps nothing', async () => {
    const x = fp32(1, 2, 3);
    expect(await answerTo(replica(), { x })).toEqual([{ x: fp32(1, 2, 3) }]);
    expect(x.data).toHaveLength(0);
  });

  it('are copied when they are a part of something larger, without the rest', async () => {
    const whole = new Float32Array(1_000).fill(1);
    const runner = replica();
    const [answer] = await answerTo(runner, memoryItem({ datatype: 'FP32', shape: [2], data: whole.subarray(10, 12) }));
    expect(answer).toEqual({ byteLength: { datatype: 'FP64', shape: [], data: Float64Array.of(8) } });
    expect(whole).toHaveLength(1_000);
  });

  it('are copied when two items of a batch share them', async () => {
    const x = fp32(1, 2);
    expect(await answerTo(replica(), { x }, { x })).toEqual([{ x: fp32(1, 2) }, { x: fp32(1, 2) }]);
  });

  it('stay shared in shared memory', async () => {
    const data = new Float32Array(new SharedArrayBuffer(8));
    const [answer] = await answerTo(replica(), { x: { datatype: 'FP32', shape: [2], data } });
    const returned = (answer as { x: Tensor }).x.data as Float32Array;
    data[0] = 7;
    expect(returned[0]).toBe(7);
  });

  it('are cloned where memory cannot move', async () => {
    const [answer] = await answerTo(replica(), commandItem('web-assembly'));
    expect((answer as { memory: Tensor }).memory.data).toHaveLength(65_536);
  });

  it('must not have been given away before', async () => {
    const runner = replica();
    const x = fp32(1, 2);
    await runner.run([{ x }]);
    await expect(runner.run([{ x }])).rejects.toThrow("tensor 'x' has 0 elements for the shape [2]");
  });
});

describe('a replica thread that ends', () => {
  it.each([
    ['exits during a batch', 'exit', 'its thread ended with exit code 3'],
    ['throws beside a batch', 'throw-and-hang', 'thrown beside a batch'],
  ])('rejects the batch when it %s', async (_, command, message) => {
    const runner = await start();
    await expect(runner.run([commandItem(command)])).rejects.toMatchObject({
      code: 'REPLICA_LOST',
      retryable: true,
      message: `Stage 'obey' (variant 'only') lost a replica: ${message}`,
    });
  });

  it('tells its listeners when it throws between batches', async () => {
    const runner = await start();
    const lost = new Promise((resolve) => runner.onLost(resolve));
    await runner.run([commandItem('throw-soon')]);
    expect(await lost).toMatchObject({
      code: 'REPLICA_LOST',
      message: expect.stringContaining('thrown outside of a batch'),
    });
  });

  it('is reported as a failed load when it ends before it is ready', async () => {
    await expect(start(obeying({ exitWhileLoading: true }))).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining('exit code 5'),
    });
  });

  it('ends by itself after the running batch, though the stage left a timer', async () => {
    const runner = await start();
    await runner.run([commandItem('leave-timer')]);
    const order: string[] = [];
    const slow = runner.run([commandItem('slow')]).then(() => order.push('ran'));
    await runner.close();
    await slow;
    expect([...order, livingThreads]).toEqual(['ran', 0]);
  });

  it('ends also when the stage fails to close, which is told', async () => {
    const runner = await start(obeying({ failToClose: true }));
    await expect(runner.close()).rejects.toMatchObject({
      code: 'STAGE_FAILED',
      message: expect.stringContaining('failed to close: it does not close'),
    });
    expect(livingThreads).toBe(0);
  });
});

describe('a replica thread that does not load', () => {
  it('is given up after the launch time-out, and ends by itself when it has loaded after all', async () => {
    const impatient = new ThreadReplicaLauncher({ launchTimeoutMs: 100 });
    const request = obeying({ loadMs: 1_000 });
    await expect(impatient.launch(request)).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: "Stage 'obey' (variant 'only') has not loaded within 0.1 s",
    });
    expect([livingThreads, impatient.stuckThreads(request.stage.id)]).toEqual([1, 1]);
    await vi.waitFor(() => expect(livingThreads).toBe(0), 5_000);
    expect(impatient.stuckThreads(request.stage.id)).toBe(0);
  });
});

describe('stage modules', () => {
  it('may be TypeScript with imports and files beside it', async () => {
    const request = launchRequestOf(stageNamed('typed', [variantNamed('only')], { module: './typed.ts' }), {
      baseDir: fixtures,
    });
    expect(await answerTo(await start(request), { x: fp32(1, 2) })).toEqual([{ x: fp32(6, 7) }]);
  });

  it('may export load in their default export', async () => {
    expect(await answerTo(await start(requestFor('./default-export.cjs')), {})).toEqual([{}]);
  });

  it('may be an export of a package: any ONNX model', async () => {
    const runner = await start(requestFor('npm:@equipoise/adapter-onnx/stage', { artifact: './affine.onnx' }));
    const running = answerTo(runner, { features: fp32(0, 1, 2) }, { features: fp32(3, 4, 5) }, { features: fp32(1) });
    await runner.close();
    expect(await running).toEqual([
      { scores: fp32(12, 23) },
      { scores: fp32(18, 29) },
      expect.stringContaining("INVALID_INPUT: Input 'features' does not fit the model"),
    ]);
  });

  it('may be what the guide shows', async () => {
    const guide = readFileSync(new URL('../../../../docs/guide/stage-modules.md', import.meta.url), 'utf8');
    const code = /```ts\n([^`]*(?:`[^`]+`[^`]*)*)```/.exec(guide)?.[1] ?? '';
    expect(code.trim().split('\n').length).toBeLessThanOrEqual(25);
    mkdirSync(join(fixtures, '.equipoise'), { recursive: true });
    writeFileSync(join(fixtures, '.equipoise', 'guide.ts'), code);
    const runner = await start(requestFor('./.equipoise/guide.ts', { artifact: './affine.onnx' }));
    expect(await answerTo(runner, { features: fp32(0, 1, 2) }, {})).toEqual([
      { scores: fp32(12, 23) },
      'INVALID_INPUT: The tensor `features` must be FP32.',
    ]);
  });

  it.each([
    ['./no-load.mjs', 'does not export a function load; it exports start, version'],
    ['npm:@equipoise/core/nothing', "Package subpath './nothing' is not defined"],
  ])('are refused with what is wrong: %s', async (module, message) => {
    await expect(start(requestFor(module))).rejects.toMatchObject({
      code: 'MODULE_INVALID',
      message: expect.stringContaining(message),
    });
  });

  it('are refused when load gives nothing that runs', async () => {
    await expect(start(obeying({ noRun: true }))).rejects.toMatchObject({
      code: 'MODULE_INVALID',
      message: 'load must return an object with a function run',
    });
  });

  it('start no thread when the artifact is missing', async () => {
    const launched = start(requestFor('./obey.mjs', { artifact: './missing.onnx' }));
    await expect(launched).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    expect(livingThreads).toBe(0);
  });
});
