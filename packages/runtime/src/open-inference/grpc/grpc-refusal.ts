/** How a failure is told over gRPC: the status follows from the code of the error, its facts stand in trailing metadata. */
import { AppError, boundedMessage, type ErrorCode, errorCodes } from '@equipoise/core';
import { Metadata, type ServerErrorResponse, status } from '@grpc/grpc-js';

/** The least and the most that retry policies of gRPC are told to wait; it is what Retry-After is over HTTP. */
const RETRY_PUSHBACK_MS = { least: 1000, most: 30_000 };
/** Clients refuse metadata of more than 8 KiB; percent-encoding makes text up to nine times longer. */
const MOST_ENCODED_CHARACTERS = 4096;

const statusOfHttp: Readonly<Record<(typeof errorCodes)[ErrorCode]['httpStatus'], status>> = {
  400: status.INVALID_ARGUMENT,
  401: status.UNAUTHENTICATED,
  403: status.PERMISSION_DENIED,
  404: status.NOT_FOUND,
  405: status.UNIMPLEMENTED,
  408: status.DEADLINE_EXCEEDED,
  409: status.FAILED_PRECONDITION,
  413: status.RESOURCE_EXHAUSTED,
  415: status.INVALID_ARGUMENT,
  422: status.INVALID_ARGUMENT,
  429: status.RESOURCE_EXHAUSTED,
  500: status.INTERNAL,
  502: status.UNAVAILABLE,
  503: status.UNAVAILABLE,
  504: status.DEADLINE_EXCEEDED,
};

/** Where the reason of a drop says more than its code: too much load is not an outage. */
const statusOfReason: Readonly<Record<string, status>> = {
  'queue-full': status.RESOURCE_EXHAUSTED,
  'memory-full': status.RESOURCE_EXHAUSTED,
  'deadline-unreachable': status.RESOURCE_EXHAUSTED,
  cancelled: status.CANCELLED,
};

/** The status of a call that ended with an error: what went wrong and what to do; what is no AppError tells the client nothing. */
export function grpcRefusal(error: unknown): ServerErrorResponse {
  if (!(error instanceof AppError)) {
    return grpcRefusal(new AppError('INTERNAL_ERROR', 'The server failed on this request.'));
  }
  const { code, message, details } = error;
  const { httpStatus, remedy } = errorCodes[code];
  const reason = details['reason'] ?? (code === 'REPLICA_LOST' ? 'replica-lost' : undefined);
  const metadata = new Metadata();
  metadata.set('equipoise-code', code);
  if (typeof reason === 'string') metadata.set('equipoise-reason', reason);
  const comeAgain = httpStatus === 503 || httpStatus === 429;
  if (comeAgain) metadata.set('grpc-retry-pushback-ms', String(pushbackMs(details['retryAfterMs'])));
  return {
    name: code,
    message,
    code: statusOfReason[String(reason)] ?? statusOfHttp[httpStatus],
    details: sendable(`${boundedMessage(message)} ${remedy}`),
    metadata,
  };
}

function pushbackMs(retryAfterMs: unknown): number {
  const { least, most } = RETRY_PUSHBACK_MS;
  return typeof retryAfterMs === 'number' ? Math.min(Math.max(Math.ceil(retryAfterMs), least), most) : least;
}

/** Text that percent-encoding takes (no half of a surrogate pair) and that fits into metadata. */
function sendable(text: string): string {
  let fitting = Buffer.from(text).toString();
  while (encodeURI(fitting).length > MOST_ENCODED_CHARACTERS) {
    fitting = Buffer.from(fitting.slice(0, Math.floor(fitting.length * 0.8))).toString();
  }
  return fitting;
}
