import { type InferenceClient, openInferenceClient } from '@equipoise/adapter-open-inference';
import { AppError, type TensorType } from '@equipoise/core/model';
import { type FoundModel, type FoundModels, isDatatype, plainName, yaml } from './model-pipeline.js';

type ModelMetadata = Awaited<ReturnType<InferenceClient['modelMetadata']>>;

const TIMEOUT_MS = 10_000;
const MAX_MODELS = 64;
/** Size in samples of a dimension that accepts any size. */
const ANY_SIZE = 64;

/**
 * Models of an Open Inference server: `names`, or all that are ready. Throws UNREACHABLE, or NOT_FOUND: no models, an
 * unknown model, or a server without a list of models. Throws WRONG_USAGE for metadata that a pipeline cannot state, too
 * many models, and credentials in the address.
 */
export async function readServerModels(url: string, names?: readonly string[]): Promise<FoundModels> {
  requireNoCredentials(url);
  const client = openInferenceClient(url);
  try {
    const chosen = names ?? (await listedModels(client));
    if (chosen.length > MAX_MODELS) {
      const message = `${chosen.length} models are too many for one pipeline, expected at most ${MAX_MODELS}. Name those that you need: --model NAME.`;
      throw new AppError('WRONG_USAGE', message, { details: { url } });
    }
    const models = await Promise.all(
      chosen.map(async (name) => foundModel(url, name, await client.modelMetadata(name, { timeoutMs: TIMEOUT_MS }))),
    );
    const stageFields = ['bounds: { replicas: { max: 4 } } # a replica is a connection to the server'];
    return { models, stageFields, anySize: ANY_SIZE };
  } finally {
    client.close();
  }
}

/** The pipeline file contains the address, but must not contain secrets. */
function requireNoCredentials(url: string): void {
  if (!URL.canParse(url)) return;
  const { host, username, password } = new URL(url);
  if (username === '' && password === '') return;
  const message = `The address of the server ${host} contains a user name or a password. Omit them; put a token into \`server.token\` of the variants.`;
  throw new AppError('WRONG_USAGE', message);
}

async function listedModels(client: InferenceClient): Promise<readonly string[]> {
  const { url } = client;
  const names = await client.modelNames({ timeoutMs: TIMEOUT_MS }).catch((cause: unknown) => {
    if (!(cause instanceof AppError && cause.code === 'NOT_FOUND')) throw cause;
    const message = `${url} does not list its models. Name them: --model NAME.`;
    throw new AppError('NOT_FOUND', message, { details: { url }, cause });
  });
  if (names.length > 0) return names;
  const message = `${url} has no model that is ready. Load a model on the server, or name it: --model NAME.`;
  throw new AppError('NOT_FOUND', message, { details: { url } });
}

function foundModel(url: string, model: string, metadata: ModelMetadata): FoundModel {
  const origin = `${model} at ${url}`;
  const typed = (tensors: ModelMetadata['inputs']) => tensors.map((tensor) => tensorType(origin, tensor));
  const [inputs, outputs] = [typed(metadata.inputs), typed(metadata.outputs)];
  const stacks = [...inputs, ...outputs].every(({ shape }) => shape[0] === -1);
  const itemTypes = (types: readonly TensorType[]) =>
    stacks ? types.map((type) => ({ ...type, shape: type.shape.slice(1) })) : types;
  const batching = stacks ? '' : ', batching: single';
  return {
    name: plainName(model, 'model'),
    origin,
    inputs: itemTypes(inputs),
    outputs: itemTypes(outputs),
    learnedSizes: metadata.platform === 'equipoise',
    // Without a batch dimension, the items of a batch are sent at the same time.
    batches: true,
    fields: [
      `server: { url: ${JSON.stringify(url)}, model: ${yaml(model)}${batching} }`,
      'resources: { cpuCores: 0.1 } # what a plan counts for a connection; the server has its own cores',
    ],
  };
}

function tensorType(origin: string, { name, datatype, shape }: ModelMetadata['inputs'][number]): TensorType {
  if (isDatatype(datatype)) return { name, datatype, shape: shape.map((size) => (size > 0 ? size : -1)) };
  throw new AppError(
    'WRONG_USAGE',
    `${origin}: the tensor ${name} has the data type ${datatype}, which Equipoise does not support. Name other models: --model NAME.`,
  );
}
