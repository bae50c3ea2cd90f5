/**
 * The two ends of an exchange, over a connection of HTTP/1.1 or a stream of HTTP/2: what an exchange needs of them, and where they
 * differ. A body that nobody wanted is discarded for a moment after the response, so that a client that is still sending gets to read
 * it, and then cut off; over HTTP/2 the stream alone is closed.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { RequestBody } from './read-body.js';
import type { ServingPhase } from './serving-phase.js';

/** A request with its response. */
export interface Wire {
  readonly request: RequestBody & {
    readonly method?: string | undefined;
    readonly url?: string | undefined;
    readonly complete: boolean;
  };
  readonly response: WireResponse;
  /** Whether the client holds its body back until it is asked for it. */
  readonly awaitsContinue: boolean;
  /** Longest time (ms) for the body; undefined where the server of the connection watches over it. */
  readonly bodyTimeoutMs: number | undefined;
  /** Whether nobody can be answered any more. */
  isGone(): boolean;
  /** Calls `listener` if the connection or the stream ends before the response is written. */
  onGone(listener: () => void): void;
  /** Headers that a response needs in this phase. */
  headersOf(phase: ServingPhase): Readonly<Record<string, string>>;
  /** Gives up the rest of a body, once the response is written. */
  discardRest(): void;
}

/** What both kinds of response have in common. */
interface WireResponse {
  readonly headersSent: boolean;
  writeContinue(): void;
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
  write(chunk: Uint8Array): boolean;
  end(): unknown;
  cork(): void;
  uncork(): void;
}

const LINGER_MS = 2000;

/** An exchange over HTTP/1.1. */
export function http1Wire(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): Wire {
  return {
    request,
    response,
    awaitsContinue,
    bodyTimeoutMs: undefined,
    isGone: () => request.socket.destroyed,
    onGone: (listener) => {
      response.once('close', () => {
        if (!response.writableFinished) listener();
      });
    },
    headersOf: (phase) => (phase === 'leaving' || phase === 'closing' ? { connection: 'close' } : {}),
    discardRest: () => {
      request.resume();
      const cutOff = setTimeout(() => request.socket.destroy(), LINGER_MS);
      request.once('close', () => clearTimeout(cutOff));
    },
  };
}

/** An exchange over a stream of HTTP/2; `bodyTimeoutMs` bounds the time for its body. */
export function http2Wire(
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  { awaitsContinue, bodyTimeoutMs }: Pick<Wire, 'awaitsContinue' | 'bodyTimeoutMs'>,
): Wire {
  const { stream } = response;
  return {
    request,
    response: response as unknown as WireResponse,
    awaitsContinue,
    bodyTimeoutMs,
    isGone: () => stream.destroyed,
    onGone: (listener) => {
      stream.once('close', () => {
        // The stream itself counts as written to its end when it is reset.
        if (!response.writableEnded) listener();
      });
    },
    headersOf: () => ({}),
    discardRest: () => {
      request.resume();
      stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR));
    },
  };
}
