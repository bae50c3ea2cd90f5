import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { TensorMap } from '@equipoise/core/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyTensor } from '../sample-tensors.test-support.js';
import { readGrpcRequest, writeGrpcRequest } from './grpc-infer-request.js';
import { readMessage } from './grpc-methods.js';
import { ModelInferRequestSchema } from './open-inference.gen.js';
import { hasLargeParts, MOST_GRPC_WORK, ownedMessage } from './owned-message.js';

const bounds = { kind: 'request', maxBytes: 100_000 } as const;
const doubles: TensorMap = { d: { datatype: 'FP64', shape: [3], data: Float64Array.of(1, 2, 3) } };
const dataOf = (bytes: Uint8Array) =>
  Object.values(readGrpcRequest(readMessage(ModelInferRequestSchema, bytes), []).inputs).map(({ data }) => data);

describe('a message made ready', () => {
  it('has its first raw tensor aligned, so that it is read without a copy', () => {
    for (const modelName of ['', 'a', 'ab', 'abc', 'abcdefg']) {
      const owned = ownedMessage(writeGrpcRequest(modelName, { inputs: doubles }, true), bounds);
      expect((dataOf(owned)[0] as Float64Array).buffer).toBe(owned.buffer);
    }
  });

  it('shares no memory with what came in', () => {
    const bytes = writeGrpcRequest('m', { inputs: doubles }, true);
    const owned = ownedMessage(bytes, bounds);
    bytes.fill(0);
    expect(dataOf(owned)).toEqual([doubles['d']?.data]);
  });

  it('keeps at most 8 KiB, or its own size if it is large', () => {
    for (let elements = 0; elements < 8192; elements += 7) {
      const tensor = { datatype: 'UINT8', shape: [elements], data: new Uint8Array(elements) } as const;
      const bytes = writeGrpcRequest('m', { inputs: { x: tensor } }, true);
      const { buffer } = ownedMessage(bytes, bounds);
      expect(buffer.byteLength).toBeLessThanOrEqual(Math.max(8192, bytes.length + 7));
    }
  });

  it('is overwritten by no other', () => {
    const messages = Array.from({ length: 2000 }, (_, index) =>
      writeGrpcRequest('m'.repeat(index % 300), { inputs: doubles, id: String(index) }, true),
    );
    const owned = messages.map((bytes) => ownedMessage(bytes, bounds));
    for (const [index, bytes] of messages.entries())
      expect(Buffer.compare(owned[index] ?? bytes.subarray(1), bytes)).toBe(0);
  });

  it('says what it said, raw and typed (property)', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), anyTensor), fc.boolean(), (inputs, raw) => {
        const bytes = writeGrpcRequest('m', { inputs, parameters: { a: 1 } }, raw);
        expect([...ownedMessage(bytes, bounds)]).toEqual([...bytes]);
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it('may have long texts, whose characters are no parts', () => {
    const id = 'x'.repeat(16_384);
    const bytes = writeGrpcRequest('x'.repeat(10_000), { inputs: doubles, id }, true);
    expect([...ownedMessage(bytes, bounds)]).toEqual([...bytes]);
  });

  it('is whatever bytes came, if they are few: who reads it finds what is wrong (property)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect([...ownedMessage(bytes, bounds)]).toEqual([...bytes]);
      }),
      { seed: 4, numRuns: 2000 },
    );
  });
});

