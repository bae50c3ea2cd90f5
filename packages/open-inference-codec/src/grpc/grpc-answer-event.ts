/** Events of the stream of answers (`answers.proto`). */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { AnswerEventSchema, AnswerService } from './answers.gen.js';
import { readMessage, writeMessage } from './grpc-methods.js';

/** Method that streams the answers of a pipeline by id. */
export const listenMethod = AnswerService.method.listen;

interface EventNames {
  readonly id: string;
  readonly modelName: string;
}

export interface AnswerFigures extends EventNames {
  readonly latencyMs: number;
  /** Size of outputs that are left out. */
  readonly omittedBytes?: number;
}

export interface FailureFigures extends EventNames {
  readonly status: number;
  readonly message: string;
  readonly code: string;
  readonly reason: string;
}

/** `answer` is an encoded ModelInferResponse. */
export function writeAnswerEvent({ omittedBytes = 0, ...figures }: AnswerFigures, answer: Uint8Array): Uint8Array {
  const head = writeMessage(AnswerEventSchema, { ...figures, omittedBytes: BigInt(omittedBytes) });
  const { number } = AnswerEventSchema.field.answer;
  return new BinaryWriter().raw(head).tag(number, WireType.LengthDelimited).bytes(answer).finish();
}

export function writeFailureEvent({ id, modelName, ...failure }: FailureFigures): Uint8Array {
  return writeMessage(AnswerEventSchema, { id, modelName, outcome: { case: 'failure', value: failure } });
}

export const readAnswerEvent = (bytes: Uint8Array) => readMessage(AnswerEventSchema, bytes);
