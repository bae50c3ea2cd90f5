/**
 * Errors over HTTP. Status and headers follow the error code; the body is the `{error}` of the Open Inference Protocol
 * with more fields.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { AppError, boundedMessage, type DropReason, errorCodes } from '@equipoise/core/model';
import type { Answer } from './answer.js';

const RETRY_AFTER_SECONDS = { least: 1, most: 30 };
/** Retry delay if no wait is predicted, as during start-up or when memory is full. */
const UNPREDICTED_WAIT_MS = 1000;

const dropMessages: Readonly<Record<DropReason, string>> = {
  'queue-full': 'Too many requests wait already.',
  'wait-too-long': 'The expected wait is longer than the pipeline admits.',
  'memory-full': 'The requests in flight hold as much memory as they may.',
  'deadline-unreachable': 'The request could not have been answered by its deadline and was dropped early.',
  'deadline-passed': 'The deadline of the request passed before it was answered.',
  'no-ready-replica': 'A stage of the pipeline has no replica in service.',
  draining: 'The server is shutting down.',
  cancelled: 'The client went away.',
};

/** An error that is not an AppError is a defect: the client sees no details. */
export function refusal(error: unknown): Answer {
  if (!(error instanceof AppError))
    return refusal(new AppError('INTERNAL_ERROR', 'The server failed on this request.'));
  const { code, message, details } = error;
  const { httpStatus } = errorCodes[code];
  const reason = details['reason'] ?? (code === 'REPLICA_LOST' ? 'replica-lost' : undefined);
  const body = {
    error: boundedMessage(message),
    code,
    ...(reason !== undefined && { reason }),
    details,
    docs: `docs/reference/errors.md#${code.toLowerCase()}`,
  };
  return { status: httpStatus, headers: refusalHeaders(error, httpStatus), text: JSON.stringify(body) };
}

/** Error of a dropped request. A retry after `retryAfterMs` may succeed. */
export function dropError(reason: DropReason, retryAfterMs = UNPREDICTED_WAIT_MS): AppError {
  const code = reason === 'deadline-passed' ? 'DEADLINE_PASSED' : 'DROPPED';
  return new AppError(code, dropMessages[reason], {
    details: { reason, retryAfterMs: Math.round(retryAfterMs) },
    retryable: true,
  });
}

function refusalHeaders({ details }: AppError, status: number): Readonly<Record<string, string>> {
  if (status === 503 || status === 429) return { 'retry-after': String(retryAfterSeconds(details['retryAfterMs'])) };
  if (status === 401) return { 'www-authenticate': 'Bearer' };
  const allow = details['allow'];
  return status === 405 && Array.isArray(allow) ? { allow: allow.join(', ') } : {};
}

function retryAfterSeconds(retryAfterMs: unknown): number {
  const { least, most } = RETRY_AFTER_SECONDS;
  const seconds = typeof retryAfterMs === 'number' ? Math.ceil(retryAfterMs / 1000) : least;
  return Math.min(Math.max(seconds, least), most);
}

const reasonPhrases: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  503: 'Service Unavailable',
};

export const crowded = (): AppError => dropError('queue-full');

export const notHttp1 = (): AppError =>
  new AppError('MALFORMED_REQUEST', 'The request is not HTTP/1.1 with at most one Host.');

/** Refuses a request without reading it. The connection closes after the answers to earlier requests. */
export function refuseAndClose(response: ServerResponse, error: AppError): void {
  const { status, text, headers } = refusal(error);
  ignoreRest(response.req.socket);
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    connection: 'close',
  });
  response.end(text);
}

const PARSER_CALLBACKS = ['kOnHeadersComplete', 'kOnBody', 'kOnMessageComplete'] as const;

type Parser = Record<number, unknown> & { readonly constructor: Readonly<Record<string, unknown>> };

/**
 * Neither parses nor reads the rest of a connection. Without a parser, Node would still read up to 2 MiB in one turn of
 * the event loop, and find each chunk of one byte in it.
 */
export function ignoreRest(socket: Socket): void {
  stopParser(socket);
  // Node resumes a connection after each answer.
  socket.pause().on('resume', () => socket.pause());
}

/**
 * Makes Node's parser ignore the rest of a connection. Node reads up to 64 KiB at once, and would otherwise create
 * objects for thousands of requests or chunks that are ignored. Node reuses parsers, so the end of the connection
 * restores this one.
 */
function stopParser(socket: Duplex): void {
  const { parser } = socket as { readonly parser?: Parser | null };
  if (!parser) return;
  for (const name of PARSER_CALLBACKS) {
    const index = parser.constructor[name];
    if (typeof index !== 'number' || parser[index] === undefined) continue;
    const callback = parser[index];
    parser[index] = undefined;
    socket.once('close', () => {
      parser[index] = callback;
    });
  }
}

/** Node's error of a request that does not arrive in time. */
export const lateRequest = { code: 'ERR_HTTP_REQUEST_TIMEOUT' } as const;

/**
 * Refuses an invalid or late request on the bare socket. Gives no answer while an earlier request waits for its
 * response.
 */
export function refuseRaw(
  error: Pick<NodeJS.ErrnoException, 'code'>,
  socket: Duplex,
  pending: ServerResponse | undefined,
): void {
  const othersWait = pending !== undefined && (pending.headersSent || pending.req.complete);
  if (error.code === 'ECONNRESET' || !socket.writable || othersWait) {
    socket.destroy();
    return;
  }
  socket.end(rawAnswer(refusal(rawError(error.code))), () => socket.destroy());
}

export function rawAnswer({ status, headers = {}, text }: Answer): string {
  const head = [
    `HTTP/1.1 ${status} ${reasonPhrases[status]}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${text}`;
}

function rawError(code: string | undefined): AppError {
  switch (code) {
    case lateRequest.code:
      return new AppError('REQUEST_TIMEOUT', 'The request did not arrive in time.');
    case 'HPE_HEADER_OVERFLOW':
      return new AppError('MALFORMED_REQUEST', 'The headers of the request are too large.');
    default:
      return new AppError('MALFORMED_REQUEST', 'The request is not HTTP/1.1.');
  }
}
