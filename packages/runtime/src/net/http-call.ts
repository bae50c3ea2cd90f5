/**
 * A call over HTTP. After the answer, an unread body is discarded, so that a client that still sends can read the
 * answer. If the body does not end soon, the HTTP/1.1 connection is closed. An HTTP/2 stream is closed at once.
 */
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { BINARY_MEDIA_TYPE, JSON_LENGTH_HEADER } from '@equipoise/open-inference-codec';
import { freeChunk } from '../data-plane/free-memory.js';
import type { Pressure } from './accept-pressure.js';
import type { Answer, StreamSink } from './answer.js';
import { type AnswerSink, type SlowReaders, watchSlowStream, writeAnswer } from './backpressure.js';
import { type BodyLayout, type BodyLimit, type RequestBody, readBody } from './body.js';
import { Call, type Caller, type CallRules, type Purpose } from './call.js';
import type { ServingPhase } from './drain.js';
import { readTurns } from './fair-turns.js';
import { ignoreRest, refusal } from './refusal.js';

export interface HttpExchange {
  readonly request: RequestBody & {
    readonly method?: string | undefined;
    readonly url?: string | undefined;
    readonly complete: boolean;
  };
  readonly response: HttpResponse;
  /** True if the client sends its body only after status 100. */
  readonly awaitsContinue: boolean;
  /** Time limit (ms) for the body; undefined if the server sets it. */
  readonly bodyTimeoutMs: number | undefined;
  readonly connection: object;
  isGone(): boolean;
  /** Calls `listener` if the client goes away before the response is written. */
  onGone(listener: () => void): void;
  /** Calls `listener` once the response has left or its client is gone. Cuts off slow readers. */
  onSent(listener: () => void): void;
  /** The response as a stream that may be idle for long. */
  stream(): StreamSink;
  headersIn(phase: ServingPhase): Readonly<Record<string, string>>;
  discardRest(): void;
  /** Ignores the rest of the connection. */
  stopReading?(): void;
}

export interface HttpResponse extends AnswerSink {
  readonly headersSent: boolean;
  writeContinue(): void;
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
}

const LINGER_MS = 2000;
const MOST_DISCARDED_CHUNKS = 1024;
/** Bytes of one connection. */
const MOST_DISCARDED_PER_TURN = 1024 * 1024;
const NO_QUERY = new URLSearchParams();
const NO_HEADERS: Readonly<Record<string, string>> = {};
const CLOSE_HEADERS: Readonly<Record<string, string>> = { connection: 'close' };

/** The slow readers and the new clients are those of the port. */
interface Http1Place {
  readonly awaitsContinue: boolean;
  readonly slowReaders: SlowReaders;
  readonly pressure: Pressure;
}

