/**
 * Client batches: a request whose inputs have one more dimension than declared, in front. Each item is a request of its
 * own; the answers are stacked again, in order. The batch has a single answer or a single error.
 */
import { AppError, boundedMessage, type PipelineSpec, type TensorMap } from '@equipoise/core/model';
import { tensorBytes } from '../data-plane/bytes-in-flight.js';
import { stackItems } from '../data-plane/payload-algebra.js';
import type { PipelineOutcome } from '../data-plane/pending-request.js';
import { failureOfItems } from '../data-plane/stage-failure.js';
import { dropError } from '../net/refusal.js';

/** Tensors of an answer. `missing`: parts that joins did not wait for; undefined if the answer is complete. */
export interface CompletedTensors {
  readonly output: TensorMap;
  readonly missing: readonly string[] | undefined;
}

/** Maximum items of a batch, because all arrive in one turn of the event loop. */
const MOST_ITEMS = 1024;
/** Maximum item numbers in a message. The details have all. */
const MOST_NUMBERS = 20;

/** Maximum items of a batch: half of the queue, so that one request never fills it; `burst` is the tenant's. */
export function mostBatchItems(
  { maxQueueLength }: PipelineSpec['admission'],
  burst = Number.POSITIVE_INFINITY,
): number {
  return Math.min(MOST_ITEMS, Math.ceil(maxQueueLength / 2), Math.floor(burst));
}

/** Throws BATCH_SIZE_INVALID if a batch of this size can never be served. */
export function checkBatchSize(
  items: number,
  { inputs, admission, burst }: { inputs: TensorMap; admission: PipelineSpec['admission']; burst: number | undefined },
): void {
  const { maxInFlightBytes = Number.POSITIVE_INFINITY } = admission;
  // A single item always fits.
  const byMemory = Math.max(1, Math.floor((items * maxInFlightBytes) / tensorBytes(inputs)));
  const most = Math.min(mostBatchItems(admission, burst), byMemory);
  if (items <= most) return;
  throw new AppError('BATCH_SIZE_INVALID', `The batch has ${items} items; at most ${most} are allowed.`, {
    details: { items, most },
  });
}

/** Tensors of a single request; throws the error of a request that did not complete. */
export function completedTensors(outcome: PipelineOutcome): CompletedTensors {
  if (outcome.kind === 'completed') return { output: outcome.output, missing: outcome.missing };
  throw errorOf(outcome);
}

/**
 * Stacks the answers of the items. If items failed, throws the error of the first of them, with the numbers of those
 * that failed in the same way, unless all did. Otherwise throws the error of the first dropped item, or
 * BATCH_OUTPUTS_DIFFER if answers cannot be stacked.
 */
export function stackedTensors(outcomes: readonly PipelineOutcome[]): CompletedTensors {
  const failures = outcomes.flatMap((outcome, item) =>
    outcome.kind === 'failed' ? [{ item, error: outcome.failure }] : [],
  );
  if (failures[0] !== undefined) {
    const { error } = failures[0];
    const same = failures.filter((other) => other.error.code === error.code && other.error.message === error.message);
    const numbers = same.map(({ item }) => item);
    throw numbers.length === outcomes.length
      ? error
      : failureOfItems(error, { prefix: prefixOf(numbers, outcomes.length), details: { items: numbers } });
  }
  const answers = outcomes.map(completedTensors);
  const missing = answers.flatMap((answer, item) => answer.missing?.map((part) => `${item}:${part}`) ?? []);
  return {
    output: stackItems(
      answers.map(({ output }) => output),
      (item, problem) =>
        new AppError('BATCH_OUTPUTS_DIFFER', boundedMessage(`The answer of item ${item} ${problem}.`), {
          details: { item },
        }),
    ),
    missing: missing.length === 0 ? undefined : missing,
  };
}

function errorOf(outcome: Exclude<PipelineOutcome, { kind: 'completed' }>): AppError {
  return outcome.kind === 'failed' ? outcome.failure : dropError(outcome.reason, outcome.retryAfterMs);
}

function prefixOf(numbers: readonly number[], count: number): string {
  const shown = numbers.slice(0, MOST_NUMBERS).join(', ');
  const rest = numbers.length > MOST_NUMBERS ? ', …' : '';
  return `${numbers.length === 1 ? 'Item' : 'Items'} ${shown}${rest} of ${count} (counted from 0): `;
}
