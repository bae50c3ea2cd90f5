/**
 * Messages between two local processes as bytes. A frame is the header's length (32 bits, little-endian), the header as
 * JSON, and the tensor buffers. The header's `bufferBytes` lists their lengths. A tensor in the header is `{datatype,
 * shape, buffer}`; `buffer` is the index of its data, row-major and little-endian. BYTES elements are prefixed by their
 * length (32 bits); `text` marks strings.
 */
import {
  type Datatype,
  elementCount,
  numericStorage,
  type Tensor,
  type TensorData,
  type TensorMap,
} from '@equipoise/core/model';

const MAX_HEADER_BYTES = 64 * 1024 ** 2;
const MAX_BUFFER_BYTES = 4 * 1024 ** 3;
/** Smaller frames are copied into one buffer, because a system call with many buffers costs more. */
const JOIN_BELOW_BYTES = 64 * 1024;
const LENGTH_BYTES = 4;

interface TensorHeader {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly buffer: number;
  readonly text?: true;
}

function elementBytes(elements: readonly (string | Uint8Array)[]): Uint8Array {
  const parts = elements.flatMap((element) => {
    const bytes = typeof element === 'string' ? Buffer.from(element, 'utf8') : element;
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(bytes.byteLength);
    return [length, bytes];
  });
  return Buffer.concat(parts);
}

/** A tensor may mix strings and bytes. The receiver then gets bytes, because not all bytes are text. */
const isText = (data: TensorData): boolean =>
  !ArrayBuffer.isView(data) && (data as readonly unknown[]).every((element) => typeof element === 'string');

function bytesOf(data: TensorData): Uint8Array {
  if (!ArrayBuffer.isView(data)) return elementBytes(data as readonly (string | Uint8Array)[]);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * Chunks of a frame, in order. `body` is the message without its tensors. The tensors must not change before they are
 * written.
 */
export function frameOf(body: object, tensors: readonly TensorMap[]): readonly Uint8Array[] {
  const buffers: Uint8Array[] = [];
  const headers = tensors.map((map) =>
    Object.fromEntries(
      Object.entries(map).map(([name, { datatype, shape, data }]): [string, TensorHeader] => {
        const buffer = buffers.push(bytesOf(data)) - 1;
        const text = datatype === 'BYTES' && data.length > 0 && isText(data);
        return [name, { datatype, shape, buffer, ...(text ? { text } : {}) }];
      }),
    ),
  );
  const bufferBytes = buffers.map(({ byteLength }) => byteLength);
  const header = Buffer.from(JSON.stringify({ tensors: headers, bufferBytes, ...body }), 'utf8');
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(header.length);
  const chunks = [length, header, ...buffers.filter(({ byteLength }) => byteLength > 0)];
  const total = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return total < JOIN_BELOW_BYTES ? [Buffer.concat(chunks, total)] : chunks;
}

export interface Frame {
  readonly body: Readonly<Record<string, unknown>>;
  readonly tensors: readonly TensorMap[];
}

interface Header {
  readonly body: Readonly<Record<string, unknown>>;
  readonly tensors: readonly Readonly<Record<string, TensorHeader>>[];
  readonly buffers: readonly ArrayBuffer[];
}

function readHeader(bytes: Uint8Array): Header {
  const { tensors, bufferBytes, ...body } = JSON.parse(Buffer.from(bytes).toString('utf8'));
  if (!Array.isArray(tensors) || !Array.isArray(bufferBytes)) throw new Error('a header without tensors');
  const total = bufferBytes.reduce((sum: number, size: unknown) => {
    if (!Number.isSafeInteger(size) || (size as number) < 0) throw new Error(`a buffer of ${size} bytes`);
    return sum + (size as number);
  }, 0);
  if (total > MAX_BUFFER_BYTES) throw new Error(`${total} bytes of tensors`);
  return { body, tensors, buffers: bufferBytes.map((size: number) => new ArrayBuffer(size)) };
}

function elementsOf(buffer: ArrayBuffer, text: boolean): readonly string[] | readonly Uint8Array[] {
  const bytes = Buffer.from(buffer);
  const elements: (string | Uint8Array)[] = [];
  for (let at = 0; at < bytes.length; ) {
    const from = at + LENGTH_BYTES;
    at = from + bytes.readUInt32LE(at);
    if (at > bytes.length) throw new Error('an element that goes beyond its buffer');
    elements.push(text ? bytes.toString('utf8', from, at) : new Uint8Array(buffer.slice(from, at)));
  }
  return elements as readonly string[];
}

function dataOf({ datatype, text }: TensorHeader, buffer: ArrayBuffer): TensorData {
  if (datatype === 'BYTES') return elementsOf(buffer, text === true);
  const storage = numericStorage[datatype];
  if (storage === undefined) throw new Error(`a tensor of datatype ${datatype}`);
  return new storage(buffer);
}

function tensorOf(name: string, header: TensorHeader, buffers: readonly ArrayBuffer[]): Tensor {
  const { datatype, shape } = header;
  const buffer = buffers[header.buffer];
  if (buffer === undefined || !Array.isArray(shape)) throw new Error(`tensor '${name}' without a buffer or shape`);
  const data = dataOf(header, buffer);
  if (data.length !== elementCount(shape))
    throw new Error(`tensor '${name}' with ${data.length} elements for the shape [${shape.join(', ')}]`);
  return { datatype, shape, data };
}

/**
 * Assembles frames from chunks of a socket. Each tensor gets its own buffer, so that it can be transferred without a
 * copy.
 */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  #header: Header | undefined;
  #target: Uint8Array = new Uint8Array(LENGTH_BYTES);
  #filled = 0;
  #reading: 'length' | 'header' | number = 'length';

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** Calls back for every completed frame. Throws an Error that names the unreadable part. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.byteLength) {
      const part = chunk.subarray(at, at + this.#target.byteLength - this.#filled);
      this.#target.set(part, this.#filled);
      this.#filled += part.byteLength;
      at += part.byteLength;
      // A loop, because an empty buffer is full at once.
      while (this.#filled === this.#target.byteLength) this.#next();
    }
  }

  #next(): void {
    if (this.#reading === 'length') {
      const bytes = Buffer.from(this.#target).readUInt32LE();
      if (bytes === 0 || bytes > MAX_HEADER_BYTES) throw new Error(`a header of ${bytes} bytes`);
      this.#read('header', new Uint8Array(bytes));
      return;
    }
    if (this.#reading === 'header') this.#header = readHeader(this.#target);
    const index = this.#reading === 'header' ? 0 : this.#reading + 1;
    const { body, tensors, buffers } = this.#header as Header;
    const buffer = buffers[index];
    if (buffer !== undefined) {
      this.#read(index, new Uint8Array(buffer));
      return;
    }
    this.#read('length', new Uint8Array(LENGTH_BYTES));
    const maps = tensors.map((map) =>
      Object.fromEntries(Object.entries(map).map(([name, header]) => [name, tensorOf(name, header, buffers)])),
    );
    this.#onFrame({ body, tensors: maps });
  }

  #read(what: 'length' | 'header' | number, target: Uint8Array): void {
    this.#reading = what;
    this.#target = target;
    this.#filled = 0;
  }
}
