/** The methods of the protocol over gRPC with their paths and messages, for a server and a client that carry bytes. */

import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { AppError } from '@equipoise/core/model';
import { Health } from './health.gen.js';
import { GRPCInferenceService } from './open-inference.gen.js';

/** Every method by its name in lower camel case, with `input` and `output`, the descriptions of its messages. */
export const grpcMethods = GRPCInferenceService.method;

/** The one method of the standard health service that there is, and what it answers. */
export const healthCheck = Health.method.check;
export const healthStatus = { serving: 1, notServing: 2 } as const;

/** The name by which health checks ask for the service of the protocol. */
export const inferenceServiceName = GRPCInferenceService.typeName;

/** The path of a method in HTTP/2. */
export function grpcPath({ name, parent }: DescMethod): string {
  return `/${parent.typeName}/${name}`;
}

/** The message that `bytes` are; AppError MALFORMED_REQUEST when they are none. Fields of bytes are views of them. */
export function readMessage<Description extends DescMessage>(
  description: Description,
  bytes: Uint8Array,
): MessageShape<Description> {
  try {
    return fromBinary(description, bytes, { readUnknownFields: false });
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
