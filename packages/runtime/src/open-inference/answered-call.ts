/** What is counted of an answer. */
import { AppError, type ErrorCode } from '@equipoise/core/model';

/** An answer that left the server; `code` is that of the error, or OK. */
export interface AnsweredCall {
  readonly protocol: 'rest' | 'grpc';
  readonly code: ErrorCode | 'OK';
  /** Who asked, where the server knows its tenants. */
  readonly tenant?: string;
}

/** An answer to a tenant, or to somebody where there are none. */
export function answeredCall(
  protocol: AnsweredCall['protocol'],
  code: AnsweredCall['code'],
  tenant: { readonly name: string } | undefined,
): AnsweredCall {
  return tenant === undefined ? { protocol, code } : { protocol, code, tenant: tenant.name };
}

/** The code that an error is counted under. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof AppError ? error.code : 'INTERNAL_ERROR';
}
