/**
 * Simulated sojourn times against exact laws. A pilot run with another seed fixed the numbers of requests. Seeds are 1,
 * 2, 3 … in case order. If an interval misses its exact value, the case runs once more with the next unused seed.
 */
import type { Estimate } from '../../packages/core/src/simulate/batch-means.test-support.js';
import {
  batchQueue,
  constantQueue,
  contains,
  exponentialQueue,
  type KnownQueue,
  simulateQueue,
} from '../../packages/core/src/simulate/queues.test-support.js';

/** Simulated and exact figure in ms. */
interface Compared extends Estimate {
  readonly exact: number;
  readonly contained: boolean;
}

export interface QueueFigures {
  readonly name: string;
  readonly seed: number;
  readonly requests: number;
  readonly mean: Compared;
  readonly p99: Compared;
}

/** All cases, and those run again after a miss. */
export interface ClosedFormFigures {
  readonly first: readonly QueueFigures[];
  readonly again: readonly QueueFigures[];
}

/** Requests by load factor, about twice as many as the half-widths need. */
const REQUESTS = { 0.5: 4e6, 0.8: 12e6, 0.95: 250e6 } as const;
const LOADS = [0.5, 0.8, 0.95] as const;

interface Case {
  readonly queue: KnownQueue;
  readonly requests: number;
}

const cases: readonly Case[] = [
  ...[1, 4].map((servers) => (load: number) => exponentialQueue(servers, load)),
  ...[1, 8].map((servers) => (load: number) => constantQueue(servers, load)),
  ...[4, 16, 64].map((maxBatchSize) => (load: number) => batchQueue(maxBatchSize, load)),
].flatMap((queueAt) => LOADS.map((load) => ({ queue: queueAt(load), requests: REQUESTS[load] })));

function measureQueue({ queue, requests }: Case, seed: number): QueueFigures {
  const { meanMs, p99Ms } = queue.exact();
  const { mean, p99 } = simulateQueue(queue, { requests, seed });
  const compared = (estimate: Estimate, exact: number): Compared => ({
    ...estimate,
    exact,
    contained: contains(estimate, exact),
  });
  const figures = { name: queue.name, seed, requests, mean: compared(mean, meanMs), p99: compared(p99, p99Ms) };
  process.stderr.write(`${JSON.stringify(figures)}\n`);
  return figures;
}

/** True if both intervals contain the exact values. */
export const holds = ({ mean, p99 }: QueueFigures): boolean => mean.contained && p99.contained;

/** Takes about a quarter of an hour. */
export function measureClosedForms(): ClosedFormFigures {
  const first = cases.map((each, i) => measureQueue(each, i + 1));
  const missed = cases.filter((_, i) => !holds(first[i] as QueueFigures));
  return { first, again: missed.map((each, i) => measureQueue(each, cases.length + i + 1)) };
}
