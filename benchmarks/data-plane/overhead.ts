/**
 * Latency that a router adds to requests with a 1 KB tensor at 1,000 requests per second, open loop. It is the p99 of a
 * pipeline of no-op stages minus that of a bare node:http server. This server answers the same bytes. Servers and their
 * replicas share processor 0; the generator has processor 1 for itself.
 */
import { invariant } from '@equipoise/core/model';
import { floats, jsonBody } from './bodies.js';
import { added, type Latencies, latencyRounds } from './load/latency-rounds.js';
import { NO_OP_PIPELINE, startRouter } from './router/router.js';
import { benchFile, startServerProcess } from './router/server-process.js';

/** Latencies of one server by round, in order. */
export interface OverheadSide {
  readonly name: string;
  readonly p50Ms: readonly number[];
  readonly p99Ms: readonly number[];
}

/** Medians over the rounds. */
export interface OverheadFigures {
  readonly arrivalRps: number;
  readonly sides: readonly OverheadSide[];
  /** Added latency by the number of stages. */
  readonly addedP99Ms: Readonly<Record<1 | 3, number>>;
  readonly addedP50Ms: Readonly<Record<1 | 3, number>>;
  /** p99 of the generator's own delay in sending. */
  readonly sentLateP99Ms: number;
}

const ARRIVAL_RPS = 1000;
const KILOBYTE_OF_FLOATS = 256;
const SERVER_PROCESSOR = '0';
const GENERATOR_PROCESSOR = 1;
const path = `/v2/models/${NO_OP_PIPELINE}/infer`;

/** Measures all servers in turns, each for `seconds` per round. */
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
  const cells = servers.map(({ url }) => ({ url, arrivalRps: ARRIVAL_RPS }));
  try {
    const { latencies, sentLateP99Ms } = await latencyRounds(cells, {
      ...{ request: { path, headers: {}, body }, rounds, seconds, processor: GENERATOR_PROCESSOR },
    });
    const sides = servers.map(({ name }, index): OverheadSide => ({ name, ...(latencies[index] as Latencies) }));
    const [none, one, three] = sides;
    invariant(none !== undefined && one !== undefined && three !== undefined, 'there are three servers');
    return {
      ...{ arrivalRps: ARRIVAL_RPS, sides },
      addedP99Ms: { 1: added(one.p99Ms, none.p99Ms), 3: added(three.p99Ms, none.p99Ms) },
      addedP50Ms: { 1: added(one.p50Ms, none.p50Ms), 3: added(three.p50Ms, none.p50Ms) },
      sentLateP99Ms,
    };
  } finally {
    await Promise.all([routers[1].close(), routers[3].close(), bare.stop()]);
  }
}
