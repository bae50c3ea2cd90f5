import type { Resources, Tensor, TensorMap } from '@equipoise/core/model';
import type { LoadedStage } from '@equipoise/core/ports';
import { afterEach, describe, expect, it } from 'vitest';
import { load } from './stage.js';
import { affine, tinyFiles } from './tiny-files.test-support.js';

const file = tinyFiles();
const opened: LoadedStage[] = [];
const resources: Resources = { cpuCores: 0.5, memoryBytes: 0, gpus: 0 };

async function open(artifactPath: string): Promise<LoadedStage> {
  const stage = await load({ name: 'tiny', artifactPath, parameters: {} }, resources);
  opened.push(stage);
  return stage;
}

const fp32 = (shape: readonly number[], ...values: number[]): Tensor => ({
  datatype: 'FP32',
  shape,
  data: Float32Array.from(values),
});
const itemOf = (shape: readonly number[], ...values: number[]): TensorMap => ({ x: fp32(shape, ...values) });

afterEach(async () => {
  await Promise.all(opened.splice(0).map((stage) => stage.close?.()));
});

describe('the stage module for any ONNX model', () => {
  it('runs a batch of items without the batch dimension', async () => {
    const stage = await open(file('affine.onnx', affine('n')));
    expect(await stage.run([itemOf([3], 0, 1, 2), itemOf([3], 3, 4, 5)])).toEqual([
      { y: fp32([2], 12, 23) },
      { y: fp32([2], 18, 29) },
    ]);
  });

  it('keeps the batch dimension of items that have it, with any number of rows', async () => {
    const stage = await open(file('affine.onnx', affine('n')));
    const batch = [itemOf([1, 3], 0, 1, 2), itemOf([2, 3], 0, 0, 0, 3, 4, 5), itemOf([3], 0, 0, 1)];
    expect(await stage.run(batch)).toEqual([
      { y: fp32([1, 2], 12, 23) },
      { y: fp32([2, 2], 10, 20, 18, 29) },
      { y: fp32([2], 11, 21) },
    ]);
  });

  it('runs item by item a model whose batch dimension is fixed', async () => {
    const stage = await open(file('affine-1.onnx', affine(1)));
    expect(await stage.run([itemOf([3], 0, 1, 2), itemOf([1, 3], 3, 4, 5)])).toEqual([
      { y: fp32([2], 12, 23) },
      { y: fp32([1, 2], 18, 29) },
    ]);
  });

  it('leaves an output without a batch dimension as it is', async () => {
    const stage = await open(
      file('size.onnx', {
        inputs: [{ name: 'x', datatype: 'FP32', shape: ['n', 3] }],
        outputs: [{ name: 'y', datatype: 'INT64', shape: [2] }],
        nodes: [{ op: 'Shape', inputs: ['x'], output: 'y' }],
      }),
    );
    const y: Tensor = { datatype: 'INT64', shape: [2], data: BigInt64Array.of(1n, 3n) };
    expect(await stage.run([itemOf([3], 0, 1, 2), itemOf([1, 3], 3, 4, 5)])).toEqual([{ y }, { y }]);
  });

  it('ignores tensors that the model does not know', async () => {
    const stage = await open(file('affine.onnx', affine('n')));
    const [output] = await stage.run([{ ...itemOf([3], 0, 1, 2), label: fp32([], 1) }]);
    expect(output).toEqual({ y: fp32([2], 12, 23) });
  });

  it.each([
    ['a missing tensor', [{ z: fp32([3], 1, 2, 3) }], "Tensor 'x' is missing: the model needs x, found z"],
    ['a wrong shape', [itemOf([4], 1, 2, 3, 4)], 'expected FP32 [any, 3], found FP32 [1, 4]'],
    ['items of unlike shapes', [itemOf([3], 1, 2, 3), itemOf([4], 1, 2, 3, 4)], 'equal in data type and shape'],
    ['no dimension for rows', [itemOf([], 1)], 'found x []'],
  ])('calls %s the fault of the input', async (_, batch, message) => {
    const stage = await open(file('affine.onnx', affine('n')));
    await expect(stage.run(batch)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(message),
    });
  });

  const transposed = (columns: string) =>
    file('transpose.onnx', {
      inputs: [{ name: 'x', datatype: 'FP32', shape: ['n', columns] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [columns, 'n'] }],
      nodes: [{ op: 'Transpose', inputs: ['x'], output: 'y' }],
    });

  it('runs item by item a model whose outputs have another number of rows', async () => {
    const stage = await open(transposed('m'));
    expect(await stage.run([itemOf([3], 1, 2, 3), itemOf([2, 1], 4, 5)])).toEqual([
      { y: fp32([3, 1], 1, 2, 3) },
      { y: fp32([1, 2], 4, 5) },
    ]);
  });

  it('keeps the rows of an output that are not those of the batch, also of only one', async () => {
    const stage = await open(transposed('m'));
    expect(await stage.run([itemOf([3], 1, 2, 3), itemOf([1], 4)])).toEqual([
      { y: fp32([3, 1], 1, 2, 3) },
      { y: fp32([1, 1], 4) },
    ]);
  });

  it('runs item by item, from then on, once an output with a made-up name has other rows than the batch', async () => {
    const stage = await open(transposed('unk__7'));
    expect(await stage.run([itemOf([3], 1, 2, 3), itemOf([3], 4, 5, 6)])).toEqual([
      { y: fp32([3, 1], 1, 2, 3) },
      { y: fp32([3, 1], 4, 5, 6) },
    ]);
    expect(await stage.run([itemOf([1], 7)])).toEqual([{ y: fp32([1, 1], 7) }]);
  });

  it('reports a model whose output does not keep the rows', async () => {
    const stage = await open(transposed('n'));
    await expect(stage.run([itemOf([3], 1, 2, 3)])).rejects.toMatchObject({
      code: 'STAGE_FAILED',
      message: "Output 'y' should have 1 rows along dimension 0, found [3, 1].",
    });
  });

  it('needs an artifact', async () => {
    await expect(load({ name: 'tiny', parameters: {} }, resources)).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining("Variant 'tiny' needs an `artifact`"),
    });
  });
});
