/**
 * One call from its headers to its status, on a stream of HTTP/2. Whatever a method throws becomes a status; a client that cancels, goes
 * away or whose deadline passes aborts the signal, by which its request leaves the queue that it waits in. An answer and its status go
 * out together; a call that is over before all of it has come is closed behind its status. Nothing is read of a call before it is known that
 * its client may ask; one whose client does not take its answer is cut off.
 */
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { Cancellation } from '../../data-plane/cancellation.js';
import { isLargeAnswer, writeInPieces } from '../answer-pieces.js';
import { type AnsweredCall, answeredCall } from '../answered-call.js';
import { dropError } from '../refusal.js';
import { readRequestId } from '../request-id.js';
import type { Purpose } from '../routes.js';
import { reportFailure, type ServingSetting } from '../serving-setting.js';
import { admitWithinLimit, type Tenant } from '../tenants/tenants.js';
import { cutOffUnlessTaken } from '../unsent-streams.js';
import type { GrpcMethod } from './grpc-method.js';
import { grpcRefusal } from './grpc-refusal.js';
import { type GrpcRefusal, grpcStatus, refusing } from './grpc-status.js';
import { readGrpcTimeout } from './grpc-timeout.js';
import { acceptedEncodings, decompressed, framed, UnaryMessage } from './unary-message.js';

/** A method, and what it is for. */
export interface GuardedMethod {
  readonly method: GrpcMethod;
  readonly purpose: Purpose;
}

/** The longest time that a timer takes, in ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

// `endStream` stands there although it is the default: Node adds it to a copy, which then has a hidden class of its own.
const answerOptions = { endStream: false, waitForTrailers: true };
const answerHeaders = {
  ':status': 200,
  'content-type': 'application/grpc+proto',
  'grpc-accept-encoding': acceptedEncodings,
} as const;
const goodTrailers = { 'grpc-status': String(grpcStatus.ok) };

const lateMessage = refusing(
  grpcStatus.deadlineExceeded,
  'The request did not arrive in time. Send its message without long pauses.',
  'REQUEST_TIMEOUT',
);
const pastDeadline = refusing(grpcStatus.deadlineExceeded, 'The deadline of the call has passed.', 'DEADLINE_PASSED');

/** A stream that a client has opened. */
export interface CallStream {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
}

/** Ends a call that is none of ours. */
export function refuseCall(stream: ServerHttp2Stream, refusal: GrpcRefusal): void {
  writeRefusal(stream, refusal, readRequestId(undefined));
}

/** Reads the message of a call, runs the method and ends the call. */
export function serveCall(setting: ServingSetting, guarded: GuardedMethod, stream: CallStream): void {
  UnaryCall.begin(setting, guarded, stream);
}

/** A call under way. */
class UnaryCall {
  readonly #setting: ServingSetting;
  readonly #guarded: GuardedMethod;
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #requestId: string;
  readonly #message: UnaryMessage;
  readonly #gone = new Cancellation();
  /** Runs from the first byte to the answer. */
  readonly #patience: NodeJS.Timeout;
  #tenant: Tenant | undefined;
  #deadlineAtMs = Number.POSITIVE_INFINITY;
  #deadlineTimer: NodeJS.Timeout | undefined;
  #arriving = 0;
  #leaving = 0;
  #isReceived = false;
  #isCounted = false;
  #over = false;

  private constructor(setting: ServingSetting, guarded: GuardedMethod, { stream, headers }: CallStream) {
    this.#setting = setting;
    this.#guarded = guarded;
    this.#stream = stream;
    this.#headers = headers;
    this.#requestId = readRequestId(headers['x-request-id']);
    this.#message = new UnaryMessage(setting.maxBodyBytes);
    this.#patience = setTimeout(() => this.#hasWaited(), setting.requestTimeoutMs).unref();
  }

