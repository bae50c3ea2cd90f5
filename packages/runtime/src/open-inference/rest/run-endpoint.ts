/**
 * The plain endpoint: a body of any media type in, JSON out. A pipeline without declared tensors gets the bytes under
 * the name of its source. A sole one-dimensional UINT8 tensor takes bodies of its declared media types (default: any
 * except JSON) as bytes. A sole BYTES tensor of one text takes bodies of its declared types, and text/plain, as text.
 * Other bodies are JSON: {tensor: nested arrays}.
 */
import { AppError, boundedName, type SourceTensor, type TensorMap } from '@equipoise/core/model';
import { checkShape, decodeText } from '@equipoise/open-inference-codec';
import type { Answer } from '../../net/answer.js';
import { answerPieces, answerText } from '../answer-feed.js';
import { largeJsonBytes } from '../large-answers.js';
import { readQueryParameters } from '../request-parameters.js';
import type { ServedPipeline } from '../served-pipeline.js';
import { decodeJson, pipelineOf, type RestRequest, readJsonBody, statedId } from './endpoint.js';

const JSON_TYPE = 'application/json';

export async function run(request: RestRequest): Promise<Answer> {
  const pipeline = pipelineOf(request);
  const parameters = readQueryParameters(request.query);
  const inputs = await readInputs(pipeline, request);
  const { requestId, signal, arrivedAtMs, tenant, connection, hold, traceParent } = request;
  const carried = { signal, arrivedAtMs, tenant, connection, hold, traceParent };
  const options = { requestId, id: statedId(request), ...carried, ...parameters };
  const completed = await pipeline.run(inputs, options);
  const names = { id: requestId, pipeline: pipeline.name };
  const largeBytes = largeJsonBytes(Object.values(completed.output));
  if (largeBytes === undefined) return { status: 200, text: answerText(names, completed, Number.POSITIVE_INFINITY) };
  const json = await request.largeAnswers.write(request, largeBytes, answerPieces(names, completed));
  return { status: 200, text: '', json };
}

/** Rejects with AppError UNSUPPORTED_MEDIA_TYPE, which lists the accepted types, before reading the body. */
async function readInputs({ inputs, sourceName }: ServedPipeline, request: RestRequest): Promise<TensorMap> {
  const { mediaType, maxJsonBytes } = request;
  if (inputs.length === 0) {
    const bytes = await request.readBody();
    return { [sourceName]: { datatype: 'UINT8', shape: [bytes.length], data: bytes } };
  }
  const [only] = inputs;
  if (inputs.length === 1 && only !== undefined && takesRaw(only, mediaType)) {
    return rawInput(only, await request.readBody());
  }
  if (mediaType === JSON_TYPE) {
    return (await decodeJson(request, 'run', { bytes: await readJsonBody(request), maxJsonBytes, inputs })).inputs;
  }
  const contentTypes = [...(inputs.length === 1 && only !== undefined ? rawTypes(only) : []), JSON_TYPE];
  throw new AppError(
    'UNSUPPORTED_MEDIA_TYPE',
    `${mediaType === undefined ? 'The body has no content type' : `Found the content type ${boundedName(mediaType)}`}; send one of ${contentTypes.join(', ')}.`,
    {
      details: { contentTypes },
    },
  );
}

function takesRaw(tensor: SourceTensor, mediaType = ''): boolean {
  return rawTypes(tensor).some((type) => {
    if (type === '*/*') return mediaType !== JSON_TYPE;
    return type.endsWith('/*') ? mediaType.startsWith(type.slice(0, -1)) : type === mediaType;
  });
}

/** Media types whose bodies are the tensor's content. */
function rawTypes({ datatype, shape, contentTypes }: SourceTensor): readonly string[] {
  const declared = contentTypes.map((type) => type.toLowerCase());
  if (datatype === 'UINT8' && shape.length === 1) return declared.length === 0 ? ['*/*'] : declared;
  const oneText = datatype === 'BYTES' && shape.length <= 1 && (shape[0] ?? 1) !== 0;
  return oneText ? [...new Set([...declared, 'text/plain'])] : [];
}

function rawInput(tensor: SourceTensor, bytes: Uint8Array<ArrayBuffer>): TensorMap {
  const { name, datatype } = tensor;
  if (bytes.length === 0)
    throw new AppError('MALFORMED_REQUEST', `The body is empty; expected the content of the tensor "${name}".`);
  const isText = datatype === 'BYTES';
  const shape = isText ? tensor.shape.map(() => 1) : [bytes.length];
  checkShape(tensor, shape);
  return { [name]: { datatype, shape, data: isText ? [decodeText(bytes)] : bytes } };
}
