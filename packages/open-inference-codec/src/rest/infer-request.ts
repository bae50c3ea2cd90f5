import { AppError, boundedName, type TensorMap, type TensorType } from '@equipoise/core/model';
import { type Fields, objectOf, optionalBoolean, optionalObject, optionalString } from '../json/json-fields.js';
import type { InferRequest } from '../protocol-types.js';
import { checkNames, InputCollection } from '../tensor-types.js';
import { type ReceivedBody, type RestMessage, restMessage } from './rest-body.js';
import { isJsonText, readEntry, writeJsonEntry, writeRawEntry } from './tensor-entry.js';

const BINARY_DATA = 'binary_data';
const BINARY_OUTPUT = 'binary_data_output';

/** Requested output; `binary` means raw, after the JSON. */
export interface WantedOutput {
  readonly name: string;
  readonly binary: boolean;
}

/** Request of a client. Without `outputs`, all are requested; `binaryOutput`: they are raw. */
export interface ReceivedRequest {
  readonly id: string | undefined;
  readonly parameters: Fields;
  readonly inputs: TensorMap;
  /** Number of items of a client batch, the leading dimension of every input; undefined for a single item. */
  readonly items: number | undefined;
  readonly outputs: readonly WantedOutput[] | undefined;
  readonly binaryOutput: boolean;
}

/**
 * Reads a request. `declared` are the inputs of the model; if empty, any fit. A graph engine may pass on answers of
 * other models as a request: their outputs are the inputs then. Throws MALFORMED_REQUEST, TENSOR_MISMATCH or
 * BODY_TOO_LARGE.
 */
export function readInferRequest(received: ReceivedBody, declared: readonly TensorType[]): ReceivedRequest {
  const answers = passedAnswers(received);
  if (answers !== undefined) {
    const inputs = answersAsInputs(answers, declared);
    received.raw.end();
    return {
      id: undefined,
      parameters: {},
      inputs: inputs.all(),
      items: inputs.items,
      outputs: undefined,
      binaryOutput: false,
    };
  }
  const body = objectOf(received.value, 'The body');
  const id = optionalString(body['id'], 'id');
  const parameters = optionalObject(body['parameters'], 'parameters');
  const binaryOutput = optionalBoolean(parameters[BINARY_OUTPUT], BINARY_OUTPUT) ?? false;
  const outputs = readWantedOutputs(body['outputs'], binaryOutput);
  checkNames(id, outputs?.map(({ name }) => name) ?? []);
  const inputs = readInputs(body['inputs'], received, declared);
  received.raw.end();
  return { id, parameters, inputs: inputs.all(), items: inputs.items, outputs, binaryOutput };
}

/** With `binary`, inputs are raw and raw outputs are requested. */
export function writeInferRequest({ id, parameters, inputs, outputs }: InferRequest, binary: boolean): RestMessage {
  const entries = Object.entries(inputs).map(([name, tensor]) =>
    binary ? writeRawEntry(name, tensor) : writeJsonEntry(name, tensor, true),
  );
  const more = {
    ...(id !== undefined && { id }),
    ...((parameters !== undefined || binary) && {
      parameters: { ...parameters, ...(binary && { [BINARY_OUTPUT]: true }) },
    }),
    ...(outputs !== undefined && {
      outputs: outputs.map((name) => ({ name, ...(binary && { parameters: { [BINARY_DATA]: true } }) })),
    }),
  };
  const fields = Object.entries(more).map(([field, value]) => `${JSON.stringify(field)}:${JSON.stringify(value)}`);
  const json = `{${[...fields, `"inputs":[${entries.map((entry) => entry.json).join(',')}]`].join(',')}}`;
  return restMessage(
    json,
    entries.flatMap(({ raw }) => raw ?? []),
  );
}

function readInputs(value: unknown, received: ReceivedBody, declared: readonly TensorType[]): InputCollection {
  if (!Array.isArray(value)) throw new AppError('MALFORMED_REQUEST', 'The field inputs must be an array of tensors.');
  const inputs = new InputCollection(declared);
  readTensors(inputs, value, { field: 'inputs', ...received });
  return inputs;
}