  static begin(setting: ServingSetting, guarded: GuardedMethod, { stream, headers }: CallStream): void {
    const call = new UnaryCall(setting, guarded, { stream, headers });
    stream.once('close', () => call.#end());
    const { purpose } = guarded;
    try {
      if (purpose !== 'probe') call.#tenant = setting.tenants?.identify(headers.authorization);
      if (purpose === 'inference' && call.#tenant !== undefined) admitWithinLimit(call.#tenant, performance.now());
    } catch (error) {
      call.#fail(error);
      return;
    }
    call.#keepDeadline(headers['grpc-timeout']);
    call.#read();
  }

  #read(): void {
    if (this.#over) return;
    this.#stream.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#stream.once('end', () => void this.#received());
  }

  /** The time is over in which the message has to come. */
  #hasWaited(): void {
    if (!this.#isReceived) this.#refuse(lateMessage);
  }

  #keepDeadline(header: unknown): void {
    if (typeof header !== 'string') return;
    const timeoutMs = readGrpcTimeout(header);
    if (Number.isNaN(timeoutMs)) {
      this.#refuse(refusing(grpcStatus.internal, 'The header grpc-timeout has no time.'));
      return;
    }
    this.#deadlineAtMs = performance.now() + timeoutMs;
    const inMs = Math.min(Math.ceil(timeoutMs), LONGEST_TIMER_MS);
    this.#deadlineTimer = setTimeout(() => this.#refuse(pastDeadline), inMs);
  }

  #take(chunk: Buffer): void {
    if (this.#over) return;
    if (!this.#setting.arriving.take(chunk.length)) {
      this.#refuse(grpcRefusal(dropError('memory-full')));
      return;
    }
    this.#arriving += chunk.length;
    const refusal = this.#message.take(chunk);
    if (refusal !== undefined) this.#refuse(refusal);
  }

  async #received(): Promise<void> {
    if (this.#over) return;
    this.#isReceived = true;
    const message = this.#message.end();
    const { maxBodyBytes } = this.#setting;
    const encoding = this.#headers['grpc-encoding'];
    const bytes =
      'code' in message || !message.compressed
        ? message
        : await decompressed(message, { encoding: String(encoding ?? 'identity'), maxBytes: maxBodyBytes });
    this.#release();
    if (this.#over) return;
    if ('code' in bytes) this.#refuse(bytes);
    else await this.#run('bytes' in bytes ? bytes.bytes : bytes);
  }

  async #run(bytes: Uint8Array): Promise<void> {
    try {
      const answer = await this.#answerTo(bytes);
      this.#leave(answer.length);
      this.#count('OK');
      this.#answer(answer);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    reportFailure(this.#setting, error);
    const refusal = grpcRefusal(error);
    this.#count(refusal.countedAs);
    this.#refuse(refusal);
  }

  /** Once for a call, whatever happens to it afterwards. */
  #count(code: AnsweredCall['code']): void {
    if (this.#isCounted || this.#guarded.purpose === 'probe') return;
    this.#isCounted = true;
    this.#setting.onAnswer(answeredCall('grpc', code, this.#tenant));
  }

  /** AppError DROPPED where the answers that leave have no room for it. */
  #leave(bytes: number): void {
    if (this.#over || this.#guarded.purpose !== 'inference') return;
    if (!this.#setting.leaving.take(bytes)) throw dropError('memory-full');
    this.#leaving = bytes;
  }

  #answerTo(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const { pipelines, phase, maxBodyBytes } = this.#setting;
    const deadlineAtMs = this.#deadlineAtMs;
    const hasDeadline = deadlineAtMs < Number.POSITIVE_INFINITY;
    return this.#guarded.method(bytes, {
      pipelines,
      maxBodyBytes,
      requestId: this.#requestId,
      phase: phase(),
      signal: this.#gone,
      remainingMs: hasDeadline ? deadlineAtMs - performance.now() : undefined,
    });
  }

  #answer(message: Uint8Array): void {
    if (this.#over) return;
    this.#over = true;
    this.#endWaiting();
    this.#release();
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    stream.respond({ 'x-request-id': this.#requestId, ...answerHeaders }, answerOptions);
    stream.once('wantTrailers', () => stream.sendTrailers(goodTrailers));
    const [head, body] = framed(message) as [Uint8Array, Uint8Array];
    if (isLargeAnswer(message.length)) {
      writeInPieces(stream, [head, body]);
      return;
    }
    stream.cork();
    stream.write(head);
    stream.end(body);
    stream.uncork();
  }

  #refuse(refusal: GrpcRefusal): void {
    if (this.#over) return;
    this.#over = true;
    this.#endWaiting();
    this.#release();
    this.#gone.abort();
    this.#count(refusal.countedAs);
    writeRefusal(this.#stream, refusal, this.#requestId);
  }

  /** From now on it is the client that has to take something. */
  #endWaiting(): void {
    clearTimeout(this.#patience);
    cutOffUnlessTaken(this.#stream, this.#setting.requestTimeoutMs);
  }

  /** The stream is gone, or written to its end. */
  #end(): void {
    clearTimeout(this.#patience);
    this.#setting.leaving.release(this.#leaving);
    this.#leaving = 0;
    if (this.#over) return;
    this.#over = true;
    this.#release();
    this.#gone.abort();
  }

  #release(): void {
    if (this.#over) clearTimeout(this.#deadlineTimer);
    this.#setting.arriving.release(this.#arriving);
    this.#arriving = 0;
  }
}

function writeRefusal(stream: ServerHttp2Stream, { code, details, fields }: GrpcRefusal, requestId: string): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  stream.respond(
    {
      'x-request-id': requestId,
      'grpc-status': String(code),
      'grpc-message': encodeURI(details),
      ...answerHeaders,
      ...fields,
    },
    { endStream: true },
  );
  if (stream.readableEnded) return;
  stream.resume();
  stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR));
}
