/** Entry of the thread that decodes large requests; each message carries one request. */
import { parentPort } from 'node:worker_threads';
import { AppError } from '@equipoise/core/model';
import { freeBuffer } from '../../net/free-memory.js';
import { yieldToServing } from '../../yield-to-serving.js';
import type { DecoderFailure, DecoderQuestion } from './large-requests.js';
import { type Decoded, type Encoded, type RequestKind, requestDecoders, tensorBuffers } from './request-decoders.js';

function failureOf(error: unknown): DecoderFailure {
  if (!(error instanceof AppError)) throw error;
  const { code, message, details } = error;
  return { code, message, details };
}

yieldToServing();
parentPort?.on('message', ({ id, kind, encoded }: DecoderQuestion) => {
  try {
    const decode = requestDecoders[kind] as (encoded: Encoded<RequestKind>) => Decoded<RequestKind>;
    const answer = decode(encoded);
    parentPort?.postMessage({ id, answer }, [...tensorBuffers(answer.inputs)]);
  } catch (error) {
    parentPort?.postMessage({ id, failure: failureOf(error) });
  } finally {
    // Memory from another thread would trigger no garbage collection.
    freeBuffer(encoded.bytes.buffer);
  }
});
