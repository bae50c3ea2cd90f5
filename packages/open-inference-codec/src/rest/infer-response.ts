import { AppError, type Tensor } from '@equipoise/core/model';
import { objectOf, optionalString } from '../json/json-fields.js';
import type { InferResponse } from '../protocol-types.js';
import { checkedType } from '../tensor-types.js';
import { type ReceivedBody, type RestMessage, restMessage } from './rest-body.js';
import { jsonEntryPieces, readEntry, writeJsonEntry, writeRawEntry } from './tensor-entry.js';

export interface AnsweredOutput {
  readonly name: string;
  readonly tensor: Tensor;
  readonly binary: boolean;
}

/** Names in an answer. `missing`: lost parts that joins tolerated. */
export interface AnswerNames {
  readonly modelName: string;
  readonly id: string;
  readonly missing?: readonly string[] | undefined;
}

/** Writes an answer. `binary` outputs follow the JSON as raw tensors. */
export function writeInferResponse(names: AnswerNames, outputs: readonly AnsweredOutput[]): RestMessage {
  const entries = outputs.map(({ name, tensor, binary }) =>
    binary ? writeRawEntry(name, tensor) : writeJsonEntry(name, tensor, false),
  );
  // Concatenates: `join` would copy large texts.
  const all = entries.reduce((text, { json }) => (text === '' ? json : `${text},${json}`), '');
  return restMessage(
    `{${namedText(names)},"outputs":[${all}]}`,
    entries.flatMap(({ raw }) => raw ?? []),
  );
}

/** The message of `writeInferResponse`: its JSON in pieces, without padding, and the raw tensors. */
export interface ResponsePieces {
  readonly pieces: Iterable<string>;
  readonly raw: readonly Uint8Array[];
}

export function inferResponsePieces(names: AnswerNames, outputs: readonly AnsweredOutput[]): ResponsePieces {
  const entries = outputs.map(({ name, tensor, binary }) => {
    if (!binary) return { pieces: jsonEntryPieces(name, tensor) };
    const { json, raw } = writeRawEntry(name, tensor);
    return { pieces: [json], raw };
  });
  return { pieces: joined(names, entries), raw: entries.flatMap(({ raw }) => raw ?? []) };
}

function* joined(names: AnswerNames, entries: readonly { readonly pieces: Iterable<string> }[]): Generator<string> {
  yield `{${namedText(names)},"outputs":[`;
  for (const [index, { pieces }] of entries.entries()) {
    if (index > 0) yield ',';
    yield* pieces;
  }
  yield ']}';
}

function namedText({ modelName, id, missing }: AnswerNames): string {
  const parameters = missing === undefined ? '' : `,"parameters":{"missing":${JSON.stringify(missing.join(','))}}`;
  return `"model_name":${JSON.stringify(modelName)},"id":${JSON.stringify(id)}${parameters}`;
}

/** Reads an answer; throws MALFORMED_REQUEST or TENSOR_MISMATCH. */
export function readInferResponse(received: ReceivedBody): InferResponse {
  const body = objectOf(received.value, 'The answer');
  if (!Array.isArray(body['outputs'])) {
    throw new AppError('MALFORMED_REQUEST', 'The field outputs must be an array of tensors.');
  }
  const outputs = body['outputs'].map((entry, index): [string, Tensor] => {
    const fields = objectOf(entry, 'Each entry of outputs');
    const { name, datatype, shape } = fields;
    if (typeof name !== 'string')
      throw new AppError('MALFORMED_REQUEST', 'Each entry of outputs needs a name (a string).');
    const type = checkedType({ name, datatype, shape });
    return [name, readEntry(type, fields, { field: 'outputs', index, ...received })];
  });
  received.raw.end();
  const id = optionalString(body['id'], 'id');
  const modelName = optionalString(body['model_name'], 'model_name') ?? '';
  return { modelName, ...(id !== undefined && { id }), outputs: Object.fromEntries(outputs) };
}
