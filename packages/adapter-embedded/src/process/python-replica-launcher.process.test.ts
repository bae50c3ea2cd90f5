import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import type { TensorMap } from '@equipoise/core/model';
import type { ModelRunner } from '@equipoise/core/ports';
import { describeModelRunnerConformance, describeWithTool, type Tool } from '@equipoise/testkit';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { commandItem, fixtures, fp32, obeyingSubject, requestFor } from '../obeying-stage.test-support.js';
import { expectEndsWithParent, livingProcesses, prioritiesOf } from './processes.test-support.js';
import { PythonReplicaLauncher } from './python-replica-launcher.js';

const succeeds = (...args: string[]): boolean => spawnSync('python3', args).status === 0;
const python: Tool = { name: 'python', missing: 'install Python 3', isPresent: () => succeeds('--version') };
const numpy: Tool = {
  name: 'numpy',
  missing: 'install numpy for python3',
  isPresent: () => succeeds('-c', 'import numpy'),
};

const launcher = new PythonReplicaLauncher();
const obeying = (over: Parameters<typeof requestFor>[1] = {}) => requestFor('./obey.py', over);
const started: ModelRunner[] = [];

async function start(request = obeying()): Promise<ModelRunner> {
  const { runner } = await launcher.launch(request);
  started.push(runner);
  return runner;
}

async function outputOf(runner: ModelRunner, ...batch: TensorMap[]): Promise<unknown> {
  const [item] = (await runner.run(batch)).items;
  return item?.kind === 'ok' ? item.output : `${item?.error.code}: ${item?.error.message}`;
}

afterEach(async () => {
  await Promise.allSettled(started.splice(0).map((runner) => runner.close()));
});

afterAll(() => vi.waitFor(() => expect(livingProcesses()).toBe(0), 30_000));

describeWithTool(python, 'Python replicas', () => {
  const subject = obeyingSubject(launcher, (limits) => new PythonReplicaLauncher(limits), './obey.py');

  describeModelRunnerConformance('PythonReplicaLauncher', () => ({
    ...subject,
    lossesWhileBusy: {
      ...subject.lossesWhileBusy,
      'it leaves by an exception': (runner) => runner.run([commandItem('leave-by-exception')]),
      'it writes into its socket what is no message': (runner) => runner.run([commandItem('garble')]),
      'it closes its socket': (runner) => runner.run([commandItem('hang-up')]),
    },
    hanging: { request: requestFor('./obey.py', {}, { runTimeoutMs: 500 }), item: () => commandItem('spin') },
    living: livingProcesses,
  }));

  it('get their variant and resources, and as many threads as cores', async () => {
    const runner = await start(obeying({ artifact: './affine.onnx', parameters: { depth: 2 } }));
    const { described } = (await outputOf(runner, commandItem('describe'))) as TensorMap;
    expect(described?.data.slice(0, 2)).toEqual(['only', `${fixtures}/affine.onnx`]);
    expect(JSON.parse(String(described?.data[2]))).toEqual({ depth: 2, cpuCores: 1, memoryBytes: 0, gpus: 0 });
    expect(await outputOf(runner, commandItem('threads'))).toMatchObject({ threads: { data: ['1'] } });
  });

  it.runIf(process.platform === 'linux')('have a lower priority than the server', async () => {
    const { pid } = (await outputOf(await start(), commandItem('pid'))) as TensorMap;
    expect(prioritiesOf(Number(pid?.data[0]))).toEqual([Math.min(19, getPriority() + 5)]);
  });

  it('report what a batch costs a CPU share, but nothing for whole cores', async () => {
    const { resources, ...request } = obeying();
    const share = await start({ ...request, resources: { ...resources, cpuCores: 0.5 } });
    expect((await share.run([commandItem('pid')])).cpuMs).toBeGreaterThanOrEqual(0);
    expect((await (await start()).run([commandItem('pid')])).cpuMs).toBeUndefined();
  });

  it('tell the type and the message of an error', async () => {
    expect(await outputOf(await start(), commandItem('fail'))).toBe(
      "STAGE_FAILED: Stage 'obey' (variant 'only') failed: RuntimeError: the stage is broken",
    );
  });

  it('say what was expected instead of a tensor, and what a module lacks', async () => {
    expect(await outputOf(await start(), commandItem('text'))).toContain(
      'result 1: expected a dict of tensors by name, found str',
    );
    await expect(start(requestFor('./no-load.py'))).rejects.toMatchObject({
      message: expect.stringContaining('does not define a function load; it defines version, start'),
    });
  });

  it('may take the items out of their batch', async () => {
    const batch = [commandItem('consume'), commandItem('echo')];
    const { items } = await (await start()).run(batch);
    expect(items).toEqual(batch.map((output) => ({ kind: 'ok', output })));
  });

  it('may be what the guide shows', async () => {
    const guide = readFileSync(new URL('../../../../docs/guide/stage-modules.md', import.meta.url), 'utf8');
    mkdirSync(join(fixtures, '.equipoise'), { recursive: true });
    writeFileSync(join(fixtures, '.equipoise', 'guide.py'), /```python\n([\s\S]*?)```/.exec(guide)?.[1] ?? '');
    const runner = await start(requestFor('./.equipoise/guide.py', { parameters: { factor: 3 } }));
    expect(await outputOf(runner, { x: fp32(1, 2) })).toEqual({ x: fp32(3, 6) });
    const x = { datatype: 'INT8', shape: [1], data: Int8Array.of(1) } as const;
    expect(await outputOf(runner, { x })).toBe('INVALID_INPUT: The tensor `x` must be FP32.');
  });

  it('take what they have started along', async () => {
    const runner = await start();
    await runner.run([commandItem('leave-child')]);
    await runner.close();
    expect(livingProcesses()).toBe(0);
  });

  it.each(['hang', 'spin'])(
    'end with their parent, also when that is killed during a batch of the kind: %s',
    async (command) => {
      await expectEndsWithParent('PythonReplicaLauncher', obeying(), command);
    },
  );

  it.each(['hang', 'spin'])(
    'take what they have started along, also then, in a batch of the kind: %s',
    async (command) => {
      await expectEndsWithParent('PythonReplicaLauncher', obeying(), command, 'pid-of-child');
    },
  );
});

