import type { Datatype, TensorMap } from '@equipoise/core/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyTensor, everyTensor } from '../sample-tensors.test-support.js';
import { readInferRequest, writeInferRequest } from './infer-request.js';
import { readInferResponse, writeInferResponse } from './infer-response.js';
import { type RestMessage, readJsonLength, readRestBody } from './rest-body.js';
import { readSentTogether, SENT_TOGETHER_HEADER } from './sent-together.js';

/** Received body whose memory starts at `offset`. */
function received({ json, raw }: RestMessage, offset = 0) {
  const parts = [new TextEncoder().encode(json), ...raw];
  const bytes = new Uint8Array(offset + parts.reduce((length, part) => length + part.length, 0)).subarray(offset);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return readRestBody(bytes, raw.length === 0 ? undefined : parts[0]?.length);
}

const names = { modelName: 'm', id: 'i' };
const answer = (outputs: TensorMap, binary: boolean) =>
  writeInferResponse(
    names,
    Object.entries(outputs).map(([name, tensor]) => ({ name, tensor, binary })),
  );

it('an answer that is not whole says what is missing, among its parameters', () => {
  const parametersOf = (missing?: readonly string[]) =>
    JSON.parse(writeInferResponse({ ...names, missing }, []).json).parameters;
  expect(parametersOf(['b[0]', 'c'])).toEqual({ missing: 'b[0],c' });
  expect(parametersOf()).toBeUndefined();
});

it.each<[string | undefined, number | undefined]>([
  ['1', 1],
  ['3', 3],
  ['999999', 999_999],
  [undefined, undefined],
])('of the requests that a client sends together, %j are %j', (stated, expected) => {
  expect(readSentTogether({ [SENT_TOGETHER_HEADER]: stated })).toBe(expected);
});

it.each<[string | readonly string[]]>([
  ...['0', '-1', '1.5', '1e3', ' 2', '03', '+3', '0x3', 'NaN', '1000000', '9'.repeat(400), '', 'two', '2, 3'].map(
    (text): [string] => [text],
  ),
  [['2', '3']],
])('as the number of requests that a client sends together, %j is refused', (stated) => {
  expect(() => readSentTogether({ [SENT_TOGETHER_HEADER]: stated })).toThrow(
    expect.objectContaining({
      code: 'MALFORMED_REQUEST',
      message: 'The header Equipoise-Sent-Together must be an integer from 1 to 999999.',
    }),
  );
});

