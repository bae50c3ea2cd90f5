/**
 * Inference by the Open Inference Protocol v2 over REST: tensors in JSON, or as raw bytes after it (binary extension).
 */
import { AppError, type TensorMap } from '@equipoise/core/model';
import {
  type AnsweredOutput,
  BINARY_MEDIA_TYPE,
  inferResponsePieces,
  JSON_LENGTH_HEADER,
  paddingOf,
  type ReceivedRequest,
  type ResponsePieces,
  readJsonLength,
  readSentTogether,
  wantedOutput,
  writeInferResponse,
} from '@equipoise/open-inference-codec';
import type { Answer } from '../../net/answer.js';
import type { Decoded } from '../decoding/decoders.js';
import { largeJsonBytes } from '../large-answers.js';
import type { ServedPipeline } from '../served-pipeline.js';
import { decodeJson, pipelineOf, type RestRequest, readJsonBody, statedId } from './endpoint.js';

/** Media types read as JSON, including none and curl's default. */
const jsonMediaTypes: ReadonlySet<string | undefined> = new Set([
  undefined,
  'application/json',
  'application/x-www-form-urlencoded',
]);

export async function infer(call: RestRequest): Promise<Answer> {
  const pipeline = pipelineOf(call);
  const sentTogether = readSentTogether(call.headers);
  const request = await readRequest(call, pipeline);
  const { signal, arrivedAtMs, tenant, connection, hold, traceParent } = call;
  const id = request.id ?? call.requestId;
  const { output, missing } = await pipeline.run(request.inputs, {
    requestId: id,
    signal,
    hold,
    arrivedAtMs,
    tenant,
    connection,
    traceParent,
    sentTogether,
    items: request.items,
    id: request.id ?? statedId(call),
    timeoutMs: request.parameters.timeoutMs,
    priority: request.parameters.priority,
  });
  const names = { modelName: pipeline.name, id, missing };
  const outputs = answeredOutputs(request, output);
  const largeBytes = largeJsonBytes(outputs.flatMap(({ binary, tensor }) => (binary ? [] : tensor)));
  if (largeBytes !== undefined) return largeAnswer(call, inferResponsePieces(names, outputs), largeBytes);
  const { json: text, raw } = writeInferResponse(names, outputs);
  return raw.length === 0 ? { status: 200, text } : { status: 200, text, raw };
}

async function largeAnswer(call: RestRequest, { pieces, raw }: ResponsePieces, bytes: number): Promise<Answer> {
  const json = await call.largeAnswers.write(call, bytes, pieces);
  if (raw.length === 0) return { status: 200, text: '', json };
  const jsonBytes = json.reduce((sum, { length }) => sum + length, 0);
  return { status: 200, text: '', json: [...json, Buffer.from(' '.repeat(paddingOf(jsonBytes)))], raw };
}

/** A function of its own, so that the body is not kept until the answer. */
async function readRequest(call: RestRequest, { inputs }: ServedPipeline): Promise<Decoded<'infer'>> {
  const { maxJsonBytes } = call;
  const jsonLength = statedJsonLength(call);
  const bytes = await (jsonLength === undefined ? readJsonBody(call) : call.readBody({ alignAt: jsonLength }));
  return decodeJson(call, 'infer', { bytes, jsonLength, maxJsonBytes, inputs });
}

/**
 * Length of the JSON before raw tensors; undefined for JSON alone. AppError UNSUPPORTED_MEDIA_TYPE for other bodies.
 */
function statedJsonLength({ mediaType, headers }: RestRequest): number | undefined {
  const header = headers[JSON_LENGTH_HEADER];
  const jsonLength = readJsonLength(typeof header === 'object' ? header.join() : header);
  if (jsonMediaTypes.has(mediaType) || (jsonLength !== undefined && mediaType === BINARY_MEDIA_TYPE)) return jsonLength;
  throw new AppError(
    'UNSUPPORTED_MEDIA_TYPE',
    `Send this request with content-type application/json, or ${BINARY_MEDIA_TYPE} and the header Inference-Header-Content-Length.`,
    { details: { contentTypes: ['application/json', BINARY_MEDIA_TYPE] } },
  );
}

function answeredOutputs(
  { outputs, binaryOutput }: Pick<ReceivedRequest, 'outputs' | 'binaryOutput'>,
  output: TensorMap,
): readonly AnsweredOutput[] {
  if (outputs === undefined) {
    return Object.entries(output).map(([name, tensor]) => ({ name, tensor, binary: binaryOutput }));
  }
  return outputs.map(({ name, binary }) => ({ name, tensor: wantedOutput(output, name), binary }));
}
