/** Entry of the thread that decodes large requests and answers; each message carries one. */
import { parentPort } from 'node:worker_threads';
import { AppError } from '@equipoise/core/model';
import { freeBuffer } from '../../data-plane/free-memory.js';
import { yieldToServing } from '../../yield-to-serving.js';
import { type Decoded, decoders, type Encoded, type MessageKind, tensorBuffers } from './decoders.js';
import type { DecoderFailure, DecoderQuestion } from './threaded-decoder.js';

function failureOf(error: unknown): DecoderFailure {
  if (!(error instanceof AppError)) throw error;
  const { code, message, details } = error;
  return { code, message, details };
}

yieldToServing();
parentPort?.on('message', ({ id, kind, encoded }: DecoderQuestion) => {
  try {
    const decode = decoders[kind] as (encoded: Encoded<MessageKind>) => Decoded<MessageKind>;
    const answer = decode(encoded);
    parentPort?.postMessage({ id, answer }, [...tensorBuffers('inputs' in answer ? answer.inputs : answer.outputs)]);
  } catch (error) {
    parentPort?.postMessage({ id, failure: failureOf(error) });
  } finally {
    // Memory from another thread would trigger no garbage collection.
    freeBuffer(encoded.bytes.buffer);
  }
});