describeWithTool(python, 'Tensors of Python replicas', () => {
  it('hold elements of their data type or bytes, but no bits of other numbers', async () => {
    const runner = await start();
    expect(await outputOf(runner, commandItem('long-as-double'))).toContain(
      "TypeError: expected a buffer of bytes or of FP64, found the format 'q'; convert its elements",
    );
    const x = { datatype: 'INT64', shape: [2], data: BigInt64Array.of(1n, 2n) };
    for (const kind of ['long', 'bytes-of-long']) expect(await outputOf(runner, commandItem(kind))).toEqual({ x });
  });

  it('are not the tensors of other libraries, which an error names in full', async () => {
    expect(await outputOf(await start(), commandItem('foreign'))).toContain(
      "tensor 'x': expected a Tensor or a numpy array, found obey.Broken",
    );
  });
});

describeWithTool(numpy, 'Python replicas with numpy', () => {
  it('see tensors as arrays', async () => {
    expect(await outputOf(await start(), { x: fp32(1, 2), ...commandItem('double') })).toEqual({ x: fp32(2, 4) });
  });

  it('return arrays of any kind and layout', async () => {
    expect(await outputOf(await start(), commandItem('numpy'))).toEqual({
      doubled: { datatype: 'FP32', shape: [2, 2], data: Float32Array.of(2, 6, 4, 8) },
      half: { datatype: 'FP16', shape: [1], data: Uint16Array.of(0x3c00) },
      flags: { datatype: 'BOOL', shape: [2], data: Uint8Array.of(1, 0) },
      texts: { datatype: 'BYTES', shape: [2], data: ['a', 'b'] },
      none: { datatype: 'INT64', shape: [0, 3], data: new BigInt64Array(0) },
      scalar: { datatype: 'FP64', shape: [], data: Float64Array.of(0.5) },
    });
  });
});

describe('a stage in Python without Python', () => {
  it('says what is missing', async () => {
    const request = requestFor('./obey.py', {}, { python: './no-such-python' });
    await expect(start(request)).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: expect.stringMatching(/no program .*fixtures\/no-such-python can be started here\. Install Python 3\.8/),
    });
  });
});
