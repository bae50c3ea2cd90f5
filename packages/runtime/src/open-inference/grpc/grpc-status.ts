/** How calls of gRPC end: a code of its status codes, words for people, and trailing metadata. */

import type { ErrorCode } from '@equipoise/core/model';

/** The status codes that a call may end with here (gRPC, statuscodes). */
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

/** One of them. */
export type GrpcStatus = (typeof grpcStatus)[keyof typeof grpcStatus];

/** The end of a call without an answer; `fields` are metadata. */
export interface GrpcRefusal {
  readonly code: GrpcStatus;
  readonly details: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly countedAs: ErrorCode;
}

/** A refusal without metadata; as a rule what came is no call. */
export function refusing(code: GrpcStatus, details: string, countedAs: ErrorCode = 'MALFORMED_REQUEST'): GrpcRefusal {
  return { code, details, fields: {}, countedAs };
}
