/** What a server failed with, as an AppError: its class follows from the status, its words are bounded. */
import { AppError, boundedMessage, type ErrorCode } from '@equipoise/core/model';
import { status as grpcStatus } from '@grpc/grpc-js';

/** What a server said when it failed. */
export interface ServerWords {
  readonly url: string;
  /** An HTTP status or the name of one of gRPC. */
  readonly status: number | string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

const retryable: ReadonlySet<ErrorCode> = new Set(['DROPPED', 'UNREACHABLE']);

/** The code of an HTTP status of 300 and more. */
export function codeOfHttp(status: number): ErrorCode {
  if (status === 404 || status === 405) return 'NOT_FOUND';
  if (status === 429 || status === 503) return 'DROPPED';
  if (status === 408 || status === 504) return 'DEADLINE_PASSED';
  if (status === 502) return 'UNREACHABLE';
  // Others of this range are about who asks, not about what is asked.
  return [400, 409, 411, 413, 415, 422].includes(status) ? 'INVALID_INPUT' : 'STAGE_FAILED';
}

/** The code of a status of gRPC that is not OK; `answered` tells whether the server gave it, and not the connection. */
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

/** The error for what a server said. */
export function serverFailure(code: ErrorCode, { url, status, message, retryAfterMs }: ServerWords): AppError {
  const said = message === '' ? 'nothing' : boundedMessage(message);
  return new AppError(code, `The server ${url} answered ${status}: ${said}`, {
    details: { url, status, ...(retryAfterMs !== undefined && { retryAfterMs }) },
    retryable: retryable.has(code),
  });
}

/** The error for a server that could not be reached, or whose connection broke. */
export function unreachable(url: string, cause: Error): AppError {
  const problem = boundedMessage(cause.message || String((cause as NodeJS.ErrnoException).code));
  return new AppError('UNREACHABLE', `The server ${url} cannot be reached: ${problem}.`, {
    details: { url },
    retryable: true,
    cause,
  });
}

/** The error for an answer that is none. */
export function corruptAnswer(url: string, cause: unknown): AppError {
  const problem = cause instanceof Error ? cause.message : String(cause);
  return new AppError('STAGE_FAILED', `The server ${url} answered what cannot be read: ${boundedMessage(problem)}`, {
    details: { url },
    cause,
  });
}

/** The error for a call that took longer than it may. */
export function tookTooLong(url: string, timeoutMs: number): AppError {
  return new AppError('DEADLINE_PASSED', `The server ${url} has not answered within ${timeoutMs} ms.`, {
    details: { url, timeoutMs },
  });
}

/** The error for a call that was given up by its caller. */
export function givenUp(url: string): AppError {
  return new AppError('DROPPED', `The call to the server ${url} was given up.`, {
    details: { url, reason: 'cancelled' },
  });
}
