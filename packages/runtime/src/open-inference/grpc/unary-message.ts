/**
 * The one message of a call as its bytes come: behind a byte that says whether it is compressed and four that tell its length. What
 * cannot become such a message is refused as early as that shows.
 */
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { type GrpcRefusal, grpcStatus, refusing } from './grpc-status.js';

const PREFIX_BYTES = 5;

/** How messages may be compressed, as a server tells it its clients. */
export const acceptedEncodings = 'identity,deflate,gzip';

const decompressors = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;

/** A message that is whole. */
export interface WholeMessage {
  readonly compressed: boolean;
  readonly bytes: Uint8Array;
}

/** Puts a message together. */
export class UnaryMessage {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #wholeLength = Number.POSITIVE_INFINITY;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that have come. */
  get length(): number {
    return this.#length;
  }

  /** Takes bytes in; why the call is over, if it is. */
  take(chunk: Buffer): GrpcRefusal | undefined {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#wholeLength === Number.POSITIVE_INFINITY && this.#length >= PREFIX_BYTES) {
      const bytes = this.#head().readUInt32BE(1);
      this.#wholeLength = PREFIX_BYTES + bytes;
      if (bytes > this.#maxBytes) return tooLarge(this.#maxBytes);
    }
    return this.#length > this.#wholeLength ? notOneMessage : undefined;
  }

  /** The message, once no more bytes come. */
  end(): WholeMessage | GrpcRefusal {
    if (this.#length === 0) return notOneMessage;
    if (this.#length !== this.#wholeLength) return refusing(grpcStatus.internal, 'The message ended early.');
    const [first] = this.#chunks;
    const whole = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
    return { compressed: whole[0] !== 0, bytes: whole.subarray(PREFIX_BYTES) };
  }

  /** The beginning in one piece, however small the pieces are in which it came. */
  #head(): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= PREFIX_BYTES) return first;
    this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] as Buffer;
  }
}

/** A message as it was before it was compressed, or why that cannot be. */
export async function decompressed(
  { bytes }: WholeMessage,
  { encoding, maxBytes }: { readonly encoding: string; readonly maxBytes: number },
): Promise<Uint8Array | GrpcRefusal> {
  if (encoding !== 'gzip' && encoding !== 'deflate') {
    const problem = `Messages may be compressed by ${acceptedEncodings}.`;
    return refusing(grpcStatus.unimplemented, problem, 'UNSUPPORTED_MEDIA_TYPE');
  }
  try {
    return await decompressors[encoding](bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    const isLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    return isLarge ? tooLarge(maxBytes) : refusing(grpcStatus.internal, 'The message cannot be decompressed.');
  }
}

/** A message as it stands in a stream, in parts that are not put together where they are large. */
export function framed(message: Uint8Array): readonly Uint8Array[] {
  const head = Buffer.allocUnsafe(PREFIX_BYTES);
  head[0] = 0;
  head.writeUInt32BE(message.length, 1);
  return [head, message];
}

const notOneMessage = refusing(grpcStatus.unimplemented, 'A call has one message.');

function tooLarge(maxBytes: number): GrpcRefusal {
  const problem = `The message is larger than the limit of ${maxBytes} bytes.`;
  return refusing(grpcStatus.resourceExhausted, problem, 'BODY_TOO_LARGE');
}
