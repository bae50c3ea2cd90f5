/** An open loop over HTTP by a generator that is a process of its own, so that it and the server do not wait for each other. */
import { fork } from 'node:child_process';
import { benchFile } from '../router/server-process.js';

/** A POST request. */
export interface PostRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Requests at the instants of a Poisson process, whether or not the earlier ones are done. */
export interface OpenLoad {
  /** `http://host:port`. */
  readonly url: string;
  /** One after another for each arrival, as a client does who chains models himself. */
  readonly steps: readonly PostRequest[];
  readonly arrivalRps: number;
  readonly durationMs: number;
  readonly seed: number;
  /** Processor of the generator. */
  readonly processor?: number;
  /** Each body has this integer once; the sum of it and of the number of the request takes its place, in as many digits. */
  readonly numberPlace?: number;
}

/** What became of the requests, in columns and in the order of their ends. Instants are those of the system's monotonic clock. */
export interface OpenLoadAnswers {
  readonly number: readonly number[];
  readonly dueAtMs: readonly number[];
  /** From when it was due to the last byte of the answer. */
  readonly latencyMs: readonly number[];
  /** Of HTTP; 0 where the connection was closed without an answer. */
  readonly status: readonly number[];
  /** How late the generator itself was: in that case its own figures are too high. */
  readonly sentLateMs: readonly number[];
}

/** While its own memory is collected a generator sends nothing and hears nothing: it gets a young generation that is large at once. */
const seldomPauses = ['--min-semi-space-size=64', '--max-semi-space-size=64'];

/** Runs it; rejects when the generator fails. */
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

/** The `fraction` quantile of some times. */
export function quantileMs(times: readonly number[], fraction: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)] ?? Number.NaN;
}

/** The middle one, of an odd number of figures. */
export function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN;
}
