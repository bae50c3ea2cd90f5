/**
 * What a front adds to the latency of requests with a 1 KB tensor, open loop: a router with none and one with one front, at a low and at a
 * middling rate, in turns. Both routers and their replicas share processor 0, the generator has processor 1 for itself.
 */
import { floats, jsonBody } from './bodies.js';
import { added, latencyRounds } from './load/latency-rounds.js';
import { median } from './load/open-load.js';
import { NO_OP_PIPELINE, startRouter } from './router/router.js';

/** Latencies at one rate; those of the rounds without and with a front in order, and the medians of what it adds. */
export interface FrontLatencyFigures {
  readonly arrivalRps: number;
  readonly sides: readonly { readonly fronts: number; readonly p50Ms: number; readonly p99Ms: number }[];
  readonly addedP50Ms: number;
  readonly addedP99Ms: number;
}

const RATES_RPS = [300, 1000];
const FRONTS = [0, 1] as const;
const KILOBYTE_OF_FLOATS = 256;
const SERVER_PROCESSOR = '0';
const GENERATOR_PROCESSOR = 1;

/** Rounds of both routers at both rates in turn, each for `seconds`. */
export async function measureFrontLatency({
  rounds,
  seconds,
}: {
  readonly rounds: number;
  readonly seconds: number;
}): Promise<{ readonly rates: readonly FrontLatencyFigures[]; readonly sentLateP99Ms: number }> {
  const body = Buffer.from(jsonBody(floats(KILOBYTE_OF_FLOATS)).bytes).toString();
  const request = { path: `/v2/models/${NO_OP_PIPELINE}/infer`, headers: {}, body };
  const routers = await Promise.all(
    FRONTS.map((frontProcesses) =>
      startRouter({ stages: 1, maxBatchSize: 4, processors: SERVER_PROCESSOR, frontProcesses }),
    ),
  );
  try {
    const cells = RATES_RPS.flatMap((arrivalRps) => routers.map(({ url }) => ({ url, arrivalRps })));
    const { latencies, sentLateP99Ms } = await latencyRounds(cells, {
      ...{ request, rounds, seconds, processor: GENERATOR_PROCESSOR },
    });
    const rates = RATES_RPS.map((arrivalRps, rate) => {
      const sides = latencies.slice(FRONTS.length * rate, FRONTS.length * (rate + 1));
      const added50 = added(sides[1]?.p50Ms ?? [], sides[0]?.p50Ms ?? []);
      const added99 = added(sides[1]?.p99Ms ?? [], sides[0]?.p99Ms ?? []);
      const medians = sides.map(({ p50Ms, p99Ms }, side) => ({
        ...{ fronts: FRONTS[side] as number, p50Ms: median(p50Ms), p99Ms: median(p99Ms) },
      }));
      return { arrivalRps, sides: medians, addedP50Ms: added50, addedP99Ms: added99 };
    });
    return { rates, sentLateP99Ms };
  } finally {
    await Promise.all(routers.map((router) => router.close()));
  }
}
