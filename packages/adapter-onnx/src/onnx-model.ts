/**
 * One ONNX model on onnxruntime-node. `run` blocks its caller: use one session per worker thread. The threads of
 * onnxruntime do not spin, because spinning takes cores from other replicas.
 */
import { access } from 'node:fs/promises';
import { AppError, elementCount, type Tensor, type TensorMap, type TensorType } from '@equipoise/core/model';
import type { InferenceSession } from 'onnxruntime-node';
import { datatypeOf, fromOrtTensor, type OrtTensorConstructor, toOrtTensor } from './tensor-conversion.js';

/** A loaded model; concurrent calls of `run` execute one after another. */
export interface OnnxModel {
  /** Inputs in the model's order; a symbolic dimension is −1. */
  readonly inputs: readonly TensorType[];
  readonly outputs: readonly TensorType[];
  /** True if dimension 0 of all inputs and outputs is symbolic, without different names: rows of a batch. */
  readonly batches: boolean;
  /** True if one name that is not made up is that of dimension 0 of all inputs and outputs. */
  readonly namesBatch: boolean;
  /** Outputs whose dimension 0 cannot be the batch, such as `detections` of a `batch`, or any size from a batch of 1. */
  readonly unbatchedOutputs: ReadonlySet<string>;
  /** Runs the model. Rejects with TENSOR_MISMATCH, or STAGE_FAILED with the runtime's message. */
  run(feeds: TensorMap): Promise<Record<string, Tensor>>;
  /** Waits for running calls; idempotent. */
  close(): Promise<void>;
}

export interface OnnxModelOptions {
  /** Threads of the model; default 1. */
  readonly threads?: number;
}

type Ort = typeof import('onnxruntime-node');

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function loadRuntime(): Promise<Ort> {
  try {
    return await import('onnxruntime-node');
  } catch (error) {
    const message = `onnxruntime-node could not be loaded; install it with \`ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@1.30.0\` (${messageOf(error)}).`;
    throw new AppError('MODEL_LOAD_FAILED', message, { cause: error });
  }
}

function sessionOptions(threads: number): InferenceSession.SessionOptions {
  return {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
  };
}

