/**
 * A stage module for any ONNX model, without code of its own: `module: npm:@equipoise/adapter-onnx/stage`, the model file as
 * the variant's `artifact`. An item brings the model's inputs by name, either without the batch dimension ([..s]) or with
 * it ([rows, ..s]); its outputs come back in the same form. Where dimension 0 of every input and output is of any size, a
 * batch is one run: all rows are put together along dimension 0 and the outputs are cut apart there. Other models run item
 * by item. Inputs that do not fit, or do not fit together, are the items' fault (INVALID_INPUT).
 */
import {
  AppError,
  type LoadableVariant,
  type LoadedStage,
  type Resources,
  type StageModule,
  stackTensors,
  type Tensor,
  type TensorMap,
  type TensorType,
  unstackTensor,
} from '@equipoise/core';
import { loadOnnxModel, type OnnxModel } from './onnx-model.js';

/** The inputs of one item as rows along dimension 0; `single` when the item came without that dimension. */
interface ItemRows {
  readonly single: boolean;
  readonly count: number;
  readonly rows: Readonly<Record<string, readonly Tensor[]>>;
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

function rowsOf(item: TensorMap, inputs: readonly TensorType[]): ItemRows {
  const single = inputs.every((input) => inputOf(item, input, inputs).shape.length === input.shape.length - 1);
  const rows = Object.fromEntries(
    inputs.map((input) => {
      const tensor = inputOf(item, input, inputs);
      return [input.name, single ? [tensor] : unstackTensor(tensor)];
    }),
  );
  const counts = new Set(Object.values(rows).map(({ length }) => length));
  const [count = 0] = counts;
  if (count === 0 || counts.size > 1) {
    const found = inputs.map(({ name }) => `${name} ${rows[name]?.length}`).join(', ');
    throw new AppError(
      'INVALID_INPUT',
      `Inputs need the same number of rows along dimension 0, at least 1; found ${found}.`,
    );
  }
  return { single, count, rows };
}

function cutOutputs(outputs: Readonly<Record<string, Tensor>>, items: readonly ItemRows[]): TensorMap[] {
  const total = items.reduce((sum, { count }) => sum + count, 0);
  const cut = Object.entries(outputs).map(([name, tensor]) => {
    if (tensor.shape[0] !== total) {
      const found = `[${tensor.shape.join(', ')}]`;
      throw new AppError(
        'STAGE_FAILED',
        `Output '${name}' should have ${total} rows along dimension 0, found ${found}.`,
      );
    }
    return [name, unstackTensor(tensor)] as const;
  });
  let from = 0;
  return items.map(({ single, count }) => {
    const start = from;
    from += count;
    return Object.fromEntries(
      cut.map(([name, rows]) => [name, single ? (rows[start] as Tensor) : stackTensors(rows.slice(start, from))]),
    );
  });
}

async function runTogether(model: OnnxModel, batch: readonly TensorMap[]): Promise<TensorMap[]> {
  const items = batch.map((item) => rowsOf(item, model.inputs));
  const feeds = Object.fromEntries(
    model.inputs.map(({ name }) => [name, stackTensors(items.flatMap(({ rows }) => rows[name] ?? []))]),
  );
  return cutOutputs(await model.run(feeds), items);
}

async function runAlone(model: OnnxModel, item: TensorMap): Promise<TensorMap> {
  const withBatch = model.inputs.map((input) => {
    const tensor = inputOf(item, input, model.inputs);
    const [rows] = input.shape;
    const lacksBatch = (rows === 1 || rows === -1) && tensor.shape.length === input.shape.length - 1;
    return { name: input.name, lacksBatch, tensor: lacksBatch ? stackTensors([tensor]) : tensor };
  });
  const outputs = await model.run(Object.fromEntries(withBatch.map(({ name, tensor }) => [name, tensor])));
  if (!withBatch.every(({ lacksBatch }) => lacksBatch)) return outputs;
  return Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => [
      name,
      tensor.shape[0] === 1 ? (unstackTensor(tensor)[0] as Tensor) : tensor,
    ]),
  );
}

async function runEach(model: OnnxModel, batch: readonly TensorMap[]): Promise<TensorMap[]> {
  const results: TensorMap[] = [];
  for (const item of batch) results.push(await runAlone(model, item));
  return results;
}

/** Loads the model in the variant's artifact with as many threads as the replica has whole cores (at least 1). */
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
  const batches = [...model.inputs, ...model.outputs].every(({ shape }) => shape[0] === -1);
  const runAll = batches ? runTogether : runEach;
  return {
    run: (batch) =>
      runAll(model, batch).catch((error: unknown) => {
        throw invalidInput(error);
      }),
    close: () => model.close(),
  };
};
