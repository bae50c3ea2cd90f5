/** Open-loop load over HTTP from a separate process, so that generator and server do not delay each other. */
import { fork } from 'node:child_process';
import { benchFile } from '../router/server-process.js';

/** A POST request. */
export interface PostRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Requests at the instants of a Poisson process, even while earlier ones still run. */
export interface OpenLoad {
  /** `http://host:port`. */
  readonly url: string;
  /** Requests sent one after another for each arrival, as by a client that chains models itself. */
  readonly steps: readonly PostRequest[];
  readonly arrivalRps: number;
  readonly durationMs: number;
  readonly seed: number;
  /** Processor of the generator. */
  readonly processor?: number;
  /**
   * An integer that each body contains once. The request number is added to it; the number of digits stays the same.
   */
  readonly numberPlace?: number;
}

/** Outcomes of the requests in columns, in the order of their ends. Instants are on the system's monotonic clock. */
export interface OpenLoadAnswers {
  readonly number: readonly number[];
  readonly dueAtMs: readonly number[];
  /** Time from the due instant to the last byte of the answer. */
  readonly latencyMs: readonly number[];
  /** HTTP status; 0 if the connection closed without an answer. */
  readonly status: readonly number[];
  /** Delay of the generator itself, by which the measured latencies are too high. */
  readonly sentLateMs: readonly number[];
}

/**
 * During its own garbage collections a generator neither sends nor receives, so its young generation is large from the
 * start.
 */
const seldomPauses = ['--min-semi-space-size=64', '--max-semi-space-size=64'];

/** Runs the load; rejects if the generator fails. */
export function openLoad(load: OpenLoad): Promise<OpenLoadAnswers> {
  return new Promise((resolve, reject) => {
    const generator = fork(benchFile('load/generator.ts'), {
      execArgv: ['--import', 'tsx', ...seldomPauses],
      serialization: 'advanced',
    });
    let answers: OpenLoadAnswers | undefined;
    generator.once('message', (message) => {
      answers = message as OpenLoadAnswers;
    });
    generator.once('exit', (exitCode) => {
      if (answers === undefined) reject(new Error(`the load generator ended with exit code ${exitCode}`));
      else resolve(answers);
    });
    generator.send(load);
  });
}

/** `fraction` quantile of `times`. */
export function quantileMs(times: readonly number[], fraction: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)] ?? Number.NaN;
}

/** Median of an odd number of figures. */
export function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN;
}
