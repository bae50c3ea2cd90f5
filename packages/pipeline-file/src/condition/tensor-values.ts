/**
 * Tensors as a condition sees them. A tensor without dimensions is a single value, any other a list, nested like its shape. Whole numbers
 * are CEL ints, floating-point numbers doubles, BYTES strings (bytes where they are not UTF-8). A tensor is converted when it is named.
 */
import type { Tensor, TensorMap } from '@equipoise/core';

type Element = number | bigint | boolean | string | Uint8Array;
/** One element, or lists of them. */
export type TensorValue = Element | readonly TensorValue[];

/** Values by tensor name. */
export function tensorValues(tensors: TensorMap): Readonly<Record<string, TensorValue>> {
  const values: Record<string, TensorValue> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    let value: TensorValue | undefined;
    const get = () => {
      value ??= valueOfTensor(tensor);
      return value;
    };
    Object.defineProperty(values, name, { enumerable: true, get });
  }
  return values;
}

/** Shapes by tensor name, as lists of CEL ints. */
export function tensorShapes(tensors: TensorMap): Readonly<Record<string, readonly bigint[]>> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape.map(BigInt)]));
}

function valueOfTensor(tensor: Tensor): TensorValue {
  const element = elementReader(tensor);
  const { shape } = tensor;
  let next = 0;
  const read = (dimension: number): TensorValue => {
    if (dimension === shape.length) return element(next++);
    return Array.from({ length: shape[dimension] ?? 0 }, () => read(dimension + 1));
  };
  return read(0);
}

function elementReader({ datatype, data }: Tensor): (index: number) => Element {
  switch (datatype) {
    case 'BOOL':
      return (index) => Number(data[index]) !== 0;
    case 'FP32':
    case 'FP64':
      return (index) => Number(data[index]);
    case 'FP16':
      return (index) => halfToNumber(Number(data[index]));
    case 'BYTES':
      return (index) => textOf(data[index] as string | Uint8Array);
    default:
      return (index) => BigInt(data[index] as number | bigint);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function textOf(element: string | Uint8Array): string | Uint8Array {
  if (typeof element === 'string') return element;
  try {
    return utf8.decode(element);
  } catch {
    return element;
  }
}

/** IEEE 754 binary16: 1 sign bit, 5 of exponent (bias 15), 10 of fraction. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
