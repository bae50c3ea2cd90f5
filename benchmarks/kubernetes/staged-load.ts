/** Open-loop load whose rate changes in stages: Poisson arrivals, latency from the due instant, no request sent twice. */
import { Agent, request } from 'node:http';
import type { Rng } from '@equipoise/core/model';
import { answerTo, type HttpAnswer } from './http-answer.js';

export interface LoadStage {
  readonly seconds: number;
  readonly fromRps: number;
  readonly toRps: number;
}

export interface StagedLoadInput {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly stages: readonly LoadStage[];
  readonly rng: Rng;
  readonly body: (number: number) => string;
  readonly isOwn: (number: number, answer: string) => boolean;
}

/** `problem`: why there is no right answer. */
export interface SentRequest {
  readonly latencyMs: number;
  readonly problem?: string;
}

/** Requests of one period. */
export interface LoadFigures {
  readonly sloMs: number;
  readonly sent: number;
  readonly lost: number;
  readonly withinSlo: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly slowestMs: number;
  readonly problems: readonly string[];
}

const TIMEOUT_MS = 60_000;
const MOST_PROBLEMS = 20;

export class StagedLoad {
  /** Resolves with all outcomes when the last stage is over, or after `stop`. */
  readonly ended: Promise<readonly SentRequest[]>;
  readonly #input: StagedLoadInput;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #pending: Promise<SentRequest>[] = [];
  #isStopped = false;

  constructor(input: StagedLoadInput) {
    this.#input = input;
    this.ended = this.#run();
  }

  get sent(): number {
    return this.#pending.length;
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #run(): Promise<readonly SentRequest[]> {
    const beganMs = performance.now();
    for (const dueMs of arrivalsOf(this.#input)) {
      if (this.#isStopped) break;
      const waitMs = beganMs + dueMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      this.#pending.push(this.#request(this.sent, beganMs + dueMs));
    }
    const all = await Promise.all(this.#pending);
    this.#agent.destroy();
    return all;
  }

  async #request(number: number, dueMs: number): Promise<SentRequest> {
    try {
      const { status, text } = await this.#exchange(this.#input.body(number));
      const latencyMs = performance.now() - dueMs;
      if (status === 200 && this.#input.isOwn(number, text)) return { latencyMs };
      return { latencyMs, problem: `${status} ${text.slice(0, 300)}` };
    } catch (error) {
      return { latencyMs: performance.now() - dueMs, problem: String(error) };
    }
  }

  #exchange(body: string): Promise<HttpAnswer> {
    const { url, headers: own } = this.#input;
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...own };
    const sent = request(url, { method: 'POST', agent: this.#agent, headers, timeout: TIMEOUT_MS });
    return answerTo(sent, body, TIMEOUT_MS);
  }
}

/** Instants (ms) of a Poisson process whose rate changes linearly within a stage, by thinning. */
export function* arrivalsOf({ stages, rng }: Pick<StagedLoadInput, 'stages' | 'rng'>): Generator<number> {
  let startMs = 0;
  for (const { seconds, fromRps, toRps } of stages) {
    const mostRps = Math.max(fromRps, toRps);
    for (let atS = nextS(mostRps, rng); atS < seconds; atS += nextS(mostRps, rng)) {
      const rps = fromRps + ((toRps - fromRps) * atS) / seconds;
      if (rng.next() * mostRps < rps) yield startMs + 1000 * atS;
    }
    startMs += 1000 * seconds;
  }
}

const nextS = (rps: number, rng: Rng): number => -Math.log(1 - rng.next()) / rps;

export function loadFigures(requests: readonly SentRequest[], sloMs: number): LoadFigures {
  const answered = requests.filter(({ problem }) => problem === undefined);
  const sorted = answered.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
  const quantileMs = (fraction: number): number => sorted[Math.ceil(fraction * sorted.length) - 1] ?? Number.NaN;
  return {
    ...{ sloMs, sent: requests.length, lost: requests.length - answered.length },
    withinSlo: answered.filter(({ latencyMs }) => latencyMs <= sloMs).length,
    ...{ p50Ms: quantileMs(0.5), p99Ms: quantileMs(0.99), slowestMs: quantileMs(1) },
    problems: [...new Set(requests.flatMap(({ problem }) => problem ?? []))].slice(0, MOST_PROBLEMS),
  };
}

/** The rates of a load in words. */
export const loadText = (stages: readonly LoadStage[]): string =>
  stages
    .map(({ seconds, fromRps, toRps }) =>
      fromRps === toRps ? `${seconds} s of ${fromRps} rps` : `${fromRps} → ${toRps} rps in ${seconds} s`,
    )
    .join(', ');