describe('a request', () => {
  it.each([true, false])('is read as it was written, every data type (binary %s)', (binary) => {
    const request = { id: 'r', parameters: { timeout_ms: 5 }, inputs: everyTensor, outputs: ['a'] };
    const read = readInferRequest(received(writeInferRequest(request, binary)), []);
    expect(read.inputs).toEqual(everyTensor);
    expect(read).toMatchObject({ id: 'r', parameters: { timeout_ms: 5 }, outputs: [{ name: 'a', binary }] });
    expect(read.binaryOutput).toBe(binary);
  });

  it('keeps the digits of 64-bit integers that other clients write as numbers', () => {
    const text =
      '{"inputs":[{"name":"a","datatype":"INT64","shape":[2],"data":[-9223372036854775808,1]},{"name":"b","datatype":"UINT64","shape":[1,1],"data":[[18446744073709551615]]},{"name":"c","datatype":"FP64","shape":[1],"data":[12345678901234567890]}]}';
    const { inputs } = readInferRequest(received({ json: text, raw: [] }), []);
    expect([...(inputs['a']?.data ?? []), ...(inputs['b']?.data ?? [])]).toEqual([-(2n ** 63n), 1n, 2n ** 64n - 1n]);
    expect(inputs['c']?.data[0]).toBe(12345678901234567000);
  });

  it.each([
    ['one answer', '{"model_name":"m","id":"1","outputs":[X,Y]}'],
    ['answers by step', '{"m":{"model_name":"m","outputs":[X]},"n":{"outputs":[Y]}}'],
    ['an array of answers', '[{"outputs":[X]},{"outputs":[Y]}]'],
  ])('may be %s of other models, as a graph engine passes them on', (_, form) => {
    const x = '{"name":"x","datatype":"INT64","shape":[1],"data":[9223372036854775807]}';
    const y = '{"name":"y","datatype":"BYTES","shape":[1],"data":["dog"]}';
    const json = form.replace('X', x).replace('Y', y);
    const read = readInferRequest(received({ json, raw: [] }), []);
    expect(read.inputs['x']?.data).toEqual(BigInt64Array.of(2n ** 63n - 1n));
    expect(read.inputs['y']?.data).toEqual(['dog']);
    expect(read).toMatchObject({ id: undefined, parameters: {}, outputs: undefined });
  });

  it.each([
    ['by step', '{"left":{"outputs":[X]},"right":{"outputs":[X]}}'],
    ['by model', '[{"model_name":"left","outputs":[X]},{"model_name":"right","outputs":[X]}]'],
  ])('has equal names of several answers with a prefix: %s', (_, form) => {
    const json = form.replaceAll('X', '{"name":"x","datatype":"BOOL","shape":[1],"data":[true]}');
    expect(Object.keys(readInferRequest(received({ json, raw: [] }), []).inputs)).toEqual(['left.x', 'right.x']);
  });

  it.each([
    ['wanted outputs without inputs', '{"outputs":[{"name":"x"}]}', 'inputs must be an array'],
    ['a part that is no answer', '{"m":{"outputs":[]},"n":1}', 'inputs must be an array'],
    ['an array of something else', '[1]', 'must be a JSON object'],
    [
      'one tensor from two answers',
      '[{"outputs":[{"name":"x","datatype":"BOOL","shape":[1],"data":[true]}]},{"outputs":[{"name":"x","datatype":"BOOL","shape":[1],"data":[true]}]}]',
      'appears twice',
    ],
  ])('is refused: %s', (_, json, words) => {
    expect(() => readInferRequest(received({ json, raw: [] }), [])).toThrow(words);
  });

  it('keeps every bit of raw tensors, wherever they lie in memory (property)', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), anyTensor), fc.nat(15), (inputs, offset) => {
        const read = readInferRequest(received(writeInferRequest({ inputs }, true), offset), []);
        expect(read.inputs).toEqual(inputs);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('has views of the body where numbers are aligned', () => {
    const inputs: TensorMap = { x: { datatype: 'FP64', shape: [2], data: Float64Array.of(1, 2) } };
    const [aligned = 0, askew] = [0, 1].map((offset) => {
      const body = received(writeInferRequest({ inputs }, true), offset);
      return Object.values(readInferRequest(body, []).inputs).map(({ data }) => data as Float64Array)[0]?.buffer
        .byteLength;
    });
    expect(aligned).toBeGreaterThan(100);
    expect(askew).toBe(16);
  });

  it('may mix tensors in JSON and raw ones', () => {
    const json = JSON.stringify({
      inputs: [
        { name: 'a', datatype: 'UINT8', shape: [2], parameters: { binary_data_size: 2 } },
        { name: 'b', datatype: 'INT8', shape: [1], data: [5] },
        { name: 'c', datatype: 'INT16', shape: [1], parameters: { binary_data_size: 2 } },
      ],
      outputs: [{ name: 'x', parameters: { binary_data: false } }, { name: 'y' }],
      parameters: { binary_data_output: true },
    });
    const read = readInferRequest(received({ json, raw: [Uint8Array.of(1, 2, 3, 1)] }), []);
    expect(Object.values(read.inputs).map(({ data }) => [...(data as Uint8Array)])).toEqual([[1, 2], [5], [259]]);
    expect(read.outputs).toEqual([
      { name: 'x', binary: false },
      { name: 'y', binary: true },
    ]);
  });
});

describe('a request that asks for much work with few bytes', () => {
  const read = (shape: readonly number[], more = {}) => {
    const json = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape, data: [] }], ...more });
    return readInferRequest(received({ json, raw: [] }), []);
  };

  it('is refused for rows without an element, of which there may be some', () => {
    for (const shape of [
      [65_537, 0],
      [300, 300, 0],
      [2 ** 53 - 1, 2 ** 53 - 1, 0, 5],
      [...Array(31).fill(2 ** 53 - 1), 0],
    ])
      expect(() => read(shape)).toThrow('the dimensions in front of its first 0 may hold at most 65536 rows');
    for (const shape of [[65_536, 0], [0, 2 ** 40], [0], [256, 256, 0, 2 ** 40]]) {
      expect(read(shape).inputs['x']?.shape).toEqual(shape);
    }
  });

  it('is refused for an output that it wants twice', () => {
    const outputs = [{ name: 'a' }, { name: 'b' }, { name: 'a' }];
    expect(() => read([0], { outputs })).toThrow('The output a is requested twice.');
    expect(read([0], { outputs: outputs.slice(0, 2) }).outputs).toHaveLength(2);
  });

  it('is refused for a long id and long names of outputs', () => {
    const [name, id] = ['a'.repeat(16_000), 'b'.repeat(384)];
    expect(read([0], { id, outputs: [{ name }] })).toMatchObject({ id, outputs: [{ name }] });
    expect(() => read([0], { id: `${id}b`, outputs: [{ name }] })).toThrow('have more than 16384 characters');
  });

  it('is refused for many BYTES elements, unless they are texts in JSON', () => {
    const readEntries = (...more: readonly object[]) => {
      const inputs = more.map((each, index) => ({ name: `x${index}`, datatype: 'BYTES', ...each }));
      return readInferRequest(received({ json: JSON.stringify({ inputs }), raw: [] }), []);
    };
    const texts = (count: number, parameters?: object) => ({ shape: [count], data: Array(count).fill(''), parameters });
    const base64 = { content_type: 'base64' };
    expect(readEntries(texts(32_769)).inputs['x0']?.shape).toEqual([32_769]);
    expect(readEntries(texts(16_384, base64), texts(16_384, base64)).inputs['x1']?.shape).toEqual([16_384]);
    for (const entries of [
      [texts(16_384, base64), texts(16_385, base64)],
      [{ shape: [32_769], parameters: { binary_data_size: 0 } }],
    ]) {
      expect(() => readEntries(...entries)).toThrow('more than 32768 BYTES elements');
    }
  });
});

