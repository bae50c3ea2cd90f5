/**
 * What a stage says when it fails may quote what it was given or how the server is built. The client learns which stage failed; the
 * stage's own error is the `cause`, for the log of the server.
 */
import { AppError, boundedMessage, boundedName } from '@equipoise/core/model';

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

/** Control characters and separators of lines, which could begin a line of their own or steer the terminal that shows it. */
const STEERING = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(text: string): string {
  return text.replace(STEERING, (c) => NAMED[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** One line for the log, of bounded length: the stage and what it said, without tensors and with what could forge a line escaped. */
export function stageFailureText({ stage, cause }: StageFailure): string {
  const reason = cause instanceof Error ? cause.message : 'something that is no Error was thrown';
  // Bounded before, too: what a stage says may be of any length.
  return boundedMessage(escaped(boundedMessage(`Stage ${boundedName(stage)}: ${reason}`)));
}

/** The default log: a process warning. */
export function warnOfStageFailure(failure: StageFailure): void {
  process.emitWarning(stageFailureText(failure), 'StageFailure');
}