export class Http1Exchange implements HttpExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly awaitsContinue: boolean;
  readonly bodyTimeoutMs = undefined;
  readonly #slowReaders: SlowReaders;
  readonly #pressure: Pressure;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    { awaitsContinue, slowReaders, pressure }: Http1Place,
  ) {
    this.request = request;
    this.response = response;
    this.awaitsContinue = awaitsContinue;
    this.#slowReaders = slowReaders;
    this.#pressure = pressure;
  }

  get connection(): object {
    return this.request.socket;
  }

  isGone(): boolean {
    return this.request.socket.destroyed;
  }

  onGone(listener: () => void): void {
    this.response.on('close', () => {
      if (!this.response.writableFinished) listener();
    });
  }

  onSent(listener: () => void): void {
    this.#slowReaders.watch(this.response, listener);
  }

  stream(): StreamSink {
    return streamOf(this.response, () => this.request.socket.destroy());
  }

  headersIn(phase: ServingPhase): Readonly<Record<string, string>> {
    return phase === 'draining' || phase === 'closing' ? CLOSE_HEADERS : NO_HEADERS;
  }

  stopReading(): void {
    ignoreRest(this.request.socket);
  }

  discardRest(): void {
    const { request } = this;
    let chunks = 0;
    let bytes = 0;
    request.on('data', (chunk: Uint8Array) => {
      const { length } = chunk;
      freeChunk(chunk);
      if (++chunks === MOST_DISCARDED_CHUNKS) request.socket.destroy();
      bytes += length;
      const hasHadTurn = bytes >= MOST_DISCARDED_PER_TURN;
      if (hasHadTurn) bytes = 0;
      readTurns.take(request, length, { hasHadTurn, isPressed: this.#pressure.isHigh });
    });
    request.resume();
    const cutOff = setTimeout(() => request.socket.destroy(), LINGER_MS);
    request.once('close', () => clearTimeout(cutOff));
  }
}

export class Http2Exchange implements HttpExchange {
  readonly request: Http2ServerRequest;
  readonly response: HttpResponse;
  readonly awaitsContinue: boolean;
  readonly bodyTimeoutMs: number;
  readonly #response: Http2ServerResponse;
  readonly #stream: Http2ServerResponse['stream'];

  /** `timeoutMs` bounds the time for the body, and the time for which the answer makes no progress. */
  constructor(
    request: Http2ServerRequest,
    response: Http2ServerResponse,
    { awaitsContinue, timeoutMs }: { readonly awaitsContinue: boolean; readonly timeoutMs: number },
  ) {
    this.request = request;
    this.response = response as unknown as HttpResponse;
    this.awaitsContinue = awaitsContinue;
    this.bodyTimeoutMs = timeoutMs;
    this.#response = response;
    this.#stream = response.stream;
  }

  get connection(): object {
    return this.#stream.session ?? this.#stream;
  }

  isGone(): boolean {
    return this.#stream.destroyed;
  }

  onGone(listener: () => void): void {
    this.#stream.on('close', () => {
      // Not `writableFinished`: for Node, a reset stream counts as fully written.
      if (!this.#response.writableEnded) listener();
    });
  }

  onSent(listener: () => void): void {
    if (this.#stream.destroyed) {
      listener();
      return;
    }
    watchSlowStream(this.#stream, this.bodyTimeoutMs);
    this.#stream.on('close', listener);
  }

  stream(): StreamSink {
    return streamOf(this.#response, () => this.#stream.close(constants.NGHTTP2_CANCEL));
  }

  headersIn(): Readonly<Record<string, string>> {
    return NO_HEADERS;
  }

  discardRest(): void {
    this.request.resume();
    // If a stream is closed at once, Node 22 resets it before its headers are sent.
    this.#stream.once('finish', () => setImmediate(() => this.#stream.close(constants.NGHTTP2_NO_ERROR)));
  }
}

export abstract class HttpCall<R extends { readonly purpose: Purpose }, C extends Caller = Caller> extends Call<
  R,
  Answer,
  C
> {
  protected readonly exchange: HttpExchange;
  protected readonly path: string;
  readonly #query: string;
  /** Bytes of the answer's text; undefined before they are counted. */
  #textBytes: number | undefined;

  protected constructor(rules: CallRules, exchange: HttpExchange) {
    super(rules, 'rest', exchange.request.headers['x-request-id']);
    this.exchange = exchange;
    const { url = '' } = exchange.request;
    const at = url.indexOf('?');
    this.path = at < 0 ? url : url.slice(0, at);
    this.#query = at < 0 ? '' : url.slice(at + 1);
    exchange.onGone(() => this.gone());
  }

  protected get connection(): object {
    return this.exchange.connection;
  }

  protected get isReading(): boolean {
    const { request } = this.exchange;
    return request.readableFlowing !== null && !request.complete;
  }

  protected get method(): string {
    return this.exchange.request.method ?? '';
  }

  protected get query(): URLSearchParams {
    return this.#query === '' ? NO_QUERY : new URLSearchParams(this.#query);
  }

  protected get headers(): IncomingHttpHeaders {
    return this.exchange.request.headers;
  }

  /** Media type without parameters, in lower case; undefined if the client stated none. */
  protected get mediaType(): string | undefined {
    const { 'content-type': header = '' } = this.headers;
    const at = header.indexOf(';');
    return (at < 0 ? header : header.slice(0, at)).trim().toLowerCase() || undefined;
  }

  /** Rejects with the errors of `readBody`. */
  protected readBody(layout?: BodyLayout, limit?: BodyLimit): Promise<Uint8Array<ArrayBuffer>> {
    const { request, response, awaitsContinue, bodyTimeoutMs } = this.exchange;
    const { maxBodyBytes, inbound } = this.rules;
    return readBody(request, {
      maxBodyBytes,
      limit,
      inbound,
      timeoutMs: bodyTimeoutMs,
      pressure: this.pressure,
      stopReading: () => this.exchange.stopReading?.(),
      beforeReading: () => {
        if (awaitsContinue) response.writeContinue();
      },
      ...layout,
    });
  }

  protected lengthOf(answer: Answer): number {
    this.#textBytes = textBytesOf(answer);
    return this.#textBytes + sizeOf(answer.raw);
  }

  protected write(answer: Answer): void {
    const { exchange } = this;
    const { request, response } = exchange;
    if (exchange.isGone() || response.headersSent) {
      this.sent();
      return;
    }
    const textBytes = this.#textBytes ?? textBytesOf(answer);
    const length = textBytes + sizeOf(answer.raw);
    response.writeHead(answer.status, this.#headersOf(answer, textBytes, length));
    if (answer.stream !== undefined && request.method !== 'HEAD') {
      answer.stream(exchange.stream());
      this.sent();
      return;
    }
    if (request.method === 'HEAD') response.end();
    else {
      const { text, json, raw } = answer;
      const parts = json === undefined && raw === undefined ? [text] : [text, ...(json ?? []), ...(raw ?? [])];
      // For Node, latin1 needs no encoder, and up to 16 KiB no write request.
      writeAnswer(response, parts, length, textBytes === answer.text.length ? 'latin1' : 'utf8');
    }
    if (!request.complete) exchange.discardRest();
    exchange.onSent(() => this.sent());
  }

  protected writeRefusal(error: unknown): void {
    this.#textBytes = undefined;
    this.write(refusal(error));
  }

  protected end(): void {}

  protected commonHeaders(): Readonly<Record<string, string>> {
    return NO_HEADERS;
  }

  #headersOf({ contentType, raw, headers, stream }: Answer, textBytes: number, length: number): OutgoingHttpHeaders {
    const all: OutgoingHttpHeaders = {
      'content-type': raw === undefined ? (contentType ?? 'application/json') : BINARY_MEDIA_TYPE,
      'x-request-id': this.requestId,
    };
    if (stream === undefined) all['content-length'] = length;
    if (raw !== undefined) all[JSON_LENGTH_HEADER] = textBytes;
    for (const more of [this.commonHeaders(), this.exchange.headersIn(this.rules.phase()), headers]) {
      if (more !== undefined && more !== NO_HEADERS) Object.assign(all, more);
    }
    return all;
  }
}

function streamOf(
  response: Pick<ServerResponse, 'writableLength' | 'writableEnded'> & {
    write(text: string): unknown;
    end(): unknown;
    on(event: 'close' | 'error', listener: () => void): unknown;
  },
  destroy: () => void,
): StreamSink {
  response.on('error', () => {});
  return {
    get unsentBytes() {
      return response.writableLength;
    },
    write: (text) => {
      if (!response.writableEnded) response.write(text);
    },
    end: () => {
      response.end();
    },
    destroy,
    onClose: (listener) => {
      response.on('close', listener);
    },
  };
}

function textBytesOf({ text, json }: Answer): number {
  return Buffer.byteLength(text) + sizeOf(json);
}

function sizeOf(parts: readonly Uint8Array[] | undefined): number {
  return parts === undefined ? 0 : parts.reduce((length, bytes) => length + bytes.length, 0);
}
