import { AppError } from '@equipoise/core/model';

/** AppError INTERNAL_ERROR that tells the client nothing of the defect. */
export function internalError(): AppError {
  return new AppError('INTERNAL_ERROR', 'The server failed on this request.');
}
