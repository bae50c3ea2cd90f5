/**
 * Reads the message of an inference request. The fields of most requests are read here, because the reflection of the
 * library makes several objects for each field. The library reads all other fields.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { malformedMessage } from './grpc-methods.js';
import type { TensorEntry } from './grpc-tensors.js';
import {
  type ModelInferRequest,
  ModelInferRequest_InferInputTensorSchema,
  ModelInferRequestSchema,
} from './open-inference.gen.js';

type SameFields = 'modelName' | 'modelVersion' | 'id' | 'parameters' | 'rawInputContents';

export interface InferMessage extends Readonly<Pick<ModelInferRequest, SameFields>> {
  readonly inputs: readonly TensorEntry[];
  readonly outputs: readonly { readonly name: string }[];
}

const requestFields = ModelInferRequestSchema.field;
const tensorFields = ModelInferRequest_InferInputTensorSchema.field;
const options = { readUnknownFields: false };
const NO_OTHERS = { parameters: {}, outputs: [], contents: undefined };

/** Throws MALFORMED_REQUEST. Byte fields are views of `bytes`. */
export function readInferMessage(bytes: Uint8Array<ArrayBuffer>): InferMessage {
  try {
    return new InferReader(bytes).request();
  } catch {
    throw malformedMessage(ModelInferRequestSchema);
  }
}

class InferReader extends BinaryReader {
  request(): InferMessage {
    let modelName = '';
    let modelVersion = '';
    let id = '';
    const inputs: TensorEntry[] = [];
    const rawInputContents: Uint8Array<ArrayBuffer>[] = [];
    const others: Uint8Array[] = [];
    while (this.pos < this.len) {
      const start = this.pos;
      const [field, wireType] = this.tag();
      if (field === requestFields.modelName.number) modelName = this.string(true);
      else if (field === requestFields.modelVersion.number) modelVersion = this.string(true);
      else if (field === requestFields.id.number) id = this.string(true);
      else if (field === requestFields.inputs.number) inputs.push(this.#tensor());
      else if (field === requestFields.rawInputContents.number)
        rawInputContents.push(this.bytes() as Uint8Array<ArrayBuffer>);
      else others.push(this.#skipped(start, field, wireType));
    }
    const { parameters, outputs } =
      others.length === 0 ? NO_OTHERS : fromBinary(ModelInferRequestSchema, joined(others), options);
    return { modelName, modelVersion, id, parameters, inputs, outputs, rawInputContents };
  }

  #tensor(): TensorEntry {
    const length = this.uint32();
    const end = this.pos + length;
    let name = '';
    let datatype = '';
    const shape: bigint[] = [];
    const others: Uint8Array[] = [];
    while (this.pos < end) {
      const start = this.pos;
      const [field, wireType] = this.tag();
      if (field === tensorFields.name.number) name = this.string(true);
      else if (field === tensorFields.datatype.number) datatype = this.string(true);
      else if (field === tensorFields.shape.number) this.#integers(wireType, shape);
      else others.push(this.#skipped(start, field, wireType));
    }
    if (this.pos !== end) throw new RangeError('a field goes beyond its message');
    const { parameters, contents } =
      others.length === 0 ? NO_OTHERS : fromBinary(ModelInferRequest_InferInputTensorSchema, joined(others), options);
    return { name, datatype, shape, parameters, contents };
  }

  #integers(wireType: WireType, integers: bigint[]): void {
    if (wireType !== WireType.LengthDelimited) {
      integers.push(BigInt(this.int64()));
      return;
    }
    const length = this.uint32();
    const end = this.pos + length;
    while (this.pos < end) integers.push(BigInt(this.int64()));
  }

  /** Skips a field that begins at `start`, and returns its bytes. */
  #skipped(start: number, field: number, wireType: WireType): Uint8Array {
    this.skip(wireType, field);
    return this.buf.subarray(start, this.pos);
  }
}

/** In memory of its own, not of the pool of all Buffers: byte fields are views of it, and move to other threads. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
