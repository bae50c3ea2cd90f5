/**
 * The two ends of an exchange, over a connection of HTTP/1.1 or a stream of HTTP/2: what an exchange needs of them, and where they
 * differ. A body that nobody wanted is discarded for a moment after the response, so that a client that is still sending gets to read
 * it, and then cut off; over HTTP/2 the stream alone is closed.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AnswerSink } from './answer-pieces.js';
import type { RequestBody } from './read-body.js';
import type { ServingPhase } from './serving-phase.js';
import type { UnsentAnswers } from './unsent-answers.js';
import { cutOffUnlessTaken } from './unsent-streams.js';

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
  /**
   * Calls `listener` once the response, which is being written, has left, or nobody will take it any more. Its client is cut off when it takes
   * nothing of it for a time.
   */
  onLeft(listener: () => void): void;
  /** Headers that a response needs in this phase. */
  headersOf(phase: ServingPhase): Readonly<Record<string, string>>;
  /** Gives up the rest of a body, once the response is written. */
  discardRest(): void;
}

/** What both kinds of response have in common. */
interface WireResponse extends AnswerSink {
  readonly headersSent: boolean;
  writeContinue(): void;
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
  cork(): void;
  uncork(): void;
}

const LINGER_MS = 2000;

/** An exchange over HTTP/1.1; `unsent` watches over what its client does not read. */
export function http1Wire(
  request: IncomingMessage,
  response: ServerResponse,
  { awaitsContinue, unsent }: { readonly awaitsContinue: boolean; readonly unsent: UnsentAnswers },
): Wire {
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
    onLeft: (listener) => unsent.add(response, listener),
    headersOf: (phase) => (phase === 'leaving' || phase === 'closing' ? { connection: 'close' } : {}),
    discardRest: () => {
      request.resume();
      const cutOff = setTimeout(() => request.socket.destroy(), LINGER_MS);
      request.once('close', () => clearTimeout(cutOff));
    },
  };
}

/** An exchange over a stream of HTTP/2; `timeoutMs` bounds the time for its body, and that in which its client takes nothing of its answer. */
export function http2Wire(
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  { awaitsContinue, timeoutMs }: { readonly awaitsContinue: boolean; readonly timeoutMs: number },
): Wire {
  const { stream } = response;
  return {
    request,
    response: response as unknown as WireResponse,
    awaitsContinue,
    bodyTimeoutMs: timeoutMs,
    isGone: () => stream.destroyed,
    onGone: (listener) => {
      stream.once('close', () => {
        // The stream itself counts as written to its end when it is reset.
        if (!response.writableEnded) listener();
      });
    },
    onLeft: (listener) => {
      if (stream.destroyed) {
        listener();
        return;
      }
      cutOffUnlessTaken(stream, timeoutMs);
      stream.once('close', listener);
    },
    headersOf: () => ({}),
    discardRest: () => {
      request.resume();
      stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR));
    },
  };
}
