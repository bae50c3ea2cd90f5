/** Feedback: the label or the score of an earlier answer, for the accuracy in operation. */
import { AppError } from '@equipoise/core/model';
import { parseJson } from '@equipoise/open-inference-codec';
import { type Answer, ok } from '../../net/answer.js';
import type { Feedback } from '../feedback/answered-requests.js';
import { pipelineOf, type RestRequest, readQuestion } from './endpoint.js';

export async function feedback(request: RestRequest): Promise<Answer> {
  const pipeline = pipelineOf(request);
  const given = readFeedback(parseJson(await readQuestion(request)));
  const { id, item } = given;
  return ok({ id, item, ...pipeline.judge(given, request.tenant) });
}

function readFeedback(body: unknown): Feedback {
  const fields = (body ?? {}) as Readonly<Record<string, unknown>>;
  const { id, item, score, label } = fields;
  if (typeof id !== 'string' || id === '') throw malformed('id must be the id of an answer');
  if (item !== undefined && !(Number.isSafeInteger(item) && Number(item) >= 0))
    throw malformed('item must be an integer from 0');
  const named = { id, ...(item !== undefined && { item: Number(item) }) };
  if (score === undefined && label !== undefined) return { ...named, label };
  if (label !== undefined) throw malformed('label must be absent if there is a score');
  if (typeof score !== 'number' || !(score >= 0 && score <= 1))
    throw malformed('score must be a number from 0 (wrong) to 1 (right), unless there is a label');
  return { ...named, score };
}

const malformed = (problem: string): AppError => new AppError('MALFORMED_REQUEST', `In the feedback, ${problem}.`);
