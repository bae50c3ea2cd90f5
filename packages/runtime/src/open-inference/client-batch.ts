/**
 * Client batches: a request whose inputs have one more dimension than declared, in front. Each item is a request of its
 * own; the answers are stacked again, in order. The batch has a single answer or a single error.
 */
import {
  AppError,
  boundedMessage,
  boundedName,
  stackTensors,
  type Tensor,
  type TensorMap,
} from '@equipoise/core/model';
import type { PipelineOutcome } from '../data-plane/pending-request.js';
import { failureOfItems } from '../data-plane/stage-failure.js';
import { dropError } from '../net/refusal.js';

/** Tensors of an answer. `missing`: parts that joins did not wait for; undefined if the answer is complete. */
export interface CompletedTensors {
  readonly output: TensorMap;
  readonly missing: readonly string[] | undefined;
}

/** Maximum items of a batch: all arrive in one step of the event loop. */
const MOST_ITEMS = 1024;
/** Maximum numbers of items in a message. The details have all. */
const MOST_NUMBERS = 20;

/** Maximum items that may ever fit; `burst` limits the requests of the tenant. */
export function mostBatchItems(maxQueueLength: number, burst = Number.POSITIVE_INFINITY): number {
  return Math.min(MOST_ITEMS, maxQueueLength, Math.floor(burst));
}

/** Throws BATCH_SIZE_INVALID: a batch of this size cannot be served, however long the client waits. */
export function checkBatchSize(items: number, most: number): void {
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
 * Stacks the answers of the items. If items were lost, throws the error of the first of them, with the numbers of all.
 * Throws BATCH_OUTPUTS_DIFFER if answers cannot be stacked.
 */
export function stackedTensors(outcomes: readonly PipelineOutcome[]): CompletedTensors {
  const lost = outcomes.flatMap((outcome, item) => (outcome.kind === 'completed' ? [] : [{ item, outcome }]));
  // A lost item cancels the others, which are not the reason.
  const causes = lost.filter(({ outcome }) => outcome.kind === 'failed' || outcome.reason !== 'cancelled');
  const [first] = causes.length > 0 ? causes : lost;
  if (first !== undefined) {
    const error = errorOf(first.outcome);
    const isWhole = causes.length === outcomes.length || causes.length === 0;
    const numbers = causes.map(({ item }) => item);
    throw isWhole
      ? error
      : failureOfItems(error, { prefix: prefixOf(numbers, outcomes.length), details: { items: numbers } });
  }
  const answers = outcomes.map(completedTensors);
  const missing = answers.flatMap((answer, item) => answer.missing?.map((part) => `${item}:${part}`) ?? []);
  return {
    output: stacked(answers.map(({ output }) => output)),
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

function stacked(outputs: readonly TensorMap[]): TensorMap {
  const [first = {}] = outputs;
  const expected = typesOf(first);
  for (const [item, output] of outputs.entries()) {
    const found = typesOf(output);
    if (found === expected) continue;
    throw new AppError(
      'BATCH_OUTPUTS_DIFFER',
      boundedMessage(`The answer of item ${item} differs from that of item 0: ${found} where item 0 has ${expected}.`),
      { details: { item } },
    );
  }
  return Object.fromEntries(
    Object.keys(first).map((name) => [name, stackTensors(outputs.map((output) => output[name] as Tensor))]),
  );
}

/** Equal for outputs that can be stacked. */
function typesOf(output: TensorMap): string {
  const types = Object.entries(output).map(
    ([name, { datatype, shape }]) => `${boundedName(name)} ${datatype} [${shape.join(', ')}]`,
  );
  return types.length === 0 ? 'no tensors' : types.sort().join(', ');
}