async function openSession(ort: Ort, path: string, threads: number): Promise<InferenceSession> {
  try {
    return await ort.InferenceSession.create(path, sessionOptions(threads));
  } catch (error) {
    throw new AppError('MODEL_LOAD_FAILED', `${path} is not an ONNX model that can be loaded: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function tensorType(metadata: InferenceSession.ValueMetadata, path: string): TensorType {
  const datatype = metadata.isTensor ? datatypeOf(metadata.type) : undefined;
  if (!metadata.isTensor || datatype === undefined) {
    const found = metadata.isTensor ? `the type ${metadata.type}` : 'no tensor type';
    const fix = metadata.isTensor ? '' : " Export a scikit-learn classifier with options={'zipmap': False}.";
    throw new AppError(
      'MODEL_LOAD_FAILED',
      `'${metadata.name}' of ${path} has ${found}; Equipoise does not support it.${fix}`,
    );
  }
  const shape = metadata.shape.map((size) => (typeof size === 'number' ? size : -1));
  return { name: metadata.name, datatype, shape };
}

/** Names that exporters make up (Paddle, tf2onnx, PyTorch, shape inference). They differ even for equal sizes. */
const MADE_UP = /^((p2o\.)?DynamicDimension\.|unk__|\w+_dynamic_axes_|\w+_dim_)\d+$/;

type Size = number | string | undefined;

const firstSize = (metadata: InferenceSession.ValueMetadata): Size =>
  metadata.isTensor ? metadata.shape[0] : undefined;

const isNamed = (size: Size): boolean => typeof size === 'string' && size !== '' && !MADE_UP.test(size);

/** Different names mean different sizes, such as `batch` and `detections`. */
function hasRows({ inputMetadata, outputMetadata }: InferenceSession): boolean {
  const sizes = [...inputMetadata, ...outputMetadata].map(firstSize);
  const names = new Set(sizes.filter(isNamed));
  return sizes.length > 0 && sizes.every((size) => typeof size === 'string') && names.size <= 1;
}

const hasNamedRows = ({ inputMetadata, outputMetadata }: InferenceSession): boolean =>
  [...inputMetadata, ...outputMetadata].map(firstSize).every(isNamed);

function unbatchedOf({ inputMetadata, outputMetadata }: InferenceSession): ReadonlySet<string> {
  const batches = inputMetadata.map(firstSize).filter((size) => typeof size === 'string');
  const isOther = (size: Size): boolean => isNamed(size) && batches.some(isNamed) && !batches.includes(size as string);
  const unbatched = outputMetadata.filter((output) => {
    const size = firstSize(output);
    return batches.length === 0 ? typeof size === 'string' : isOther(size);
  });
  return new Set(unbatched.map(({ name }) => name));
}

class SessionModel implements OnnxModel {
  readonly inputs: readonly TensorType[];
  readonly outputs: readonly TensorType[];
  readonly batches: boolean;
  readonly namesBatch: boolean;
  readonly unbatchedOutputs: ReadonlySet<string>;
  readonly #session: InferenceSession;
  readonly #OrtTensor: OrtTensorConstructor;
  #running: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(ort: Ort, session: InferenceSession, path: string) {
    this.#OrtTensor = ort.Tensor as OrtTensorConstructor;
    this.#session = session;
    this.inputs = session.inputMetadata.map((each) => tensorType(each, path));
    this.outputs = session.outputMetadata.map((each) => tensorType(each, path));
    this.batches = hasRows(session);
    this.namesBatch = this.batches && hasNamedRows(session);
    this.unbatchedOutputs = unbatchedOf(session);
  }

  async run(feeds: TensorMap): Promise<Record<string, Tensor>> {
    checkFeeds(this.inputs, feeds);
    const running = this.#session.run(
      Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrtTensor(this.#OrtTensor, tensor)])),
    );
    // Without its value, which would hold the results of all calls.
    this.#running = Promise.allSettled([this.#running, running]).then(() => undefined);
    const results = await running.catch((error: unknown) => {
      throw new AppError('STAGE_FAILED', `The model failed: ${messageOf(error)}`, { cause: error });
    });
    return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, fromOrtTensor(name, tensor)]));
  }

  close(): Promise<void> {
    this.#closed ??= this.#running.then(() => this.#session.release());
    return this.#closed;
  }
}

/**
 * Rejects with FILE_NOT_FOUND, or MODEL_LOAD_FAILED: invalid model, unsupported type, or onnxruntime-node not
 * installed.
 */
export async function loadOnnxModel(path: string, { threads = 1 }: OnnxModelOptions = {}): Promise<OnnxModel> {
  await access(path).catch((error: unknown) => {
    throw new AppError('FILE_NOT_FOUND', `There is no model file ${path}.`, { cause: error });
  });
  const ort = await loadRuntime();
  const session = await openSession(ort, path, threads);
  try {
    return new SessionModel(ort, session, path);
  } catch (error) {
    await session.release();
    throw error;
  }
}

type Typed = Pick<Tensor, 'datatype' | 'shape'>;

const described = ({ datatype, shape }: Typed): string =>
  `${datatype} [${shape.map((size) => (size < 0 ? 'any' : size)).join(', ')}]`;

const listed = (names: readonly string[]): string => (names.length > 0 ? names.join(', ') : 'none');

function mismatch(message: string, expected: string, found: string): AppError {
  return new AppError('TENSOR_MISMATCH', `${message}: expected ${expected}, found ${found}.`, {
    details: { expected, found },
  });
}

const fits = (declared: TensorType, tensor: Typed): boolean =>
  declared.datatype === tensor.datatype &&
  declared.shape.length === tensor.shape.length &&
  declared.shape.every((size, dimension) => size < 0 || size === tensor.shape[dimension]);

function checkTensor(declared: TensorType, tensor: Tensor): void {
  const title = `Input '${declared.name}' does not fit the model`;
  if (!fits(declared, tensor)) throw mismatch(title, described(declared), described(tensor));
  const elements = elementCount(tensor.shape);
  if (tensor.data.length !== elements) {
    throw mismatch(title, `${elements} elements for ${described(tensor)}`, `${tensor.data.length} elements`);
  }
}

/** Throws TENSOR_MISMATCH unless names, data types and shapes match. */
function checkFeeds(inputs: readonly TensorType[], feeds: TensorMap): void {
  const expected = inputs.map(({ name }) => name);
  const found = Object.keys(feeds);
  if (expected.length !== found.length || expected.some((name) => !Object.hasOwn(feeds, name))) {
    throw mismatch('The input names do not fit the model', listed(expected), listed(found));
  }
  for (const declared of inputs) checkTensor(declared, feeds[declared.name] as Tensor);
}
