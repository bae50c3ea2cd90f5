/** Requests at the instants of a Poisson process, even while earlier ones still run, with their outcomes. */
import { SeededRng, type TensorMap } from '@equipoise/core/model';
import { poissonArrivals } from '@equipoise/core/simulate';
import type { PipelineOutcome, PipelineRunner } from '@equipoise/runtime';
import { benchRequest } from './bench-pipeline.js';

/** Outcomes of a load in columns, which need little memory. */
export interface Answers {
  /** Request numbers in the order of sending. */
  readonly sequence: readonly number[];
  /** Time from sending to the answer. */
  readonly latencyMs: readonly number[];
  /** Time from the start of the load. */
  readonly answeredAtMs: readonly number[];
  readonly kind: readonly PipelineOutcome['kind'][];
  /** Code of a failure or reason of a drop. */
  readonly reason: readonly (string | undefined)[];
}

export interface OpenLoad {
  readonly arrivalRps: number;
  readonly durationMs: number;
  readonly seed: number;
  /** Default: a request of 1 KB. */
  readonly request?: (sequence: number) => TensorMap;
}

/** Sends the load and waits for all answers. */
export async function openLoop(runner: PipelineRunner, load: OpenLoad): Promise<Answers> {
  const arrivals = poissonArrivals(load.arrivalRps, load.durationMs, new SeededRng(load.seed));
  const beganAtMs = performance.now();
  const underWay = new Set<Promise<void>>();
  const latencyMs: number[] = [];
  const answeredAtMs: number[] = [];
  const kind: PipelineOutcome['kind'][] = [];
  const sequence: number[] = [];
  const reason: (string | undefined)[] = [];
  const { request = benchRequest } = load;
  const send = async (number: number): Promise<void> => {
    const sentAtMs = performance.now();
    const outcome = await runner.submit(request(number));
    sequence.push(number);
    reason.push(reasonOf(outcome));
    latencyMs.push(performance.now() - sentAtMs);
    answeredAtMs.push(performance.now() - beganAtMs);
    kind.push(outcome.kind);
  };
  let sent = 0;
  for (let dueAtMs = arrivals.nextAtMs(); dueAtMs !== undefined; dueAtMs = arrivals.nextAtMs()) {
    const waitMs = dueAtMs - (performance.now() - beganAtMs);
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const answer = send(sent++);
    underWay.add(answer);
    void answer.finally(() => underWay.delete(answer));
  }
  await Promise.all(underWay);
  return { sequence, latencyMs, answeredAtMs, kind, reason };
}

function reasonOf(outcome: PipelineOutcome): string | undefined {
  if (outcome.kind === 'dropped') return outcome.reason;
  return outcome.kind === 'failed' ? outcome.failure.code : undefined;
}

/** Capacity at saturation: completions per second while `inFlight` requests always run, for `durationMs`. */
export async function saturationRps(runner: PipelineRunner, inFlight: number, durationMs: number): Promise<number> {
  const endsAtMs = performance.now() + durationMs;
  let completed = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < endsAtMs) {
      const { kind } = await runner.submit(benchRequest());
      if (kind === 'completed' && performance.now() < endsAtMs) completed += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  return (1000 * completed) / durationMs;
}
