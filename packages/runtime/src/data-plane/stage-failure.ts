/**
 * What a stage says when it fails may quote what it was given or how the server is built. The client learns which stage failed; the
 * stage's own error is the `cause`, for the log of the server.
 */
import { AppError, boundedMessage, boundedName } from '@equipoise/core';

/** A failure whose message is fit for clients and whose `cause` is what the replica threw or answered. */
export class StageFailure extends AppError {
  readonly stage: string;

  constructor(stage: string, cause: unknown) {
    const { code, retryable } = cause instanceof AppError ? cause : { code: 'STAGE_FAILED' as const, retryable: false };
    const name = boundedName(stage);
    const what = code === 'REPLICA_LOST' ? `Stage ${name} lost a replica` : `Stage ${name} failed`;
    super(code, `${what}; the server's log has the reason.`, { details: { stage: name }, retryable, cause });
    this.stage = stage;
  }
}

/** What the requests of a batch fail with that does not end. */
export function hungBatch(stage: string): StageFailure {
  return new StageFailure(stage, new AppError('REPLICA_LOST', 'A batch did not end.', { retryable: true }));
}

/** A line for the log, of bounded length: the stage and what it said, without tensors. */
export function stageFailureText({ stage, cause }: StageFailure): string {
  const reason = cause instanceof Error ? cause.message : 'something that is no Error was thrown';
  return boundedMessage(`Stage ${boundedName(stage)}: ${reason}`);
}

/** The default log: a process warning. */
export function warnOfStageFailure(failure: StageFailure): void {
  process.emitWarning(stageFailureText(failure), 'StageFailure');
}
