import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Tensor } from '@equipoise/core/model';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadOnnxModel, type OnnxModel } from './onnx-model.js';
import { affine, tinyFiles } from './tiny-files.test-support.js';

const file = tinyFiles();
const opened: OnnxModel[] = [];

async function open(path: string): Promise<OnnxModel> {
  const model = await loadOnnxModel(path);
  opened.push(model);
  return model;
}

const x = (rows: number, ...values: number[]): Tensor => ({
  datatype: 'FP32',
  shape: [rows, values.length / rows],
  data: Float32Array.from(values),
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((model) => model.close()));
});

describe('loadOnnxModel', () => {
  it.each([
    ['batch', 'batch', true],
    ['batch', 'detections', false],
    ['p2o.DynamicDimension.0', 'p2o.DynamicDimension.3', true],
    ['batch', 'unk__7', true],
    ['x_dynamic_axes_1', 'detections', true],
  ])('takes rows %s → %s for a batch: %s', async (rows, outputRows, batches) => {
    const graph = affine(rows);
    const outputs = [{ name: 'y', datatype: 'FP32', shape: [outputRows, 2] }] as const;
    const model = await open(file('rows.onnx', { ...graph, outputs }));
    expect(model.batches).toBe(batches);
  });

  it.each([
    ['batch', 'batch', true, false],
    ['batch', 'detections', false, true],
    ['batch', 'unk__7', false, false],
    ['unk__6', 'detections', false, false],
    [1, 'unk__7', false, true],
    [1, 1, false, false],
  ])('with rows %s → %s names its batch: %s; has other rows: %s', async (rows, outputRows, namesBatch, isOther) => {
    const model = await open(
      file('names.onnx', {
        inputs: [{ name: 'x', datatype: 'FP32', shape: [rows, 'n'] }],
        outputs: [{ name: 'y', datatype: 'FP32', shape: [outputRows, 'm'] }],
        nodes: [{ op: 'Transpose', inputs: ['x'], output: 'y' }],
      }),
    );
    expect(model.namesBatch).toBe(namesBatch);
    expect([...model.unbatchedOutputs]).toEqual(isOther ? ['y'] : []);
  });

  it('reads the declared tensors with −1 for symbolic dimensions', async () => {
    const model = await open(file('affine.onnx', affine('n')));
    expect(model.inputs).toEqual([{ name: 'x', datatype: 'FP32', shape: [-1, 3] }]);
    expect(model.outputs).toEqual([{ name: 'y', datatype: 'FP32', shape: [-1, 2] }]);
  });

  it('computes', async () => {
    const model = await open(file('affine.onnx', affine('n')));
    expect(await model.run({ x: x(2, 0, 1, 2, 3, 4, 5) })).toEqual({ y: x(2, 12, 23, 18, 29) });
  });

  it('carries every data type both ways', async () => {
    const tensors: Record<string, Tensor> = {
      FP32: { datatype: 'FP32', shape: [1, 2], data: Float32Array.of(0.5, -1) },
      FP64: { datatype: 'FP64', shape: [1, 2], data: Float64Array.of(0.1, 2) },
      FP16: { datatype: 'FP16', shape: [1, 2], data: Uint16Array.of(0x3c00, 0xc000) },
      UINT8: { datatype: 'UINT8', shape: [1, 2], data: Uint8Array.of(7, 255) },
      INT64: { datatype: 'INT64', shape: [1, 2], data: BigInt64Array.of(-1n, 2n ** 40n) },
      BOOL: { datatype: 'BOOL', shape: [1, 2], data: Uint8Array.of(0, 1) },
      BYTES: { datatype: 'BYTES', shape: [1, 2], data: ['a', 'ü'] },
    };
    const names = Object.keys(tensors) as ('FP32' | 'BYTES')[];
    const model = await open(
      file('identity.onnx', {
        inputs: names.map((name) => ({ name, datatype: name, shape: ['n', 2] })),
        outputs: names.map((name) => ({ name: `${name}-out`, datatype: name, shape: ['n', 2] })),
        nodes: names.map((name) => ({ op: 'Identity', inputs: [name], output: `${name}-out` })),
      }),
    );
    const expected = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`${name}-out`, tensor]));
    expect(await model.run(tensors)).toEqual(expected);
    const raw: Tensor = { datatype: 'BYTES', shape: [1, 2], data: [new TextEncoder().encode('a'), new Uint8Array(0)] };
    expect((await model.run({ ...tensors, BYTES: raw }))['BYTES-out']?.data).toEqual(['a', '']);
  });

  it('copies out of shared memory, which the runtime refuses', async () => {
    const model = await open(file('affine.onnx', affine('n')));
    const data = new Float32Array(new SharedArrayBuffer(12));
    data.set([1, 2, 3]);
    expect(await model.run({ x: { datatype: 'FP32', shape: [1, 3], data } })).toEqual({ y: x(1, 14, 25) });
  });

  it('gives outputs that can be transferred to another thread', async () => {
    const model = await open(file('affine.onnx', affine('n')));
    const { y } = await model.run({ x: x(1, 1, 2, 3) });
    const data = y?.data as Float32Array<ArrayBuffer>;
    const moved = structuredClone(data, { transfer: [data.buffer] });
    expect(data).toHaveLength(0);
    expect(moved).toEqual(Float32Array.of(14, 25));
  });

  it.each([
    ['a missing input', {}, 'expected x, found none'],
    ['another name', { z: x(1, 1, 2, 3) }, 'expected x, found z'],
    ['one name too many', { x: x(1, 1, 2, 3), z: x(1, 1) }, 'expected x, found x, z'],
    ['another shape', { x: x(1, 1, 2) }, "Input 'x' does not fit the model: expected FP32 [any, 3], found FP32 [1, 2]"],
    ['another rank', { x: { ...x(1, 1, 2, 3), shape: [3] } }, 'expected FP32 [any, 3], found FP32 [3]'],
    [
      'another data type',
      { x: { datatype: 'INT32', shape: [1, 3], data: Int32Array.of(1, 2, 3) } satisfies Tensor },
      'expected FP32 [any, 3], found INT32 [1, 3]',
    ],
    ['too little data', { x: { ...x(1, 1, 2, 3), shape: [2, 3] } }, 'expected 6 elements for FP32 [2, 3], found 3'],
  ])('names what was expected and found for %s', async (_, feeds, message) => {
    const model = await open(file('affine.onnx', affine('n')));
    await expect(model.run(feeds as Record<string, Tensor>)).rejects.toMatchObject({
      code: 'TENSOR_MISMATCH',
      message: expect.stringContaining(message),
    });
  });

  it('reports a failure inside the model as STAGE_FAILED', async () => {
    const model = await open(
      file('add.onnx', {
        inputs: ['a', 'b'].map((name) => ({ name, datatype: 'FP32', shape: ['n'] })),
        outputs: [{ name: 'y', datatype: 'FP32', shape: ['n'] }],
        nodes: [{ op: 'Add', inputs: ['a', 'b'], output: 'y' }],
      }),
    );
    const vector = (...values: number[]): Tensor => ({ ...x(1, ...values), shape: [values.length] });
    await expect(model.run({ a: vector(1, 2), b: vector(1, 2, 3) })).rejects.toMatchObject({ code: 'STAGE_FAILED' });
  });

  it('closes after the running calls and twice', async () => {
    const model = await loadOnnxModel(file('affine.onnx', affine('n')), { threads: 2 });
    const running = [model.run({ x: x(1, 1, 2, 3) }), model.run({ x: x(1, 1, 2, 3) })];
    await Promise.all([model.close(), model.close()]);
    expect(await Promise.all(running)).toHaveLength(2);
  });

  it('names the path of a missing file', async () => {
    await expect(loadOnnxModel('/nowhere/model.onnx')).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: expect.stringContaining('/nowhere/model.onnx'),
    });
  });

  it('refuses a file that is no model', async () => {
    await expect(loadOnnxModel(file('garbage.onnx', 'not a model'))).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining('garbage.onnx'),
    });
  });

  it('says what to install when the runtime is missing', async () => {
    vi.resetModules();
    vi.doMock('onnxruntime-node', () => {
      throw new Error("Cannot find package 'onnxruntime-node'");
    });
    const fresh = await import('./onnx-model.js');
    await expect(fresh.loadOnnxModel(file('affine.onnx', affine('n')))).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining('`ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@1.30.0`'),
    });
    vi.doUnmock('onnxruntime-node');
  });
});

describe('a model that runs for long', () => {
  it('keeps no results of earlier calls', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const model = await open(file('affine.onnx', affine('n')));
    const kept: WeakRef<Float32Array>[] = [];
    for (let call = 0; call < 20; call++) {
      const { y } = await model.run({ x: x(1, 1, 2, 3) });
      kept.push(new WeakRef(y?.data as Float32Array));
    }
    await setImmediate();
    collectGarbage();
    expect(kept.filter((each) => each.deref() !== undefined).length).toBeLessThan(3);
  });
});
