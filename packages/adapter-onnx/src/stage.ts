/**
 * Stage module for any ONNX model: `module: npm:@equipoise/adapter-onnx/stage`, with the model file as `artifact`. An
 * item has the model's inputs by name. The shape of an input is [rows, ..s], or [..s] without the batch dimension;
 * outputs have the same form. If dimension 0 of all inputs and outputs is symbolic, without different names, a batch is
 * one run over the concatenated rows. Otherwise each item is one run, and outputs keep a dimension 0 of another name.
 */
import {
  AppError,
  concatenateTensors,
  type Resources,
  sliceTensor,
  stackTensors,
  type Tensor,
  type TensorMap,
  type TensorType,
  unstackTensor,
} from '@equipoise/core/model';
import type { LoadableVariant, LoadedStage, StageModule } from '@equipoise/core/ports';
import { loadOnnxModel, type OnnxModel } from './onnx-model.js';

/** Item as rows; `single` if it lacked the batch dimension. */
interface ItemRows {
  readonly single: boolean;
  readonly count: number;
  readonly inputs: TensorMap;
}

const invalidInput = (error: unknown): unknown =>
  error instanceof AppError && error.code === 'TENSOR_MISMATCH'
    ? new AppError('INVALID_INPUT', error.message, { details: error.details, cause: error })
    : error;

function inputOf(item: TensorMap, { name }: TensorType, inputs: readonly TensorType[]): Tensor {
  const tensor = item[name];
  if (tensor !== undefined) return tensor;
  const expected = inputs.map((input) => input.name).join(', ');
  const found = Object.keys(item).join(', ') || 'none';
  throw new AppError('INVALID_INPUT', `Tensor '${name}' is missing: the model needs ${expected}, found ${found}.`);
}

function rowsOf(item: TensorMap, declared: readonly TensorType[]): ItemRows {
  const given = declared.map((input) => [input, inputOf(item, input, declared)] as const);
  const single = given.every(([input, tensor]) => tensor.shape.length === input.shape.length - 1);
  const rows = given.map(([{ name }, tensor]) => [name, single ? stackTensors([tensor]) : tensor] as const);
  const [count, ...others] = rows.map(([, { shape }]) => shape[0]);
  if (count === undefined || others.some((other) => other !== count)) {
    const found = rows.map(([name, { shape }]) => `${name} [${shape.join(', ')}]`).join(', ');
    throw new AppError('INVALID_INPUT', `Inputs need the same number of rows along dimension 0; found ${found}.`);
  }
  return { single, count, inputs: Object.fromEntries(rows) };
}

/** Output of an item: the rows from `from` on, in the item's form. */
function outputOf({ single, count }: ItemRows, outputs: TensorMap, from: number): TensorMap {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => {
      const rows = sliceTensor(tensor, from, from + count);
      return [name, single ? { ...rows, shape: rows.shape.slice(1) } : rows];
    }),
  );
}

const outputsUnlike = (outputs: TensorMap, total: number): readonly string[] =>
  Object.keys(outputs).filter((name) => outputs[name]?.shape[0] !== total);

function wrongRows(name: string, shape: readonly number[], total: number): AppError {
  const found = `[${shape.join(', ')}]`;
  return new AppError('STAGE_FAILED', `Output '${name}' should have ${total} rows along dimension 0, found ${found}.`);
}

/** Runs batches of one model. */
class BatchRuns {
  readonly #model: OnnxModel;
  readonly #unbatched: Set<string>;
  #isTogether: boolean;

  constructor(model: OnnxModel) {
    this.#model = model;
    this.#unbatched = new Set(model.unbatchedOutputs);
    this.#isTogether = model.batches;
  }

  async run(batch: readonly TensorMap[]): Promise<TensorMap[]> {
    return (this.#isTogether ? await this.#runTogether(batch) : undefined) ?? (await this.#runEach(batch));
  }

  /**
   * Undefined if an output has other rows, as detections have. Then the name of its dimension 0 was made up, and later
   * batches run item by item, too.
   */
  async #runTogether(batch: readonly TensorMap[]): Promise<TensorMap[] | undefined> {
    const { inputs: declared, namesBatch } = this.#model;
    const items = batch.map((item) => rowsOf(item, declared));
    const feeds = declared.map(({ name }) => [
      name,
      concatenateTensors(items.flatMap(({ inputs }) => inputs[name] ?? [])),
    ]);
    const outputs = await this.#model.run(Object.fromEntries(feeds));
    const total = items.reduce((sum, { count }) => sum + count, 0);
    const unlike = outputsUnlike(outputs, total);
    const [first] = unlike;
    if (first !== undefined) {
      if (namesBatch) throw wrongRows(first, outputs[first]?.shape ?? [], total);
      for (const name of unlike) this.#unbatched.add(name);
      this.#isTogether = false;
      return undefined;
    }
    let from = 0;
    return items.map((item) => {
      const output = outputOf(item, outputs, from);
      from += item.count;
      return output;
    });
  }

  async #runEach(batch: readonly TensorMap[]): Promise<TensorMap[]> {
    const results: TensorMap[] = [];
    for (const item of batch) results.push(await this.#runAlone(item));
    return results;
  }

  async #runAlone(item: TensorMap): Promise<TensorMap> {
    const { inputs } = this.#model;
    const withBatch = inputs.map((input) => {
      const tensor = inputOf(item, input, inputs);
      const [rows] = input.shape;
      const lacksBatch = (rows === 1 || rows === -1) && tensor.shape.length === input.shape.length - 1;
      return { name: input.name, lacksBatch, tensor: lacksBatch ? stackTensors([tensor]) : tensor };
    });
    const outputs = await this.#model.run(Object.fromEntries(withBatch.map(({ name, tensor }) => [name, tensor])));
    if (!withBatch.every(({ lacksBatch }) => lacksBatch)) return outputs;
    return Object.fromEntries(
      Object.entries(outputs).map(([name, tensor]) => [
        name,
        tensor.shape[0] === 1 && !this.#unbatched.has(name) ? (unstackTensor(tensor)[0] as Tensor) : tensor,
      ]),
    );
  }
}

/** Loads the model, with one thread per whole core of the replica (at least 1). */
export const load: StageModule['load'] = async (
  variant: LoadableVariant,
  resources: Resources,
): Promise<LoadedStage> => {
  if (variant.artifactPath === undefined) {
    throw new AppError(
      'MODEL_LOAD_FAILED',
      `Variant '${variant.name}' needs an \`artifact\`: the path of its ONNX file.`,
    );
  }
  const model = await loadOnnxModel(variant.artifactPath, { threads: Math.max(1, Math.floor(resources.cpuCores)) });
  const runs = new BatchRuns(model);
  return {
    run: (batch) =>
      runs.run(batch).catch((error: unknown) => {
        throw invalidInput(error);
      }),
    close: () => model.close(),
  };
};
