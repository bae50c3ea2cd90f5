/**
 * Example requests: the files of the sources' samples folders, by name. A file becomes a UINT8 [-1] tensor of
 * bytes or a BYTES tensor of text; a .json file holds {tensor: nested arrays}. Unaccepted files, such as labels, are
 * skipped and reported.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, resolve } from 'node:path';
import {
  AppError,
  type Datatype,
  type PipelineSpec,
  type SourceSpec,
  type SourceTensor,
  type Tensor,
  type TensorData,
  type TensorMap,
  type TensorType,
} from '@equipoise/core/model';

export interface PipelineSample {
  readonly name: string;
  readonly inputs: TensorMap;
}

export interface PipelineSamples {
  readonly samples: readonly PipelineSample[];
  readonly ignored: readonly { readonly name: string; readonly reason: string }[];
}

const USUAL_SAMPLES = 24;

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
  '.txt': 'text/plain',
  '.csv': 'text/csv',
  '.html': 'text/html',
  '.md': 'text/markdown',
  '.json': 'application/json',
  '.wav': 'audio/wav',
  '.ogg': 'audio/ogg',
  '.mp3': 'audio/mpeg',
  '.pdf': 'application/pdf',
};

/** Media type of a sample file, by the extension of its name, such as `.jpg`. */
export const mediaTypeOf = (extension: string): string =>
  MEDIA_TYPES[extension.toLowerCase()] ?? 'application/octet-stream';

const isRawTensor = ({ datatype, shape }: SourceTensor): boolean =>
  datatype === 'UINT8' ? shape.length === 1 && shape[0] === -1 : datatype === 'BYTES' && shape.length <= 1;

function rawTensorFor(tensors: readonly SourceTensor[], mediaType: string): SourceTensor | undefined {
  const raw = tensors.filter(isRawTensor);
  const takes = (pattern: string): boolean => pattern === mediaType || pattern === mediaType.replace(/\/.*/, '/*');
  return raw.find(({ contentTypes }) => contentTypes.some(takes)) ?? raw.find((t) => t.contentTypes.length === 0);
}

function rawInputs(bytes: Buffer, tensor: SourceTensor): TensorMap {
  const { name, datatype, shape } = tensor;
  if (datatype === 'BYTES') return { [name]: { datatype, shape: shape.map(() => 1), data: [bytes.toString('utf8')] } };
  return { [name]: { datatype, shape: [bytes.length], data: new Uint8Array(bytes) } };
}

function jsonInputs(text: string, tensors: readonly SourceTensor[]): TensorMap | string {
  const document = parsed(text);
  if (document === null || typeof document !== 'object' || Array.isArray(document))
    return 'its JSON is not an object of tensors';
  const fields = document as Readonly<Record<string, unknown>>;
  const missing = tensors.find(({ name }) => !Object.hasOwn(fields, name));
  if (missing !== undefined) return `its JSON has no tensor ${missing.name}`;
  const read = tensors.map((type) => [type.name, tensorOfJson(fields[type.name], type)] as const);
  const wrong = read.find(([, tensor]) => typeof tensor === 'string');
  return wrong === undefined ? (Object.fromEntries(read) as TensorMap) : `tensor ${wrong[0]}: ${String(wrong[1])}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readSample(path: string, tensors: readonly SourceTensor[]): TensorMap | string {
  const extension = extname(path).toLowerCase();
  if (extension === '.json') return jsonInputs(readFileSync(path, 'utf8'), tensors);
  const mediaType = mediaTypeOf(extension);
  const tensor = rawTensorFor(tensors, mediaType);
  return tensor === undefined ? `the source takes no ${mediaType}` : rawInputs(readFileSync(path), tensor);
}

/** Inputs of a sample, or the reason why the file is not a sample, such as deep nesting or missing access. */
export function sampleInputs(path: string, tensors: readonly SourceTensor[]): TensorMap | string {
  try {
    return readSample(path, tensors);
  } catch (error) {
    return `it cannot be read (${(error as Error).message})`;
  }
}

function filesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .sort();
  } catch (cause) {
    throw new AppError('FILE_NOT_FOUND', `The samples folder ${folder} cannot be read.`, {
      details: { folder },
      cause,
    });
  }
}

/**
 * First `limit` samples. With several sources, a sample has the next file of each. Throws INVALID_PIPELINE if the file
 * names no samples folder, FILE_NOT_FOUND if a folder is missing or has no sample.
 */
export function loadPipelineSamples(spec: PipelineSpec, limit = USUAL_SAMPLES): PipelineSamples {
  const parts = spec.sources.map((source) => sourceSamples(spec, source, limit));
  const count = Math.min(...parts.map(({ samples }) => samples.length));
  const samples = Array.from({ length: count }, (_, index): PipelineSample => {
    const files = parts.map((part) => part.samples[index] as PipelineSample);
    const inputs: TensorMap = Object.assign({}, ...files.map((file) => file.inputs));
    return { name: files.map(({ name }) => name).join('+'), inputs };
  });
  return { samples, ignored: parts.flatMap(({ ignored }) => ignored) };
}

function sourceSamples(spec: PipelineSpec, source: SourceSpec, limit: number): PipelineSamples {
  if (source.samplesPath === undefined)
    throw new AppError(
      'INVALID_PIPELINE',
      `Pipeline ${spec.name} names no samples; give its source ${source.name} a folder of example inputs (\`samples:\`), one file a request, or every variant an inline \`profile:\`.`,
    );
  const folder = resolve(spec.baseDir, source.samplesPath);
  const samples: PipelineSample[] = [];
  const ignored: { name: string; reason: string }[] = [];
  for (const name of filesOf(folder)) {
    if (samples.length === limit) break;
    const inputs = sampleInputs(join(folder, name), source.tensors);
    if (typeof inputs === 'string') ignored.push({ name, reason: inputs });
    else samples.push({ name, inputs });
  }
  if (samples.length > 0) return { samples, ignored };
  const found = ignored.slice(0, 3).map(({ name, reason }) => `${name}: ${reason}`);
  throw new AppError(
    'FILE_NOT_FOUND',
    `The samples folder ${folder} holds no input of source ${source.name}${found.length === 0 ? '' : ` (${found.join('; ')})`}.`,
    { details: { folder, ignored } },
  );
}

