/**
 * The example requests of a pipeline: the files of its first source's samples folder, by name. The bytes of a file become that
 * source's UINT8 [-1] tensor, or its text the BYTES tensor; a .json file holds {tensor: nested arrays}. Files that the source does not take, such as
 * labels lying beside the samples, are left out and named.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, resolve } from 'node:path';
import { AppError, type PipelineSpec, type SourceTensor, type TensorMap } from '@equipoise/core/model';
import { tensorOfJson } from './tensor-of-json.js';

/** One example request; `name` is its file. */
export interface PipelineSample {
  readonly name: string;
  readonly inputs: TensorMap;
}

/** Samples in the order of their file names, and the files that are none. */
export interface PipelineSamples {
  readonly samples: readonly PipelineSample[];
  readonly ignored: readonly { readonly name: string; readonly reason: string }[];
}

/** Samples that are enough for a profile. */
const USUAL_SAMPLES = 24;

const mediaTypes: Readonly<Record<string, string>> = {
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
  '.txt': 'text/plain',
  '.csv': 'text/csv',
  '.html': 'text/html',
  '.md': 'text/markdown',
  '.wav': 'audio/wav',
  '.mp3': 'audio/mpeg',
  '.pdf': 'application/pdf',
};

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
  const mediaType = mediaTypes[extension] ?? 'application/octet-stream';
  const tensor = rawTensorFor(tensors, mediaType);
  return tensor === undefined ? `the source takes no ${mediaType}` : rawInputs(readFileSync(path), tensor);
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

/** The first `limit` samples of the pipeline; AppError INVALID_PIPELINE where it names no folder, FILE_NOT_FOUND where that is missing or holds none. */
export function loadPipelineSamples(spec: PipelineSpec, limit = USUAL_SAMPLES): PipelineSamples {
  const source = spec.sources[0];
  if (source?.samplesPath === undefined)
    throw new AppError(
      'INVALID_PIPELINE',
      `Pipeline ${spec.name} names no samples; give its first source ${source === undefined ? '' : `(${source.name}) `}a folder of example inputs (\`samples:\`), one file a request, or every variant an inline \`profile:\`.`,
    );
  const folder = resolve(spec.baseDir, source.samplesPath);
  const samples: PipelineSample[] = [];
  const ignored: { name: string; reason: string }[] = [];
  for (const name of filesOf(folder)) {
    if (samples.length === limit) break;
    const inputs = readSample(join(folder, name), source.tensors);
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
