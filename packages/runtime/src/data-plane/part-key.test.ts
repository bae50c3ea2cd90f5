import type { SourceSpec, Tensor, TensorMap } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { partPlace } from './part-key.js';

const source = (name: string, more: Partial<SourceSpec> = {}): SourceSpec => ({ name, to: [], tensors: [], ...more });
const limits = { maxWaitMs: 1000, maxWaiting: 10 };
const byKey = { ...limits, by: 'key', windowMs: 10 } as const;
const bytes = (...data: readonly string[] | readonly Uint8Array[]): Tensor => ({
  datatype: 'BYTES',
  shape: [data.length],
  data,
});

describe('the key of a part', () => {
  const spec = { sources: [source('a', { key: 'k' }), source('b')], sourceJoin: byKey };
  const keyOf = (tensor: Tensor) => partPlace(spec, 0, { inputs: { k: tensor } }).key;

  it('is the same text in every form, also that of an id', () => {
    expect(keyOf(bytes('7'))).toBe('7');
    expect(keyOf(bytes(new TextEncoder().encode('7')))).toBe('7');
    expect(keyOf({ datatype: 'INT64', shape: [1], data: BigInt64Array.of(7n) })).toBe('7');
    expect(partPlace(spec, 1, { inputs: {}, id: '7' })).toMatchObject({ source: 1, key: '7' });
  });

  it.each([
    ['one of a megabyte', bytes('x'.repeat(1e6)), 'found 1000000 bytes'],
    ['256 characters of two bytes', bytes('é'.repeat(256)), 'found 512 bytes'],
    ['an empty one', bytes(''), 'found 0 bytes'],
    ['two of them', bytes('a', 'b'), 'found 0 bytes'],
    ['one that is no text', bytes(Uint8Array.of(0xff)), 'not UTF-8'],
  ])('is refused: %s', (_, tensor, message) => {
    expect(() => keyOf(tensor)).toThrowError(
      expect.objectContaining({ code: 'PART_KEY_INVALID', message: expect.stringContaining(message) }),
    );
  });

  it('is refused without its tensor', () => {
    expect(() => partPlace(spec, 0, { inputs: {}, id: 'a' })).toThrowError(
      expect.objectContaining({ code: 'PART_KEY_INVALID' }),
    );
  });
});

describe('the id of a part', () => {
  const wanted = expect.objectContaining({ code: 'MALFORMED_REQUEST' });

  it('is needed where parts wait for each other, and in a join by key', () => {
    const both = [source('a'), source('b')];
    expect(() => partPlace({ sources: both, sourceJoin: limits }, 0, { inputs: {} })).toThrowError(wanted);
    expect(() => partPlace({ sources: both, sourceJoin: limits }, 0, { inputs: {}, id: 'x'.repeat(257) })).toThrow();
    expect(() => partPlace({ sources: both, sourceJoin: byKey }, 0, { inputs: {} })).toThrowError(wanted);
  });

  it('is not needed by a source that joins by its newest part, nor by the only other one', () => {
    const slow = source('b', { latest: { maxAgeMs: 100 } });
    const two = { sources: [source('a'), slow], sourceJoin: limits };
    expect([partPlace(two, 0, { inputs: {} }).key, partPlace(two, 1, { inputs: {} }).key]).toEqual(['', '']);
    const three = { sources: [source('a'), source('c'), slow], sourceJoin: limits };
    expect(partPlace(three, 2, { inputs: {} }).key).toBe('');
    expect(() => partPlace(three, 1, { inputs: {} })).toThrowError(wanted);
  });
});

describe('the time of a part', () => {
  const spec = { sources: [source('a', { time: 't' })], sourceJoin: byKey };
  const timeOf = (inputs: TensorMap) => partPlace(spec, 0, { inputs, id: 'a' }).timeMs;

  it('is a number of its tensor', () => {
    expect(timeOf({ t: { datatype: 'INT64', shape: [1], data: BigInt64Array.of(1_700_000_000_000n) } })).toBe(17e11);
    expect(timeOf({ t: { datatype: 'FP64', shape: [1], data: Float64Array.of(-0.5) } })).toBe(-0.5);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('is refused: %s', (value) => {
    expect(() => timeOf({ t: { datatype: 'FP64', shape: [1], data: Float64Array.of(value) } })).toThrowError(
      expect.objectContaining({ code: 'PART_KEY_INVALID' }),
    );
    expect(() => timeOf({})).toThrowError(expect.objectContaining({ code: 'PART_KEY_INVALID' }));
  });
});