type NumericDatatype = Exclude<Datatype, 'BYTES' | 'INT64' | 'UINT64' | 'FP16'>;

const storage: Readonly<Record<NumericDatatype, (values: readonly number[]) => TensorData>> = {
  BOOL: (values) => Uint8Array.from(values, Number),
  UINT8: (values) => Uint8Array.from(values),
  UINT16: (values) => Uint16Array.from(values),
  UINT32: (values) => Uint32Array.from(values),
  INT8: (values) => Int8Array.from(values),
  INT16: (values) => Int16Array.from(values),
  INT32: (values) => Int32Array.from(values),
  FP32: (values) => Float32Array.from(values),
  FP64: (values) => Float64Array.from(values),
};

function shapeOf(value: unknown): readonly number[] {
  return Array.isArray(value) ? [value.length, ...(value.length === 0 ? [] : shapeOf(value[0]))] : [];
}

const isRegular = (value: unknown, shape: readonly number[]): boolean =>
  shape.length === 0
    ? !Array.isArray(value)
    : Array.isArray(value) && value.length === shape[0] && value.every((part) => isRegular(part, shape.slice(1)));

const fits = (shape: readonly number[], declared: readonly number[]): boolean =>
  shape.length === declared.length && declared.every((size, dimension) => size === -1 || size === shape[dimension]);

function storedData(values: readonly unknown[], datatype: Datatype): TensorData | string {
  if (datatype === 'BYTES')
    return values.every((value) => typeof value === 'string') ? (values as readonly string[]) : 'strings expected';
  if (datatype === 'FP16') return 'FP16 has no JSON form; declare FP32';
  const scalar = datatype === 'BOOL' ? 'boolean' : 'number';
  if (!values.every((value) => typeof value === scalar)) return `${scalar}s expected`;
  const numbers = values as readonly number[];
  if (datatype.includes('INT') && !numbers.every(Number.isInteger)) return 'whole numbers expected';
  // JSON numbers beyond the safe integers are rounded.
  if (datatype.endsWith('INT64') && !numbers.every(Number.isSafeInteger)) return 'numbers below 2^53 expected';
  if (datatype === 'INT64') return BigInt64Array.from(numbers, BigInt);
  if (datatype === 'UINT64')
    return numbers.some((value) => value < 0) ? outOfRange(datatype) : BigUint64Array.from(numbers, BigInt);
  const data = storage[datatype](numbers);
  // Integers out of range wrap, and floating-point numbers become infinite.
  const isStored = (value: number, index: number) =>
    datatype.startsWith('FP') ? Number.isFinite(data[index]) : Number(value) === data[index];
  return numbers.every(isStored) ? data : outOfRange(datatype);
}

const outOfRange = (datatype: Datatype): string => `numbers in the range of ${datatype} expected`;

/** Tensor of nested JSON arrays, or the reason why it does not fit the type. */
export function tensorOfJson(value: unknown, type: TensorType): Tensor | string {
  const shape = shapeOf(value);
  if (!isRegular(value, shape)) return 'rows of unequal length';
  if (!fits(shape, type.shape)) return `shape [${shape.join(', ')}] where [${type.shape.join(', ')}] is declared`;
  const values: readonly unknown[] = Array.isArray(value) ? value.flat(Number.POSITIVE_INFINITY) : [value];
  const data = storedData(values, type.datatype);
  return typeof data === 'string' ? data : { datatype: type.datatype, shape, data };
}