describe('an answer', () => {
  it('is read as it was written; in JSON bytes that are text come back as text', () => {
    expect(readInferResponse(received(answer(everyTensor, true)))).toEqual({ ...names, outputs: everyTensor });
    const outputs = { ...everyTensor, bytes: { ...everyTensor['bytes'], data: ['\u0001\u0002', ''] } };
    expect(readInferResponse(received(answer(everyTensor, false)))).toEqual({ ...names, outputs });
  });
});

describe('an answer with very many BYTES elements', () => {
  it('is refused, because they would take far more memory than its bytes', () => {
    const count = 1_048_577;
    const output = { name: 'x', datatype: 'BYTES', shape: [count], parameters: { binary_data_size: 4 * count } };
    const body = received({ json: JSON.stringify({ outputs: [output] }), raw: [new Uint8Array(4 * count)] });
    expect(() => readInferResponse(body)).toThrow('more than 1048576 elements');
  });
});

describe('raw tensors that lie', () => {
  const one = (datatype: Datatype | 'BF16', shape: readonly number[], size: unknown, more = {}) => ({
    inputs: [{ name: 'x', datatype, shape, parameters: { binary_data_size: size }, ...more }],
  });
  const read = (value: unknown, ...bytes: number[]) =>
    readInferRequest(received({ json: JSON.stringify(value), raw: [Uint8Array.from(bytes)] }), []);

  it.each<[string, unknown, readonly number[], string]>([
    ['more than there is', one('UINT8', [9], 9), [1], 'binary_data_size is 9, but 1 bytes are left'],
    ['less than there is', one('UINT8', [1], 1), [1, 2], '1 bytes at the end of the body belong to no tensor'],
    ['no size', one('UINT8', [1], '1'), [1], 'binary_data_size must be an integer of at least 0'],
    ['a size below 0', one('UINT8', [1], -1), [1], 'binary_data_size must be an integer of at least 0'],
    ['a part of a byte', one('UINT8', [1], 0.5), [1], 'binary_data_size must be an integer of at least 0'],
    ['other than the shape', one('FP32', [2], 4), [0, 0, 0, 0], '4 bytes where 8 were expected'],
    ['a shape beyond memory', one('FP64', [2 ** 40, 2 ** 40], 1), [1], '1 bytes where'],
    ['data twice', one('UINT8', [1], 1, { data: [1] }), [1], 'it has both data and binary_data_size'],
    ['no boolean', one('BOOL', [2], 2), [1, 2], 'element 1 is neither 0 nor 1'],
    ['a length beyond the end', one('BYTES', [1], 5), [2, 0, 0, 0, 65], 'element 0 goes beyond its end'],
    ['half a length', one('BYTES', [1], 3), [2, 0, 0], 'element 0 goes beyond its end'],
    ['too few elements', one('BYTES', [2], 4), [0, 0, 0, 0], '1 elements where 2 were expected'],
    ['too many elements', one('BYTES', [1], 8), [0, 0, 0, 0, 0, 0, 0, 0], 'bytes are left over behind 1 elements'],
    [
      'no text',
      one('BYTES', [1], 5, { parameters: { binary_data_size: 5, content_type: 'str' } }),
      [1, 0, 0, 0, 255],
      'stated to be text',
    ],
    ['a content type that is none', one('BYTES', [1], 5, { parameters: { content_type: 5 } }), [], 'must be a string'],
  ])('are refused: %s', (_, value, bytes, message) => {
    expect(() => read(value, ...bytes)).toThrow(expect.objectContaining({ code: 'MALFORMED_REQUEST' }));
    expect(() => read(value, ...bytes)).toThrow(message);
  });

  it('are refused where their data type is not carried', () => {
    expect(() => read(one('BF16', [1], 2), 0, 0)).toThrow(expect.objectContaining({ code: 'TENSOR_MISMATCH' }));
  });

  it('are refused by the header', () => {
    for (const header of ['', '-1', '1.5', '0x1', 'NaN', '1, 1', '9'.repeat(16)]) {
      expect(() => readJsonLength(header)).toThrow('must be an integer of at least 0');
    }
    expect([readJsonLength(undefined), readJsonLength('12')]).toEqual([undefined, 12]);
    expect(() => readRestBody(new Uint8Array(3), 4)).toThrow('states 4 bytes of JSON, the body has 3 in all');
  });

  it('are refused as base64 that is none', () => {
    const value = { name: 'x', datatype: 'BYTES', shape: [1], parameters: { content_type: 'base64' } };
    for (const text of ['a', 'ab=d', '####']) {
      const body = { json: JSON.stringify({ inputs: [{ ...value, data: [text] }] }), raw: [] };
      expect(() => readInferRequest(received(body), [])).toThrow('element 0 is not base64');
    }
  });
});
