/**
 * Tensors as CEL values: a bare value if there are no dimensions, else nested lists. Integers become CEL ints, floats
 * CEL doubles. BYTES become strings, or CEL bytes if not UTF-8. Lists are lazy: shapes may claim any size, and
 * conditions run on the serving thread.
 */
import { elementCount, type Tensor, type TensorMap } from '@equipoise/core/model';
import type { ConditionWork } from './bounded-work.js';

type Element = number | bigint | boolean | string | Uint8Array;
export type TensorValue = Element | readonly TensorValue[];

/** Variables of one evaluation. `work` counts each entry of a list that is read, and each text that is decoded. */
export function tensorValues(tensors: TensorMap, work: ConditionWork): Readonly<Record<string, TensorValue>> {
  const values: Record<string, TensorValue> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    let value: TensorValue | undefined;
    const get = () => {
      value ??= valueOfTensor(tensor, work);
      return value;
    };
    Object.defineProperty(values, name, { enumerable: true, get });
  }
  return values;
}

/** Shapes by tensor name; sizes are CEL ints. */
export function tensorShapes(tensors: TensorMap): Readonly<Record<string, readonly bigint[]>> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape.map(BigInt)]));
}

function valueOfTensor(tensor: Tensor, work: ConditionWork): TensorValue {
  const element = elementReader(tensor, work);
  const { shape } = tensor;
  /** Part of a row-major tensor from element `start`; its first dimension is `dimension`. */
  const part = (dimension: number, start: number): TensorValue => {
    const length = shape[dimension];
    if (length === undefined) return element(start);
    const step = elementCount(shape.slice(dimension + 1));
    return list(length, (index) => {
      work.countRead();
      return part(dimension + 1, start + index * step);
    });
  };
  return part(0, 0);
}

const INDEX = /^(0|[1-9]\d*)$/;

function list(length: number, entry: (index: number) => TensorValue): readonly TensorValue[] {
  return new Proxy<readonly TensorValue[]>([], {
    get: (none, key, receiver) => {
      if (key === 'length') return length;
      if (typeof key !== 'string' || !INDEX.test(key)) return Reflect.get(none, key, receiver);
      return Number(key) < length ? entry(Number(key)) : undefined;
    },
    has: (none, key) => (typeof key === 'string' && INDEX.test(key) ? Number(key) < length : Reflect.has(none, key)),
  });
}

function elementReader({ datatype, data }: Tensor, work: ConditionWork): (index: number) => Element {
  switch (datatype) {
    case 'BOOL':
      return (index) => Number(data[index]) !== 0;
    case 'FP32':
    case 'FP64':
      return (index) => Number(data[index]);
    case 'FP16':
      return (index) => halfToNumber(Number(data[index]));
    case 'BYTES':
      return (index) => textOf(data[index] as string | Uint8Array, work);
    default:
      return (index) => BigInt(data[index] as number | bigint);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function textOf(element: string | Uint8Array, work: ConditionWork): string | Uint8Array {
  work.countText(element.length);
  if (typeof element === 'string') return element;
  try {
    return utf8.decode(element);
  } catch {
    return element;
  }
}

/** Value of an IEEE 754 binary16: 1 sign bit, 5 exponent bits (bias 15), 10 fraction bits. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
