/**
 * The single message of a call: one byte for compression, four for the length, then the content. Invalid messages are
 * refused as early as possible.
 */
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { BodyChunks } from '../../net/body.js';
import { MemoryQueue } from '../../net/fair-turns.js';
import { GrpcError, grpcStatus } from './grpc-status.js';

const PREFIX_BYTES = 5;
/** Up to this size (bytes), a copy after the prefix costs less than a second write. */
const MOST_COPIED = 64 * 1024;

export const acceptedEncodings = 'identity,deflate,gzip';

const decompressors = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;

export interface WholeMessage {
  readonly compressed: boolean;
  readonly bytes: Uint8Array;
}

export class UnaryMessage {
  readonly #maxBytes: number;
  readonly #chunks = new BodyChunks();
  #statedBytes = 0;
  #wholeLength = Number.POSITIVE_INFINITY;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#chunks.length;
  }

  /** Throws the error of a message that is too long, in too many chunks, or followed by another message. */
  take(chunk: Buffer<ArrayBuffer>): void {
    const before = this.length;
    for (let at = before; at < PREFIX_BYTES && at - before < chunk.length; at++) {
      if (at > 0) this.#statedBytes = 256 * this.#statedBytes + (chunk[at - before] as number);
    }
    this.#chunks.take(chunk);
    if (this.#wholeLength === Number.POSITIVE_INFINITY && this.length >= PREFIX_BYTES) {
      this.#wholeLength = PREFIX_BYTES + this.#statedBytes;
      if (this.#statedBytes > this.#maxBytes) throw tooLarge(this.#maxBytes);
    }
    if (this.length > this.#wholeLength) throw notOneMessage();
  }

  /** Returns the whole message; throws a GrpcError if it is incomplete. */
  end(): WholeMessage {
    if (this.length === 0) throw notOneMessage();
    if (this.length !== this.#wholeLength) throw new GrpcError(grpcStatus.internal, 'The message ended early.');
    const chunks = this.#chunks.takeAll();
    const [first] = chunks;
    const whole = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
    return { compressed: whole[0] !== 0, bytes: whole.subarray(PREFIX_BYTES) };
  }
}

/** Maximum unpacked bytes per packed byte in the deflate format. */
const MOST_EXPANSION = 1032;
const LEAST_CHUNK_BYTES = 16 * 1024;

/** Memory of unpacked messages until they are decoded. All ports of a process share it. */
export const unpackingMemory = new MemoryQueue(16 * 1024 * 1024);

/** Messages of at most this unpacked size do not wait. */
const MOST_UNQUEUED_BYTES = 64 * 1024;

/** Memory (bytes) that a packed message waits for. */
export function queuedBytes(packedBytes: number, maxBytes: number): number {
  const most = mostUnpacked(packedBytes, maxBytes);
  return most > MOST_UNQUEUED_BYTES ? most : 0;
}

export function mostUnpacked(packedBytes: number, maxBytes: number): number {
  return Math.min(maxBytes, MOST_EXPANSION * packedBytes);
}

interface Unpacking {
  readonly encoding: string;
  readonly maxBytes: number;
}

/** Throws the error of a message that states a larger size than allowed, so that it need not be unpacked. */
export function checkStatedSize({ bytes }: WholeMessage, { encoding, maxBytes }: Unpacking): void {
  if (statedBytes(bytes, encoding) > maxBytes) throw tooLarge(maxBytes);
}

/** Rejects with a GrpcError if the content cannot be decompressed. */
export async function decompressed({ bytes }: WholeMessage, { encoding, maxBytes }: Unpacking): Promise<Uint8Array> {
  if (encoding !== 'gzip' && encoding !== 'deflate') {
    const problem = `Messages may be compressed by ${acceptedEncodings}.`;
    throw new GrpcError(grpcStatus.unimplemented, problem, 'UNSUPPORTED_MEDIA_TYPE');
  }
  // A buffer of the stated length needs no copy at the end.
  const expected = Math.min(statedBytes(bytes, encoding), mostUnpacked(bytes.length, maxBytes)) + 1;
  try {
    const chunkSize = Math.max(LEAST_CHUNK_BYTES, expected);
    return await decompressors[encoding](bytes, { maxOutputLength: maxBytes, chunkSize });
  } catch (error) {
    const isLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw isLarge ? tooLarge(maxBytes) : new GrpcError(grpcStatus.internal, 'The message cannot be decompressed.');
  }
}

/** Length stated at the end of gzip data, possibly wrong; 0 if none is stated. */
function statedBytes(bytes: Uint8Array, encoding: string): number {
  if (encoding !== 'gzip' || bytes.length < 4) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4, true);
}

/** Frames a message for the stream: one part, unless the message is large. */
export function framed(message: Uint8Array): readonly Uint8Array[] {
  const isCopied = message.length <= MOST_COPIED;
  const head = Buffer.allocUnsafe(PREFIX_BYTES + (isCopied ? message.length : 0));
  head[0] = 0;
  head.writeUInt32BE(message.length, 1);
  if (!isCopied) return [head, message];
  head.set(message, PREFIX_BYTES);
  return [head];
}

const notOneMessage = () => new GrpcError(grpcStatus.unimplemented, 'A call has one message.');

function tooLarge(maxBytes: number): GrpcError {
  const problem = `The message is larger than the limit of ${maxBytes} bytes.`;
  return new GrpcError(grpcStatus.resourceExhausted, problem, 'BODY_TOO_LARGE');
}
