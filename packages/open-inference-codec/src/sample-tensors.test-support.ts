/** Sample tensors: one per data type with the ends of its range, and arbitrary ones. */
import { type Datatype, elementCount, type Tensor, type TensorData, type TensorMap } from '@equipoise/core/model';
import fc from 'fast-check';

export const everyTensor: TensorMap = {
  BOOL: { datatype: 'BOOL', shape: [2], data: Uint8Array.of(0, 1) },
  UINT8: { datatype: 'UINT8', shape: [3], data: Uint8Array.of(0, 7, 255) },
  UINT16: { datatype: 'UINT16', shape: [1], data: Uint16Array.of(65535) },
  UINT32: { datatype: 'UINT32', shape: [1, 1], data: Uint32Array.of(2 ** 32 - 1) },
  UINT64: { datatype: 'UINT64', shape: [1], data: BigUint64Array.of(2n ** 53n - 1n) },
  INT8: { datatype: 'INT8', shape: [1], data: Int8Array.of(-128) },
  INT16: { datatype: 'INT16', shape: [1], data: Int16Array.of(-32768) },
  INT32: { datatype: 'INT32', shape: [1], data: Int32Array.of(-(2 ** 31)) },
  INT64: { datatype: 'INT64', shape: [1], data: BigInt64Array.of(-(2n ** 53n) + 1n) },
  FP16: { datatype: 'FP16', shape: [2], data: Uint16Array.of(0x3c00, 0xfbff) },
  FP32: { datatype: 'FP32', shape: [2, 1], data: Float32Array.of(0.5, -1) },
  FP64: { datatype: 'FP64', shape: [], data: Float64Array.of(0.1) },
  text: { datatype: 'BYTES', shape: [3], data: ['', 'grüße', '\ufeff'] },
  bytes: { datatype: 'BYTES', shape: [2], data: [Uint8Array.of(1, 2), new Uint8Array(0)] },
  noText: { datatype: 'BYTES', shape: [2], data: [Uint8Array.of(0xff), new Uint8Array(0)] },
  none: { datatype: 'FP32', shape: [0, 4], data: new Float32Array(0) },
  noBytes: { datatype: 'BYTES', shape: [0], data: [] },
};

const numbers: Readonly<Record<string, (bytes: ArrayBuffer) => TensorData>> = {
  UINT8: (bytes) => new Uint8Array(bytes),
  UINT16: (bytes) => new Uint16Array(bytes),
  UINT32: (bytes) => new Uint32Array(bytes),
  UINT64: (bytes) => new BigUint64Array(bytes),
  INT8: (bytes) => new Int8Array(bytes),
  INT16: (bytes) => new Int16Array(bytes),
  INT32: (bytes) => new Int32Array(bytes),
  INT64: (bytes) => new BigInt64Array(bytes),
  FP16: (bytes) => new Uint16Array(bytes),
  FP32: (bytes) => new Float32Array(bytes),
  FP64: (bytes) => new Float64Array(bytes),
};
const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });

const numberTensors = fc.constantFrom(...Object.keys(numbers)).chain((datatype) =>
  shapes.chain((shape) => {
    const width = numbers[datatype]?.(new ArrayBuffer(64)).length ?? 1;
    const size = (elementCount(shape) * 64) / width;
    return fc.uint8Array({ minLength: size, maxLength: size }).map(
      (bytes): Tensor => ({
        datatype: datatype as Datatype,
        shape,
        data: numbers[datatype]?.(new Uint8Array(bytes).buffer) ?? [],
      }),
    );
  }),
);

function elementTensors<T extends string | Uint8Array>(elements: fc.Arbitrary<T>): fc.Arbitrary<Tensor> {
  return fc.array(elements, { maxLength: 5 }).map((data) => ({
    datatype: 'BYTES',
    shape: [data.length],
    data: data as unknown as readonly string[],
  }));
}

/** Tensors of all data types with arbitrary values. */
export const anyTensor: fc.Arbitrary<Tensor> = fc.oneof(
  numberTensors,
  elementTensors(fc.string({ unit: 'binary', maxLength: 8 })),
  // At least one element: an empty list is both bytes and text.
  elementTensors(fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => new Uint8Array(bytes))),
);