/** Tensors of answers. A name that several answers have gets the name of its model as a prefix, as in joins. */
function answersAsInputs(answers: readonly PassedAnswer[], declared: readonly TensorType[]): InputCollection {
  const inputs = new InputCollection(declared);
  const seen = new Set<unknown>();
  const repeated = new Set<unknown>();
  for (const { name } of answers.flatMap(({ body }) => entriesOf(body))) (seen.has(name) ? repeated : seen).add(name);
  for (const { body, origin } of answers) {
    const nameOf = (name: string): string => (repeated.has(name) && origin !== undefined ? `${origin}.${name}` : name);
    readTensors(inputs, entriesOf(body), { field: 'outputs', nameOf, ...body });
  }
  return inputs;
}

const entriesOf = ({ value }: ReceivedBody): readonly Fields[] =>
  (value as { readonly outputs: readonly Fields[] }).outputs;

function readTensors(
  inputs: InputCollection,
  entries: readonly unknown[],
  from: ReceivedBody & { readonly field: 'inputs' | 'outputs'; readonly nameOf?: (name: string) => string },
): void {
  const { field, nameOf = (name: string) => name } = from;
  for (const [index, entry] of entries.entries()) {
    const fields = objectOf(entry, `Each entry of ${field}`);
    const { name: stated, datatype, shape } = fields;
    if (typeof stated !== 'string')
      throw new AppError('MALFORMED_REQUEST', `Each entry of ${field} needs a name (a string).`);
    const name = nameOf(stated);
    const type = inputs.typeOf({ name, datatype, shape }, isJsonText(fields));
    inputs.add(name, readEntry(type, fields, { index, ...from }));
  }
}

/** Answer of another model; `origin`: its step or model. */
interface PassedAnswer {
  readonly body: ReceivedBody;
  readonly origin?: string | undefined;
}

/**
 * Answers in place of a request: one answer (KServe's sequence), an object of answers by step (its ensemble) or an array
 * of answers (Seldon's combiner). Undefined for a request.
 */
function passedAnswers(received: ReceivedBody): readonly PassedAnswer[] | undefined {
  const { value } = received;
  if (isAnswer(value)) return [{ body: received }];
  if (typeof value !== 'object' || value === null || 'inputs' in value) return undefined;
  const keys = Object.keys(value);
  const partOf = (key: string): unknown => (value as Fields)[key];
  if (keys.length === 0 || !keys.every((key) => isAnswer(partOf(key)))) return undefined;
  return keys.map((key) => {
    const model = (partOf(key) as Fields)['model_name'];
    return {
      body: {
        value: partOf(key),
        exactValue: () => (received.exactValue() as Fields | undefined)?.[key],
        raw: received.raw,
      },
      origin: Array.isArray(value) ? optionalString(model, 'model_name') : key,
    };
  });
}

/** True if a body has tensors as outputs, and no inputs. A request only names the outputs that it wants. */
function isAnswer(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || 'inputs' in value) return false;
  const { outputs } = value as Fields;
  if (!Array.isArray(outputs) || outputs.length === 0) return false;
  return outputs.every((entry: unknown) => typeof entry === 'object' && entry !== null && 'datatype' in entry);
}

function readWantedOutputs(value: unknown, binaryOutput: boolean): readonly WantedOutput[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new AppError('MALFORMED_REQUEST', 'The field outputs must be an array of {name}.');
  const names = new Set<string>();
  return value.map((entry) => {
    const { name, parameters } = objectOf(entry, 'Each entry of outputs');
    if (typeof name !== 'string')
      throw new AppError('MALFORMED_REQUEST', 'Each entry of outputs needs a name (a string).');
    // Clients repeat a name at little cost, but each copy in the answer may be large.
    if (names.has(name)) throw new AppError('MALFORMED_REQUEST', `The output ${boundedName(name)} is requested twice.`);
    names.add(name);
    const binary = optionalBoolean(optionalObject(parameters, 'parameters')[BINARY_DATA], BINARY_DATA);
    return { name, binary: binary ?? binaryOutput };
  });
}
