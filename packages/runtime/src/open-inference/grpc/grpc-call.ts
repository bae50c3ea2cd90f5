/**
 * A gRPC call on an HTTP/2 stream. A cancelled call, a closed connection or a passed deadline aborts the signal, and
 * the request leaves its queue. If a call ends before its whole message has arrived, the stream is closed after the
 * status.
 */
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { MOST_SMALL_BYTES, type UnfinishedBody } from '../../data-plane/bytes-in-flight.js';
import { watchSlowStream, writeAnswer } from '../../net/backpressure.js';
import { Call, type Caller, type CallRules, type Purpose } from '../../net/call.js';
import { FIRST_BODY_BYTE_MS } from '../../net/connection-limit.js';
import { readTurns } from '../../net/fair-turns.js';
import { dropError } from '../../net/refusal.js';
import {
  acceptedEncodings,
  checkStatedSize,
  decompressed,
  framed,
  queuedBytes,
  UnaryMessage,
  unpackingMemory,
  type WholeMessage,
} from './grpc-message.js';
import { GrpcError, grpcRefusal, grpcStatus } from './grpc-status.js';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

// Node copies options without `endStream`, and each copy gets its own hidden class.
const answerOptions = { endStream: false, waitForTrailers: true };
const answerHeaders = {
  ':status': 200,
  'content-type': 'application/grpc+proto',
  'grpc-accept-encoding': acceptedEncodings,
} as const;
const goodTrailers = { 'grpc-status': String(grpcStatus.ok) };

const perMs = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 } as const;
const TIMEOUT_FORM = /^(\d{1,8})([HMSmun])$/;

/** Time (ms) in a `grpc-timeout` header: up to eight digits and a unit. NaN if invalid. */
export function readGrpcTimeout(header: string): number {
  const [, digits, unit] = TIMEOUT_FORM.exec(header) ?? [];
  return digits === undefined ? Number.NaN : Number(digits) * perMs[unit as keyof typeof perMs];
}

export interface CallStream {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
}

