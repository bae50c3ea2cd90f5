/**
 * Failures of stages. Their messages may quote inputs or internals, so clients learn only stage and code. The stage's
 * error is the `cause`, for the log.
 */
import { AppError, boundedMessage, boundedName } from '@equipoise/core/model';
import { escapedText } from './escaped-text.js';

/** `cause` is the exception or answer of the replica; `items` are the failed items of a client batch. */
export class StageFailure extends AppError {
  readonly stage: string;

  constructor(stage: string, cause: unknown, items?: FailedItems) {
    const { code, retryable } = cause instanceof AppError ? cause : { code: 'STAGE_FAILED' as const, retryable: false };
    const name = boundedName(stage);
    const what = code === 'REPLICA_LOST' ? `Stage ${name} lost a replica` : `Stage ${name} failed`;
    const message = `${items?.prefix ?? ''}${what}; the server's log has the reason.`;
    super(code, message, { details: { stage: name, ...items?.details }, retryable, cause });
    this.stage = stage;
  }
}

export interface FailedItems {
  readonly prefix: string;
  readonly details: { readonly items: readonly number[] };
}

/** The same error, with the failed items in message and details. */
export function failureOfItems(error: AppError, items: FailedItems): AppError {
  if (error instanceof StageFailure) return new StageFailure(error.stage, error.cause, items);
  const { code, message, details, retryable } = error;
  return new AppError(code, `${items.prefix}${message}`, { details: { ...details, ...items.details }, retryable });
}

export function hungBatch(stage: string): StageFailure {
  return new StageFailure(stage, new AppError('REPLICA_LOST', 'A batch did not end.', { retryable: true }));
}

export function quarantinedInput(stage: string): AppError {
  const name = boundedName(stage);
  return new AppError('REQUEST_QUARANTINED', `Stage ${name} hung on this input; the input is quarantined.`, {
    details: { stage: name },
  });
}

/** One escaped log line of bounded length. */
export function stageFailureText({ stage, cause }: StageFailure): string {
  const reason = cause instanceof Error ? cause.message : 'a value that is not an Error was thrown';
  // Truncates before escaping, because the message may have any length.
  return boundedMessage(escapedText(boundedMessage(`Stage ${boundedName(stage)}: ${reason}`)));
}

export function warnOfStageFailure(failure: StageFailure): void {
  process.emitWarning(stageFailureText(failure), 'StageFailure');
}

export function internalError(): AppError {
  return new AppError('INTERNAL_ERROR', 'The server failed on this request.');
}
