/**
 * The single message of a call: one byte for compression, four for the length, then the content. Invalid messages are
 * refused as early as possible.
 */
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { BodyChunks } from '../../net/body.js';
import { GrpcError, grpcStatus } from './grpc-status.js';

const PREFIX_BYTES = 5;
/** Up to this size (bytes), a copy behind the prefix costs less than a second write. */
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

  /** Throws the error of a message that is too long, in too many chunks, or followed by another. */
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

/** Rejects with a GrpcError if the content cannot be decompressed. */
export async function decompressed(
  { bytes }: WholeMessage,
  { encoding, maxBytes }: { readonly encoding: string; readonly maxBytes: number },
): Promise<Uint8Array> {
  if (encoding !== 'gzip' && encoding !== 'deflate') {
    const problem = `Messages may be compressed by ${acceptedEncodings}.`;
    throw new GrpcError(grpcStatus.unimplemented, problem, 'UNSUPPORTED_MEDIA_TYPE');
  }
  try {
    return await decompressors[encoding](bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    const isLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw isLarge ? tooLarge(maxBytes) : new GrpcError(grpcStatus.internal, 'The message cannot be decompressed.');
  }
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
