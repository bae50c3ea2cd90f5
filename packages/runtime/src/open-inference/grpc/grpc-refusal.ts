/** How a failure is told over gRPC: the status follows from the code of the error, its facts stand in trailing metadata. */
import { AppError, boundedMessage, type ErrorCode, errorCodes } from '@equipoise/core/model';
import { type GrpcRefusal, type GrpcStatus, grpcStatus } from './grpc-status.js';

/** The least and the most that retry policies of gRPC are told to wait; it is what Retry-After is over HTTP. */
const RETRY_PUSHBACK_MS = { least: 1000, most: 30_000 };
/** Clients refuse metadata of more than 8 KiB; percent-encoding makes text up to nine times longer. */
const MOST_ENCODED_CHARACTERS = 4096;

const statusOfHttp: Readonly<Record<(typeof errorCodes)[ErrorCode]['httpStatus'], GrpcStatus>> = {
  400: grpcStatus.invalidArgument,
  401: grpcStatus.unauthenticated,
  403: grpcStatus.permissionDenied,
  404: grpcStatus.notFound,
  405: grpcStatus.unimplemented,
  408: grpcStatus.deadlineExceeded,
  409: grpcStatus.failedPrecondition,
  413: grpcStatus.resourceExhausted,
  415: grpcStatus.invalidArgument,
  422: grpcStatus.invalidArgument,
  429: grpcStatus.resourceExhausted,
  500: grpcStatus.internal,
  502: grpcStatus.unavailable,
  503: grpcStatus.unavailable,
  504: grpcStatus.deadlineExceeded,
};

/** Where the reason of a drop says more than its code: too much load is not an outage. */
const statusOfReason: Readonly<Record<string, GrpcStatus>> = {
  'queue-full': grpcStatus.resourceExhausted,
  'memory-full': grpcStatus.resourceExhausted,
  'deadline-unreachable': grpcStatus.resourceExhausted,
  cancelled: grpcStatus.cancelled,
};

/** The status of a call that ended with an error: what went wrong and what to do; what is no AppError tells the client nothing. */
export function grpcRefusal(error: unknown): GrpcRefusal {
  if (!(error instanceof AppError)) {
    return grpcRefusal(new AppError('INTERNAL_ERROR', 'The server failed on this request.'));
  }
  const { code, message, details } = error;
  const { httpStatus, remedy } = errorCodes[code];
  const reason = details['reason'] ?? (code === 'REPLICA_LOST' ? 'replica-lost' : undefined);
  const comeAgain = httpStatus === 503 || httpStatus === 429;
  return {
    code: statusOfReason[String(reason)] ?? statusOfHttp[httpStatus],
    details: sendable(`${boundedMessage(message)} ${remedy}`),
    fields: {
      'equipoise-code': code,
      ...(typeof reason === 'string' && { 'equipoise-reason': reason }),
      ...(comeAgain && { 'grpc-retry-pushback-ms': String(pushbackMs(details['retryAfterMs'])) }),
    },
    countedAs: code,
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
