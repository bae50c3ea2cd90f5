import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyTensor, everyTensor } from '../sample-tensors.test-support.js';
import { readGrpcRequest, writeGrpcRequest } from './grpc-infer-request.js';
import { readGrpcResponse, writeGrpcResponse } from './grpc-infer-response.js';
import { readMessage, writeMessage } from './grpc-methods.js';
import { writeGrpcParameters } from './grpc-parameters.js';
import { writeTensors } from './grpc-tensors.js';
import { ModelInferRequestSchema, ModelInferResponseSchema } from './open-inference.gen.js';

const { FP16: _FP16, ...typedTensors } = everyTensor;
const reread = (bytes: Uint8Array) => readGrpcRequest(readMessage(ModelInferRequestSchema, bytes), []);

describe('messages', () => {
  it('of requests are read as they were written, raw and typed', () => {
    const request = { id: 'r', parameters: { a: 1, b: 0.5, c: 'd', e: true }, inputs: everyTensor, outputs: ['y'] };
    const { inputs: _inputs, ...same } = request;
    expect(reread(writeGrpcRequest('m', request, true))).toEqual({ ...same, inputs: everyTensor, raw: true });
    const typed = { ...same, inputs: typedTensors };
    expect(reread(writeGrpcRequest('m', typed, false))).toEqual({ ...typed, raw: false });
    expect(reread(writeGrpcRequest('m', request, false)).raw).toBe(true);
  });

  it('keep every bit of raw tensors (property)', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), anyTensor, { minKeys: 1 }), (inputs) => {
        expect(reread(writeGrpcRequest('m', { inputs }, true)).inputs).toEqual(inputs);
      }),
      { seed: 9, numRuns: 200 },
    );
  });

  it('of answers tell what is missing', () => {
    const bytes = writeGrpcResponse({ modelName: 'm', id: 'i', missing: ['a', 'b'] }, {}, true);
    const { parameters } = readMessage(ModelInferResponseSchema, bytes);
    expect(parameters['missing']?.parameterChoice).toEqual({ case: 'stringParam', value: 'a,b' });
    expect(
      readMessage(ModelInferResponseSchema, writeGrpcResponse({ modelName: 'm', id: 'i' }, {}, true)).parameters,
    ).toEqual({});
  });

  it('of answers are read as they were written', () => {
    const names = { modelName: 'größer', id: '大きい' };
    expect(readGrpcResponse(writeGrpcResponse(names, everyTensor, true))).toEqual({ ...names, outputs: everyTensor });
    expect(readGrpcResponse(writeGrpcResponse(names, typedTensors, false)).outputs).toEqual(typedTensors);
  });

  it('of answers are the bytes that the library writes (property)', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary', minLength: 40, maxLength: 200 }),
      fc.constant('\ud800'),
    );
    const outputs = fc.dictionary(text, anyTensor);
    fc.assert(
      fc.property(text, text, fc.option(fc.array(text), { nil: undefined }), outputs, fc.boolean(), (...given) => {
        const [modelName, id, missing, tensors, wantsRaw] = given;
        const { entries, raw } = writeTensors(tensors, wantsRaw);
        const parameters = writeGrpcParameters(missing === undefined ? {} : { missing: missing.join(',') });
        const fields = { modelName, id, parameters, outputs: [...entries], rawOutputContents: [...raw] };
        const expected = writeMessage(ModelInferResponseSchema, fields);
        expect(Buffer.from(writeGrpcResponse({ modelName, id, missing }, tensors, wantsRaw))).toEqual(
          Buffer.from(expected),
        );
      }),
      { seed: 11, numRuns: 300 },
    );
  });
});

it('raw contents may stand beside typed ones without elements', () => {
  const message = create(ModelInferRequestSchema, {
    inputs: [{ name: 'x', datatype: 'INT8', shape: [2n], contents: {} }],
    rawInputContents: [Uint8Array.of(1, 2)],
  });
  expect([...(readGrpcRequest(message, []).inputs['x']?.data ?? [])]).toEqual([1, 2]);
});

describe('requests that lie', () => {
  const x = (more = {}) => ({ name: 'x', datatype: 'INT8', shape: [2n], ...more });
  const read = (fields: Parameters<typeof create<typeof ModelInferRequestSchema>>[1]) =>
    readGrpcRequest(create(ModelInferRequestSchema, fields), []);

  it.each<[string, Parameters<typeof read>[0], string]>([
    [
      'one raw content for two tensors',
      { inputs: [x(), x()], rawInputContents: [new Uint8Array(2)] },
      '1 raw contents for 2 tensors',
    ],
    [
      'both forms',
      { inputs: [x({ contents: { intContents: [1, 2] } })], rawInputContents: [new Uint8Array(2)] },
      'both raw and typed contents',
    ],
    ['too few bytes', { inputs: [x()], rawInputContents: [new Uint8Array(1)] }, '1 bytes where 2 were expected'],
    ['no contents', { inputs: [x()] }, '0 elements in intContents where 2 were expected'],
    ['another field', { inputs: [x({ contents: { uintContents: [1, 2] } })] }, '0 elements in intContents'],
    ['beyond the range', { inputs: [x({ contents: { intContents: [1, 128] } })] }, 'element 1 is not of type INT8'],
    ['typed FP16', { inputs: [x({ datatype: 'FP16', contents: { fp32Contents: [1, 2] } })] }, 'only in raw contents'],
    ['one input twice', { inputs: [x({ shape: [0n] }), x({ shape: [0n] })] }, 'appears twice'],
  ])('are refused: %s', (_, fields, message) => {
    expect(() => read(fields)).toThrow(expect.objectContaining({ code: 'MALFORMED_REQUEST' }));
    expect(() => read(fields)).toThrow(message);
  });

  it.each([-1n, 2n ** 62n])('are refused for a dimension of %s', (size) => {
    expect(() => read({ inputs: [x({ shape: [size] })] })).toThrow(
      expect.objectContaining({ code: 'TENSOR_MISMATCH' }),
    );
  });

  it.each([
    ['many BYTES elements', { inputs: [x({ datatype: 'BYTES', shape: [32_769n] })] }],
    ['a long id', { id: 'a'.repeat(16_385) }],
  ])('are refused for %s', (_, fields) => {
    expect(() => read(fields)).toThrow(expect.objectContaining({ code: 'BODY_TOO_LARGE' }));
  });

  it('are refused where they are no message', () => {
    expect(() => reread(Uint8Array.of(0x0a, 0xff))).toThrow('The bytes are not a message inference.ModelInferRequest.');
  });
});
