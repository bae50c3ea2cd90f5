/** Parameters of gRPC messages. Decoding turns 64-bit integers into numbers. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Fields } from '../json/json-fields.js';
import type { InferParameters, ParameterValue } from '../protocol-types.js';
import type { InferParameter, InferParameterSchema } from './open-inference.gen.js';

type ParameterInit = MessageInitShape<typeof InferParameterSchema>;

const NONE: Fields = Object.freeze({});

export function readGrpcParameters(parameters: Readonly<Record<string, InferParameter>>): Fields {
  const all = Object.entries(parameters);
  if (all.length === 0) return NONE;
  return Object.fromEntries(
    all.map(([name, { parameterChoice }]) => {
      const { value } = parameterChoice;
      return [name, typeof value === 'bigint' ? Number(value) : value];
    }),
  );
}

/** Encodes integers as int64 and other numbers as double. */
export function writeGrpcParameters(parameters: InferParameters = {}): Record<string, ParameterInit> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, { parameterChoice: choice(value) }]),
  );
}

function choice(value: ParameterValue): NonNullable<ParameterInit['parameterChoice']> {
  if (typeof value === 'boolean') return { case: 'boolParam', value };
  if (typeof value === 'string') return { case: 'stringParam', value };
  return Number.isSafeInteger(value) ? { case: 'int64Param', value: BigInt(value) } : { case: 'doubleParam', value };
}