export abstract class GrpcCall<R extends { readonly purpose: Purpose }, A = Uint8Array, C extends Caller = Caller>
  extends Call<R, A, C>
  implements UnfinishedBody
{
  protected readonly stream: ServerHttp2Stream;
  protected readonly headers: IncomingHttpHeaders;
  #message: UnaryMessage;
  #messageTimer: NodeJS.Timeout | undefined;
  #deadlineAtMs = Number.POSITIVE_INFINITY;
  #deadlineTimer: NodeJS.Timeout | undefined;
  #inboundBytes = 0;
  #unpackedBytes = 0;
  #isUnpacking = false;

  protected constructor(rules: CallRules, { stream, headers }: CallStream) {
    super(rules, 'grpc', headers['x-request-id']);
    this.stream = stream;
    this.headers = headers;
    this.#message = new UnaryMessage(rules.maxBodyBytes);
    stream.on('close', () => this.gone());
  }

  protected get connection(): object {
    return this.stream.session ?? this.stream;
  }

  protected get isReading(): boolean {
    return this.stream.readableFlowing !== null && !this.stream.readableEnded;
  }

  makeRoom(): void {
    this.fail(dropError('memory-full'));
  }

  protected abstract answer(route: R, message: Uint8Array): A | Promise<A>;

  /** Maximum size of a message (bytes), packed or unpacked. */
  protected mostBytes(_: R): number {
    return this.rules.maxBodyBytes;
  }

  /** Time (ms) until the client's deadline; undefined without one. */
  protected get remainingMs(): number | undefined {
    return this.#deadlineAtMs < Number.POSITIVE_INFINITY ? this.#deadlineAtMs - performance.now() : undefined;
  }

  protected async run(route: R): Promise<A> {
    this.#message = new UnaryMessage(this.mostBytes(route));
    this.#startTimers(this.headers['grpc-timeout']);
    const message = await this.#received();
    let { bytes } = message;
    if (message.compressed) bytes = await this.#unpacked(message, this.mostBytes(route));
    this.#releaseInbound();
    return this.answer(route, bytes);
  }

  protected end(): void {
    clearTimeout(this.#messageTimer);
    clearTimeout(this.#deadlineTimer);
    // Unpacking keeps the message in memory, even after the call.
    if (this.#isUnpacking) return;
    this.#releaseInbound();
    this.releaseUnpacked();
  }

  /** Releases the memory of the unpacked message. Long calls release it once the message is decoded. */
  protected releaseUnpacked(): void {
    if (this.#unpackedBytes === 0) return;
    unpackingMemory.release(this.#unpackedBytes);
    this.#unpackedBytes = 0;
  }

  protected writeRefusal(error: unknown): void {
    const { stream } = this;
    watchSlowStream(stream, this.rules.requestTimeoutMs);
    if (stream.destroyed || stream.closed || stream.headersSent) return;
    const { code, details, fields } = grpcRefusal(error);
    stream.respond(
      {
        'x-request-id': this.requestId,
        'grpc-status': String(code),
        'grpc-message': encodeURI(details),
        ...answerHeaders,
        ...fields,
      },
      { endStream: true },
    );
    if (stream.readableEnded) return;
    stream.resume();
    // If a stream is closed at once, Node 22 resets it before its headers are sent.
    stream.once('finish', () => setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)));
  }

  protected respond(trailers: Readonly<Record<string, string>> = goodTrailers): void {
    const { stream } = this;
    stream.respond({ 'x-request-id': this.requestId, ...answerHeaders }, answerOptions);
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  }

  async #unpacked(message: WholeMessage, maxBytes: number): Promise<Uint8Array> {
    const unpacking = { encoding: String(this.headers['grpc-encoding'] ?? 'identity'), maxBytes };
    checkStatedSize(message, unpacking);
    this.#isUnpacking = true;
    this.#unpackedBytes = queuedBytes(message.bytes.length, maxBytes);
    if (this.#unpackedBytes > 0) await unpackingMemory.take(this.connection, this.#unpackedBytes);
    try {
      this.#throwIfOver();
      const bytes = await decompressed(message, unpacking);
      this.#throwIfOver();
      return bytes;
    } finally {
      this.#isUnpacking = false;
      if (this.isOver) this.end();
    }
  }

  #throwIfOver(): void {
    if (this.isOver) throw dropError('cancelled');
  }

  #startTimers(timeout: unknown): void {
    this.#awaitMessage(FIRST_BODY_BYTE_MS, this.rules.requestTimeoutMs);
    if (typeof timeout !== 'string') return;
    const timeoutMs = readGrpcTimeout(timeout);
    if (Number.isNaN(timeoutMs)) throw new GrpcError(grpcStatus.internal, 'The header grpc-timeout has no time.');
    this.#deadlineAtMs = performance.now() + timeoutMs;
    const inMs = Math.min(Math.ceil(timeoutMs), LONGEST_TIMER_MS);
    this.#deadlineTimer = setTimeout(() => this.fail(pastDeadline()), inMs);
  }

  /** Limits the time to the first byte, then the time to the last byte. */
  #awaitMessage(firstMs: number, wholeMs: number): void {
    const late = () => {
      if (firstMs >= wholeMs || this.#message.length === 0) this.fail(lateMessage());
      else this.#awaitMessage(wholeMs - firstMs, wholeMs - firstMs);
    };
    this.#messageTimer = setTimeout(late, Math.min(firstMs, wholeMs)).unref();
  }

  /** The whole message; never settles if the call ends earlier. */
  #received(): Promise<WholeMessage> {
    return new Promise((resolve) => {
      this.stream.on('data', (chunk: Buffer<ArrayBuffer>) => this.#take(chunk));
      const ended = () => {
        clearTimeout(this.#messageTimer);
        this.rules.inbound.forget(this);
        try {
          if (!this.isOver) resolve(this.#message.end());
        } catch (error) {
          this.fail(error);
        }
      };
      // A stream without data may end before its call begins.
      if (this.stream.readableEnded) ended();
      else this.stream.on('end', ended);
    });
  }

  #take(chunk: Buffer<ArrayBuffer>): void {
    if (this.isOver) return;
    try {
      if (!this.rules.inbound.take(chunk.length, this.#inboundBytes, this)) throw dropError('memory-full');
      this.#inboundBytes += chunk.length;
      this.rules.inbound.noteProgress(this);
      this.#message.take(chunk);
      if (this.#inboundBytes > MOST_SMALL_BYTES) {
        readTurns.take(this.stream, chunk.length, { hasHadTurn: false, isPressed: this.pressure.isHigh });
      }
    } catch (error) {
      this.fail(error);
    }
  }

  #releaseInbound(): void {
    this.rules.inbound.forget(this);
    this.rules.inbound.release(this.#inboundBytes);
    this.#inboundBytes = 0;
  }
}

export abstract class UnaryCall<R extends { readonly purpose: Purpose }, C extends Caller = Caller> extends GrpcCall<
  R,
  Uint8Array,
  C
> {
  protected lengthOf(message: Uint8Array): number {
    return message.length;
  }

  protected write(message: Uint8Array): void {
    const { stream } = this;
    if (stream.destroyed || stream.closed) return;
    this.respond();
    writeAnswer(stream, framed(message), message.length);
    watchSlowStream(stream, this.rules.requestTimeoutMs);
  }
}

function lateMessage(): GrpcError {
  const problem = 'The request did not arrive in time. Send its message without long pauses.';
  return new GrpcError(grpcStatus.deadlineExceeded, problem, 'REQUEST_TIMEOUT');
}

function pastDeadline(): GrpcError {
  return new GrpcError(grpcStatus.deadlineExceeded, 'The deadline of the call has passed.', 'DEADLINE_PASSED');
}
