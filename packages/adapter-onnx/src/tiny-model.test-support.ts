/** Writes tiny ONNX models: the needed part of the protobuf wire format and of onnx.proto (IR version 8, opset 13). */

const dataTypes = { FP32: 1, UINT8: 2, INT64: 7, BYTES: 8, BOOL: 9, FP16: 10, FP64: 11 } as const;

/** Graph input or output; a dimension given as a word is symbolic. */
export interface TinyValue {
  readonly name: string;
  readonly datatype: keyof typeof dataTypes;
  readonly shape: readonly (number | string)[];
}

/** Graph of operators without attributes, with FP32 constants. */
export interface TinyGraph {
  readonly inputs: readonly TinyValue[];
  readonly outputs: readonly TinyValue[];
  readonly constants?: Readonly<
    Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>
  >;
  readonly nodes: readonly { readonly op: string; readonly inputs: readonly string[]; readonly output: string }[];
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

const number = (field: number, value: number): Buffer => Buffer.concat([varint(field * 8), varint(value)]);

function message(field: number, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return Buffer.concat([varint(field * 8 + 2), varint(body.length), body]);
}

function valueInfo(field: number, { name, datatype, shape }: TinyValue): Buffer {
  const dimensions = shape.map((size) => message(1, typeof size === 'string' ? message(2, size) : number(1, size)));
  return message(
    field,
    message(1, name),
    message(2, message(1, number(1, dataTypes[datatype]), message(2, ...dimensions))),
  );
}

/** Bytes of an ONNX file with this graph. */
export function tinyModel({ inputs, outputs, constants = {}, nodes }: TinyGraph): Buffer {
  const graph = [
    ...nodes.map(({ op, inputs: from, output }) =>
      message(1, ...from.map((name) => message(1, name)), message(2, output), message(4, op)),
    ),
    message(2, 'tiny'),
    ...Object.entries(constants).map(([name, { shape, data }]) =>
      message(
        5,
        ...shape.map((size) => number(1, size)),
        number(2, dataTypes.FP32),
        message(8, name),
        message(9, new Uint8Array(Float32Array.from(data).buffer)),
      ),
    ),
    ...inputs.map((value) => valueInfo(11, value)),
    ...outputs.map((value) => valueInfo(12, value)),
  ];
  return Buffer.concat([number(1, 8), message(7, ...graph), message(8, number(2, 13))]);
}
