/**
 * What a router adds to the latency of requests with a 1 KB tensor at 1,000 requests per second, open loop: the p99 through a pipeline of
 * stages that do nothing, less the p99 of a bare server on node:http that answers the same bytes. Servers and their replicas share
 * processor 0, the generator has processor 1 for itself.
 */
import { invariant } from '@equipoise/core';
import { floats, jsonBody } from './bodies.js';
import { median, openLoad, quantileMs } from './load/open-load.js';
import { NO_OP_PIPELINE, startRouter } from './router/router.js';
import { benchFile, startServerProcess } from './router/server-process.js';

/** Latencies of one server, of the rounds in order. */
export interface OverheadSide {
  readonly name: string;
  readonly p50Ms: readonly number[];
  readonly p99Ms: readonly number[];
}

/** Medians over the rounds. */
export interface OverheadFigures {
  readonly arrivalRps: number;
  readonly sides: readonly OverheadSide[];
  /** By the number of stages. */
  readonly addedP99Ms: Readonly<Record<1 | 3, number>>;
  readonly addedP50Ms: Readonly<Record<1 | 3, number>>;
  /** How late the generator itself sent, p99. */
  readonly sentLateP99Ms: number;
}

const ARRIVAL_RPS = 1000;
const KILOBYTE_OF_FLOATS = 256;
const SERVER_PROCESSOR = '0';
const GENERATOR_PROCESSOR = 1;
const WARM_UP_MS = 3000;
const path = `/v2/models/${NO_OP_PIPELINE}/infer`;

/** Rounds of all servers in turn, each for `seconds`. */
export async function measureOverhead({
  rounds,
  seconds,
}: {
  readonly rounds: number;
  readonly seconds: number;
}): Promise<OverheadFigures> {
  const body = Buffer.from(jsonBody(floats(KILOBYTE_OF_FLOATS)).bytes).toString();
  const routers = {
    1: await startRouter({ stages: 1, maxBatchSize: 4, processors: SERVER_PROCESSOR }),
    3: await startRouter({ stages: 3, maxBatchSize: 4, processors: SERVER_PROCESSOR }),
  };
  const answered = await fetch(routers[1].url + path, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  });
  const { server: bare, found } = await startServerProcess({
    args: [benchFile('router/bare-server.mjs')],
    processors: SERVER_PROCESSOR,
    ready: /ready (\S+)/,
    environment: { ANSWER: Buffer.from(await answered.arrayBuffer()).toString('base64') },
  });
  const servers = [
    { name: 'bare', url: found[1] as string },
    { name: '1 stage', url: routers[1].url },
    { name: '3 stages', url: routers[3].url },
  ];
  const sides = servers.map(({ name }) => ({ name, p50Ms: [] as number[], p99Ms: [] as number[] }));
  const lateMs: number[] = [];
  const send = async (url: string, durationMs: number, seed: number) => {
    const load = { url, steps: [{ path, headers: {}, body }], arrivalRps: ARRIVAL_RPS, durationMs, seed };
    return openLoad({ ...load, processor: GENERATOR_PROCESSOR });
  };
  try {
    for (const { url } of servers) await send(url, WARM_UP_MS, 0);
    for (let round = 0; round < rounds; round++) {
      for (const [index, { url }] of servers.entries()) {
        const { latencyMs, sentLateMs, status } = await send(url, seconds * 1000, round);
        const odd = status.find((one) => one !== 200);
        if (odd !== undefined) throw new Error(`a request to ${url} was answered with status ${odd}`);
        sides[index]?.p50Ms.push(quantileMs(latencyMs, 0.5));
        sides[index]?.p99Ms.push(quantileMs(latencyMs, 0.99));
        lateMs.push(quantileMs(sentLateMs, 0.99));
      }
    }
  } finally {
    await Promise.all([routers[1].close(), routers[3].close(), bare.stop()]);
  }
  const [none, one, three] = sides.map((side): OverheadSide => side);
  invariant(none !== undefined && one !== undefined && three !== undefined, 'there are three servers');
  return {
    ...{ arrivalRps: ARRIVAL_RPS, sides },
    addedP99Ms: { 1: added(one.p99Ms, none.p99Ms), 3: added(three.p99Ms, none.p99Ms) },
    addedP50Ms: { 1: added(one.p50Ms, none.p50Ms), 3: added(three.p50Ms, none.p50Ms) },
    sentLateP99Ms: median(lateMs),
  };
}

/** Each round has its own baseline; the median of their differences. */
function added(routed: readonly number[], bare: readonly number[]): number {
  return median(routed.map((ms, round) => ms - (bare[round] as number)));
}
