/** Feedback: the score of an earlier answer, for the accuracy in operation. */
import { AppError } from '@equipoise/core/model';
import { parseJson } from '@equipoise/open-inference-codec';
import type { Feedback } from '../../accuracy/answered-requests.js';
import { type Answer, ok } from '../../net/answer.js';
import { pipelineOf, type RestRequest, readQuestion } from './endpoint.js';

export async function feedback(request: RestRequest): Promise<Answer> {
  const pipeline = pipelineOf(request);
  const given = readFeedback(parseJson(await readQuestion(request)));
  const variants = pipeline.judge(given, request.tenant);
  return ok({ ...given, ...(variants && { variants }) });
}

function readFeedback(body: unknown): Feedback {
  const { id, item, score } = (body ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof id !== 'string' || id === '') throw malformed('id must be the id of an answer');
  if (typeof score !== 'number' || !(score >= 0 && score <= 1))
    throw malformed('score must be a number from 0 (wrong) to 1 (right)');
  if (item === undefined) return { id, score };
  if (!Number.isSafeInteger(item) || Number(item) < 0) throw malformed('item must be an integer from 0');
  return { id, item: Number(item), score };
}

const malformed = (problem: string): AppError => new AppError('MALFORMED_REQUEST', `In the feedback, ${problem}.`);
