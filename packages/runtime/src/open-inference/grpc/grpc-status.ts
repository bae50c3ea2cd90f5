import { AppError, boundedMessage, type ErrorCode, errorCodes } from '@equipoise/core/model';

export const grpcStatus = {
  ok: 0,
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export type GrpcStatus = (typeof grpcStatus)[keyof typeof grpcStatus];

/** An error with a gRPC status of its own instead of the status of its code. */
export class GrpcError extends AppError {
  readonly status: GrpcStatus;

  constructor(status: GrpcStatus, message: string, code: ErrorCode = 'MALFORMED_REQUEST') {
    super(code, message);
    this.status = status;
  }
}

/** Refusal of a call; `fields` are trailing metadata. */
export interface GrpcRefusal {
  readonly code: GrpcStatus;
  readonly details: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Bounds of the retry delay in ms, as for Retry-After over HTTP. */
const RETRY_PUSHBACK_MS = { least: 1000, most: 30_000 };
/** Clients refuse metadata above 8 KiB; percent-encoding makes text up to nine times longer. */
const MOST_ENCODED_CHARACTERS = 4096;
const NO_FIELDS: GrpcRefusal['fields'] = {};

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

/** Drop reasons with their own status: overload is not an outage. */
const statusOfReason: Readonly<Record<string, GrpcStatus>> = {
  'queue-full': grpcStatus.resourceExhausted,
  'wait-too-long': grpcStatus.resourceExhausted,
  'memory-full': grpcStatus.resourceExhausted,
  'deadline-unreachable': grpcStatus.resourceExhausted,
  cancelled: grpcStatus.cancelled,
};

/** An error that is not an AppError is a defect: the client sees no details. */
export function grpcRefusal(error: unknown): GrpcRefusal {
  if (error instanceof GrpcError) return { code: error.status, details: error.message, fields: NO_FIELDS };
  if (!(error instanceof AppError)) {
    return grpcRefusal(new AppError('INTERNAL_ERROR', 'The server failed on this request.'));
  }
  const { code, message, details } = error;
  const { httpStatus, remedy } = errorCodes[code];
  const reason = details['reason'] ?? (code === 'REPLICA_LOST' ? 'replica-lost' : undefined);
  const mayRetry = httpStatus === 503 || httpStatus === 429;
  return {
    code: statusOfReason[String(reason)] ?? statusOfHttp[httpStatus],
    details: sendable(`${boundedMessage(message)} ${remedy}`),
    fields: {
      'equipoise-code': code,
      ...(typeof reason === 'string' && { 'equipoise-reason': reason }),
      ...(mayRetry && { 'grpc-retry-pushback-ms': String(pushbackMs(details['retryAfterMs'])) }),
    },
  };
}

function pushbackMs(retryAfterMs: unknown): number {
  const { least, most } = RETRY_PUSHBACK_MS;
  return typeof retryAfterMs === 'number' ? Math.min(Math.max(Math.ceil(retryAfterMs), least), most) : least;
}

/** Text that percent-encoding accepts (no half of a surrogate pair), cut to fit. */
function sendable(text: string): string {
  let fitting = Buffer.from(text).toString();
  while (encodeURI(fitting).length > MOST_ENCODED_CHARACTERS) {
    fitting = Buffer.from(fitting.slice(0, Math.floor(fitting.length * 0.8))).toString();
  }
  return fitting;
}