describe('a message that would take much memory is refused before it is read', () => {
  type Fields = MessageInitShape<typeof ModelInferRequestSchema>;
  const count = 4000;
  const filled = <Value>(value: Value): Value[] => Array(count).fill(value);

  it.each<[string, Fields]>([
    ['64-bit integers', { inputs: [{ contents: { int64Contents: filled(1n) } }] }],
    ['unsigned ones', { inputs: [{ contents: { uint64Contents: filled(1n) } }] }],
    ['booleans', { inputs: [{ contents: { boolContents: filled(true) } }] }],
    ['byte strings', { inputs: [{ contents: { bytesContents: filled(new Uint8Array(0)) } }] }],
    ['raw contents', { rawInputContents: filled(new Uint8Array(0)) }],
    ['entries', { inputs: filled({}) }],
    ['requested outputs', { outputs: filled({}) }],
    ['shapes', { inputs: [{ shape: filled(1n) }] }],
    ['contents', { inputs: filled({ contents: {} }) }],
    ['parameters', { parameters: Object.fromEntries(filled('').map((_, i) => [`${i}`, {}])) }],
  ])('%s', (_, fields) => {
    const bytes = toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, fields));
    const maxBytes = 4500;
    const ample = { kind: 'request', maxBytes: 400_000 } as const;
    expect(ownedMessage(bytes, ample)).toHaveLength(bytes.length);
    // Some messages are refused for their size, before decoding.
    expect(() => ownedMessage(bytes, { kind: 'request', maxBytes })).toThrow(
      expect.objectContaining({ code: 'BODY_TOO_LARGE' }),
    );
  });

  it('also where elements are not packed', () => {
    const one = [3 * 8, 1];
    const contents = Array.from({ length: count }, () => one).flat();
    const delimited = (field: number, bytes: readonly number[]): number[] => {
      const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, (bytes.length >> 7) & 127];
      return [field * 8 + 2, ...length, ...bytes];
    };
    const message = Uint8Array.from(delimited(5, delimited(5, contents.slice(0, 10_000))));
    expect(() => ownedMessage(message, { kind: 'request', maxBytes: 15_000 })).toThrow(
      'send them as raw_input_contents',
    );
  });

  it('but not one of raw tensors, however large', () => {
    const inputs: TensorMap = { b: { datatype: 'UINT8', shape: [90_000], data: new Uint8Array(90_000) } };
    expect(ownedMessage(writeGrpcRequest('m', { inputs }, true), bounds).length).toBeGreaterThan(90_000);
  });
});

describe('a message that would take much work is refused before it is read', () => {
  const limits = { kind: 'request', maxBytes: 2 ** 24 } as const;

  function field(number: number, content: Uint8Array = new Uint8Array(0)): Buffer {
    const length: number[] = [];
    for (let rest = content.length; ; rest >>= 7) {
      length.push(rest < 128 ? rest : (rest & 127) | 128);
      if (rest < 128) break;
    }
    return Buffer.concat([Uint8Array.from([number * 8 + 2, ...length]), content]);
  }
  const many = (count: number, part: Buffer) => Buffer.concat(Array<Buffer>(count).fill(part));

  it.each<[string, keyof typeof MOST_GRPC_WORK, (count: number) => Buffer]>([
    ['parameters', 'parameters', (count) => many(count, field(4))],
    ['parameters of an input', 'parameters', (count) => field(5, many(count, field(4)))],
    ['inputs', 'tensors', (count) => many(count, field(5))],
    ['raw contents', 'tensors', (count) => many(count, field(7))],
    ['elements', 'elements', (count) => field(5, field(5, field(2, Buffer.alloc(count - 1))))],
  ])('%s', (_, limit, message) => {
    const most = MOST_GRPC_WORK[limit];
    expect(ownedMessage(message(most), limits).length).toBe(message(most).length);
    expect(() => ownedMessage(message(most + 1), limits)).toThrow(
      expect.objectContaining({ code: 'BODY_TOO_LARGE', details: { limit, most } }),
    );
    // Answers have no such limit: the server is trusted.
    expect(() => ownedMessage(message(most + 1), { ...limits, kind: 'response' })).not.toThrow();
  });

  /** Bytes, with the index of the last byte read. */
  function watch(bytes: Buffer) {
    let last = 0;
    const watched = new Proxy(bytes, {
      get: (target, at) => {
        if (typeof at === 'string' && /^\d+$/.test(at)) last = Number(at);
        return Reflect.get(target, at, target) as unknown;
      },
    });
    return { watched, last: () => last };
  }

  it('and the rest of it is not looked at', () => {
    const { watched, last } = watch(many(1_000_000, field(5)));
    expect(() => ownedMessage(watched, limits)).toThrow('more than 4096 tensors');
    expect(last()).toBeLessThan(2 * 4097);
  });

  it.each<[string, Buffer, boolean]>([
    ['few parts', many(500, field(5)), false],
    ['many parts', many(501, field(5)), true],
    ['many elements', field(5, field(5, field(2, Buffer.alloc(1000)))), true],
    ['few parts behind raw contents', Buffer.concat([field(7, Buffer.alloc(5000)), many(400, field(5))]), false],
    ['many parts behind raw contents', Buffer.concat([field(7, Buffer.alloc(5000)), many(500, field(5))]), true],
    ['many raw contents', many(501, field(7)), true],
  ])('has large parts only if they have more bytes than is said: %s', (_, bytes, isLarge) => {
    expect(hasLargeParts(bytes, 1000)).toBe(isLarge);
  });

  it('is not searched further for large parts than to the first excess', () => {
    const { watched, last } = watch(many(1_000_000, field(5)));
    expect(hasLargeParts(watched, 1000)).toBe(true);
    expect(last()).toBeLessThan(1010);
  });
});
