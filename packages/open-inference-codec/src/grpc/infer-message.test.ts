import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyTensor, everyTensor } from '../sample-tensors.test-support.js';
import { writeGrpcRequest } from './grpc-infer-request.js';
import { readMessage } from './grpc-methods.js';
import { readInferMessage } from './infer-message.js';
import { ModelInferRequestSchema } from './open-inference.gen.js';

const owned = (bytes: Uint8Array) => Uint8Array.from(bytes);
const fp32 = { datatype: 'FP32', shape: [1], data: Float32Array.of(1) } as const;

/** The message as the library reads it, as plain values. */
function expected(bytes: Uint8Array) {
  const { modelName, modelVersion, id, parameters, inputs, outputs, rawInputContents } = readMessage(
    ModelInferRequestSchema,
    bytes,
  );
  return { modelName, modelVersion, id, parameters, inputs: inputs.map(plain), outputs, rawInputContents };
}

const plain = ({
  name,
  datatype,
  shape,
  parameters,
  contents,
}: ReturnType<typeof readInferMessage>['inputs'][number]) => ({
  ...{ name, datatype, shape, parameters, contents },
});

function read(bytes: Uint8Array) {
  const message = readInferMessage(owned(bytes));
  return { ...message, inputs: message.inputs.map(plain) };
}

describe('a request', () => {
  it('is read as the library reads it (property)', () => {
    const inputs = fc.dictionary(fc.string(), anyTensor);
    const parameters = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.boolean(), fc.double(), fc.integer()));
    const outputs = fc.array(fc.string());
    fc.assert(
      fc.property(fc.string(), inputs, parameters, outputs, fc.boolean(), (id, tensors, stated, wanted, isRaw) => {
        const given = { id, inputs: tensors, parameters: stated, outputs: wanted };
        const bytes = writeGrpcRequest(id, given, isRaw);
        expect(read(bytes)).toEqual(expected(bytes));
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('may have unknown fields, repeated ones, and integers one by one', () => {
    const known = writeGrpcRequest('m', { id: 'first', inputs: everyTensor, parameters: { a: 1 } }, true);
    const unknown = [((99 << 3) & 0x7f) | 0x80, (99 << 3) >> 7, 5];
    const second = toBinary(
      ModelInferRequestSchema,
      create(ModelInferRequestSchema, { id: 'second', modelVersion: '2' }),
    );
    const unpacked = [(5 << 3) | 2, 9, 3 << 3, 7, 3 << 3, 0x81, 1, (1 << 3) | 2, 2, 0x68, 0x69];
    const bytes = Uint8Array.from([...known, ...unknown, ...unpacked, ...second]);
    expect(read(bytes)).toEqual(expected(bytes));
    expect(read(bytes)).toMatchObject({
      id: 'second',
      inputs: expect.arrayContaining([expect.objectContaining({ name: 'hi', shape: [7n, 129n] })]),
    });
  });

  it('has byte fields that share no memory with other messages', () => {
    const binary = { datatype: 'BYTES', shape: [1], data: [Uint8Array.of(0xff, 0)] } as const;
    const bytes = owned(writeGrpcRequest('m', { id: 'i', inputs: { x: binary } }, false));
    const [element] = readInferMessage(bytes).inputs[0]?.contents?.bytesContents ?? [];
    expect(element).toEqual(Uint8Array.of(0xff, 0));
    expect(element?.buffer.byteLength).toBeLessThanOrEqual(bytes.length);
  });

  it('that is invalid has an error of its own (property)', () => {
    const check = (bytes: Uint8Array) => {
      try {
        read(bytes);
      } catch (error) {
        expect(error).toMatchObject({ code: 'MALFORMED_REQUEST' });
      }
    };
    const valid = writeGrpcRequest('m', { id: 'i', inputs: { x: fp32 }, parameters: { a: 1 } }, true);
    for (let length = 1; length < valid.length; length++) check(valid.subarray(0, length));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), check), { seed: 8, numRuns: 3000 });
  });
});
