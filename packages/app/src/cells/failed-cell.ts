import { AppError, thrownText } from '@equipoise/core/model';

/** Answer of a thread that ends the run. */
export interface FailedCell {
  readonly kind: 'failed';
  readonly code: AppError['code'];
  readonly message: string;
}

export const isFailed = (answer: { readonly kind: string }): answer is FailedCell => answer.kind === 'failed';

export const failedCell = (error: unknown): FailedCell => ({
  kind: 'failed',
  code: error instanceof AppError ? error.code : 'INTERNAL_ERROR',
  message: thrownText(error),
});
