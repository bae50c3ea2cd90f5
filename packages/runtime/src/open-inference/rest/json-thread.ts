/** Entry of the thread that decodes large JSON: one body per message. */
import { parentPort } from 'node:worker_threads';
import { AppError } from '@equipoise/core/model';
import { jsonDecoders, tensorBuffers } from './json-requests.js';
import type { JsonFailure, JsonQuestion } from './large-json.js';

function failureOf(error: unknown): JsonFailure {
  if (!(error instanceof AppError)) throw error;
  const { code, message, details } = error;
  return { code, message, details };
}

parentPort?.on('message', ({ id, kind, body }: JsonQuestion) => {
  try {
    if (kind === 'infer') {
      const answer = jsonDecoders.infer(body);
      parentPort?.postMessage({ id, answer }, [...tensorBuffers(answer.inputs)]);
    } else {
      const answer = jsonDecoders.run(body);
      parentPort?.postMessage({ id, answer }, [...tensorBuffers(answer)]);
    }
  } catch (error) {
    parentPort?.postMessage({ id, failure: failureOf(error) });
  }
});
