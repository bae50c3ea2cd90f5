import { AppError, boundedMessage, type ErrorCode } from '@equipoise/core/model';
import { status as grpcStatus } from '@grpc/grpc-js';

export interface ServerWords {
  readonly url: string;
  readonly status: number | string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

const retryable: ReadonlySet<ErrorCode> = new Set(['DROPPED', 'UNREACHABLE']);

/** `status` is at least 300. */
export function codeOfHttp(status: number): ErrorCode {
  if (status === 404 || status === 405) return 'NOT_FOUND';
  if (status === 429 || status === 503) return 'DROPPED';
  if (status === 408 || status === 504) return 'DEADLINE_PASSED';
  if (status === 502) return 'UNREACHABLE';
  // Other 4xx statuses do not concern the input.
  return [400, 409, 411, 413, 415, 422].includes(status) ? 'INVALID_INPUT' : 'STAGE_FAILED';
}

/** `answered`: the status came from the server, not from the connection. */
export function codeOfGrpc(status: grpcStatus, answered: boolean): ErrorCode {
  switch (status) {
    case grpcStatus.INVALID_ARGUMENT:
    case grpcStatus.OUT_OF_RANGE:
    case grpcStatus.FAILED_PRECONDITION:
      return 'INVALID_INPUT';
    case grpcStatus.NOT_FOUND:
    case grpcStatus.UNIMPLEMENTED:
      return 'NOT_FOUND';
    case grpcStatus.RESOURCE_EXHAUSTED:
      return 'DROPPED';
    case grpcStatus.DEADLINE_EXCEEDED:
      return 'DEADLINE_PASSED';
    case grpcStatus.UNAVAILABLE:
      return answered ? 'DROPPED' : 'UNREACHABLE';
    default:
      return 'STAGE_FAILED';
  }
}

export function serverFailure(code: ErrorCode, { url, status, message, retryAfterMs }: ServerWords): AppError {
  const said = message === '' ? 'nothing' : boundedMessage(message);
  return new AppError(code, `The server ${url} answered ${status}: ${said}`, {
    details: { url, status, ...(retryAfterMs !== undefined && { retryAfterMs }) },
    retryable: retryable.has(code),
  });
}

/** `wasUnsent`: the server did not get the request. */
export function unreachable(url: string, cause: Error, wasUnsent = isOfConnecting(cause)): AppError {
  const problem = boundedMessage(cause.message || String((cause as NodeJS.ErrnoException).code));
  return new AppError('UNREACHABLE', `The server ${url} cannot be reached: ${problem}.`, {
    details: { url, ...(wasUnsent && { unsent: true }) },
    retryable: true,
    cause,
  });
}

const CONNECTING = ['connect', 'getaddrinfo'];

/** True if there was no connection, so that nothing was sent. A name may lead to several addresses. */
function isOfConnecting(cause: Error): boolean {
  const causes: readonly unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  return causes.every((each) => CONNECTING.includes((each as NodeJS.ErrnoException).syscall ?? ''));
}

/** True if the server did not get the request. */
export const isUnsent = (error: unknown): boolean => error instanceof AppError && error.details['unsent'] === true;

export function corruptAnswer(url: string, cause: unknown): AppError {
  const problem = cause instanceof Error ? cause.message : String(cause);
  return new AppError('STAGE_FAILED', `The server ${url} answered what cannot be read: ${boundedMessage(problem)}`, {
    details: { url },
    cause,
  });
}

export function tookTooLong(url: string, timeoutMs: number): AppError {
  return new AppError('DEADLINE_PASSED', `The server ${url} has not answered within ${timeoutMs} ms.`, {
    details: { url, timeoutMs },
  });
}

export function givenUp(url: string): AppError {
  return new AppError('DROPPED', `The call to the server ${url} was cancelled.`, {
    details: { url, reason: 'cancelled' },
  });
}
