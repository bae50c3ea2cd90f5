import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  fromJson,
  type JsonValue,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { configureTextEncoding, getTextEncoding } from '@bufbuild/protobuf/wire';
import { AppError } from '@equipoise/core/model';
import { Health } from './health.gen.js';
import { GRPCInferenceService } from './open-inference.gen.js';

const { decodeUtf8, ...others } = getTextEncoding();
// A TextEncoder allocates memory for each text, which takes six times as long. A TextDecoder takes long for a short text.
configureTextEncoding({
  ...others,
  encodeUtf8: (text) => Buffer.from(text),
  decodeUtf8: (bytes, isStrict) => shortAscii(bytes) ?? decodeUtf8(bytes, isStrict),
});

const MOST_SHORT = 40;

/** Undefined for other texts. */
function shortAscii(bytes: Uint8Array): string | undefined {
  if (bytes.length > MOST_SHORT) return undefined;
  for (let at = 0; at < bytes.length; at++) if ((bytes[at] as number) > 0x7f) return undefined;
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

/** Methods by name in lower camel case. `input` and `output` describe the messages of a method. */
export const grpcMethods = GRPCInferenceService.method;

export const healthCheck = Health.method.check;
export const healthStatus = { serving: 1, notServing: 2 } as const;

export const inferenceServiceName = GRPCInferenceService.typeName;

export function grpcPath({ name, parent }: DescMethod): string {
  return `/${parent.typeName}/${name}`;
}

/** Decodes a message; throws MALFORMED_REQUEST. Byte fields are views of `bytes`. */
export function readMessage<Description extends DescMessage>(
  description: Description,
  bytes: Uint8Array,
): MessageShape<Description> {
  try {
    return fromBinary(description, bytes, { readUnknownFields: false });
  } catch {
    throw malformedMessage(description);
  }
}

export function malformedMessage({ typeName }: DescMessage): AppError {
  return new AppError('MALFORMED_REQUEST', `The bytes are not a message ${typeName}.`);
}

export function writeMessage<Description extends DescMessage>(
  description: Description,
  fields: MessageInitShape<Description>,
): Uint8Array {
  return toBinary(description, create(description, fields));
}

/** Encodes a message that is given as JSON with the field names of its `.proto` file. */
export function writeJsonMessage(description: DescMessage, json: unknown): Uint8Array {
  return toBinary(description, fromJson(description, json as JsonValue));
}
