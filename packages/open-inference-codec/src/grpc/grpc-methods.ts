/** The methods of the protocol over gRPC with their paths and messages, for a server and a client that carry bytes. */

import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { AppError } from '@equipoise/core';
import { GRPCInferenceService } from './open-inference.gen.js';

/** Every method by its name in lower camel case, with `input` and `output`, the descriptions of its messages. */
export const grpcMethods = GRPCInferenceService.method;

/** A name of a method. */
export type GrpcMethodName = keyof typeof grpcMethods;

/** All names of methods. */
export const grpcMethodNames = Object.keys(grpcMethods) as readonly GrpcMethodName[];

/** The path of a method in HTTP/2. */
export function grpcPath(name: GrpcMethodName): string {
  return `/${GRPCInferenceService.typeName}/${grpcMethods[name].name}`;
}

/** The message that `bytes` are; AppError MALFORMED_REQUEST when they are none. Fields of bytes are views of them. */
export function readMessage<Description extends DescMessage>(
  description: Description,
  bytes: Uint8Array,
): MessageShape<Description> {
  try {
    return fromBinary(description, bytes);
  } catch {
    throw new AppError('MALFORMED_REQUEST', `The bytes are no message ${description.typeName}.`);
  }
}

/** A message as bytes. */
export function writeMessage<Description extends DescMessage>(
  description: Description,
  fields: MessageInitShape<Description>,
): Uint8Array {
  return toBinary(description, create(description, fields));
}
