/** Open-loop latencies of several servers in turns, so that a disturbance of the machine affects all of them. */
import { median, type OpenLoadAnswers, openLoad, type PostRequest, quantileMs } from './open-load.js';

/** A server and its request rate. */
export interface LatencyCell {
  readonly url: string;
  readonly arrivalRps: number;
}

/** Latencies by round, in order. */
export interface Latencies {
  readonly p50Ms: readonly number[];
  readonly p99Ms: readonly number[];
}

/** Request, and duration of each round. */
export interface LatencyRounds {
  readonly request: PostRequest;
  readonly rounds: number;
  readonly seconds: number;
  /** Processor of the generator. */
  readonly processor: number;
}

const WARM_UP_MS = 3000;
/**
 * Each round starts a new generator process. Its first requests measure its own cold code, so they are ignored for this
 * time.
 */
const SETTLING_MS = 2000;

/** Measures all cells in turns. Throws an Error for an answer without status 200. */
export async function latencyRounds(
  cells: readonly LatencyCell[],
  { request, rounds, seconds, processor }: LatencyRounds,
): Promise<{ readonly latencies: readonly Latencies[]; readonly sentLateP99Ms: number }> {
  const latencies = cells.map(() => ({ p50Ms: [] as number[], p99Ms: [] as number[] }));
  const lateMs: number[] = [];
  const send = (cell: LatencyCell, durationMs: number, seed: number) =>
    openLoad({ ...cell, steps: [request], durationMs, seed, processor });
  for (const cell of cells) await send(cell, WARM_UP_MS, 0);
  for (let round = 0; round < rounds; round++) {
    for (const [index, cell] of cells.entries()) {
      const answers = await send(cell, SETTLING_MS + seconds * 1000, round);
      const { latencyMs, sentLateMs } = settled(answers);
      const odd = answers.status.find((one) => one !== 200);
      if (odd !== undefined) throw new Error(`a request to ${cell.url} was answered with status ${odd}`);
      latencies[index]?.p50Ms.push(quantileMs(latencyMs, 0.5));
      latencies[index]?.p99Ms.push(quantileMs(latencyMs, 0.99));
      lateMs.push(quantileMs(sentLateMs, 0.99));
    }
  }
  return { latencies, sentLateP99Ms: median(lateMs) };
}

/** Times of the requests that were due after the generator had settled. */
function settled(answers: OpenLoadAnswers): Pick<OpenLoadAnswers, 'latencyMs' | 'sentLateMs'> {
  const fromMs = SETTLING_MS + answers.dueAtMs.reduce((least, one) => Math.min(least, one), Number.POSITIVE_INFINITY);
  const kept = (column: readonly number[]) => column.filter((_, index) => (answers.dueAtMs[index] as number) >= fromMs);
  return {
    latencyMs: kept(answers.latencyMs),
    sentLateMs: kept(answers.sentLateMs),
  };
}

/** Time that one server adds to another: the median of the differences by round. */
export function added(routed: readonly number[], bare: readonly number[]): number {
  return median(routed.map((ms, round) => ms - (bare[round] as number)));
}
