/**
 * Processor time that traces cost the router's own thread at 2,000 requests per second, open loop. Routers without
 * traces (two processes, which show the noise), and one that keeps 1 % and exports them, take turns, in an order that
 * changes from round to round.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { meanInterval95 } from '@equipoise/core/model';
import { atMost, type Bar, holds, told } from './bar.js';
import { floats, jsonBody } from './bodies.js';
import { openLoad } from './load/open-load.js';
import { NO_OP_PIPELINE, type Router, startRouter } from './router/router.js';

/** Processor time (µs) of the router's thread per request, by round. */
export interface TracingFigures {
  readonly offUs: readonly number[];
  readonly offAgainUs: readonly number[];
  readonly tracedUs: readonly number[];
}

const ARRIVAL_RPS = 2000;
const KILOBYTE_OF_FLOATS = 256;
const ROUTER_PROCESSOR = '0';
const CLIENT_PROCESSOR = 1;
const WARM_UP_MS = 5000;
const MOST_ADDED_FRACTION = 0.04;

/** Measures all routers in turns, each for `seconds` per round. */
export async function measureTracing({
  rounds,
  seconds,
}: {
  readonly rounds: number;
  readonly seconds: number;
}): Promise<TracingFigures> {
  const collector = createServer((request, response) => {
    request.resume().on('end', () => response.end());
  }).listen(0, '127.0.0.1');
  await once(collector, 'listening');
  const { port } = collector.address() as AddressInfo;
  const off = ['--trace-sample', 'off'];
  const traced = ['--trace-sample', '0.01', '--otlp-endpoint', `http://127.0.0.1:${port}`];
  const place = { processors: ROUTER_PROCESSOR, replicaProcessor: CLIENT_PROCESSOR, arrivalRps: ARRIVAL_RPS };
  const routers: Router[] = [];
  for (const flags of [off, off, traced])
    routers.push(await startRouter({ stages: 1, maxBatchSize: 32, ...place, flags }));
  const figures = routers.map((): number[] => []);
  try {
    for (const router of routers) await requestUs(router, WARM_UP_MS, 0);
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < routers.length; turn++) {
        const index = (turn + round) % routers.length;
        figures[index]?.push(await requestUs(routers[index] as Router, seconds * 1000, round));
      }
    }
  } finally {
    await Promise.all(routers.map((router) => router.close()));
    collector.closeAllConnections();
    collector.close();
  }
  const [offUs = [], offAgainUs = [], tracedUs = []] = figures;
  return { offUs, offAgainUs, tracedUs };
}

async function requestUs({ server, url }: Router, durationMs: number, seed: number): Promise<number> {
  const request = {
    path: `/v2/models/${NO_OP_PIPELINE}/infer`,
    headers: {},
    body: Buffer.from(jsonBody(floats(KILOBYTE_OF_FLOATS)).bytes).toString(),
  };
  const before = server.mainThreadSeconds;
  const load = { url, steps: [request], arrivalRps: ARRIVAL_RPS, durationMs, seed, processor: CLIENT_PROCESSOR };
  const { status } = await openLoad(load);
  const odd = status.find((one) => one !== 200);
  if (odd !== undefined) throw new Error(`a request to ${url} was answered with status ${odd}`);
  return ((server.mainThreadSeconds - before) * 1e6) / status.length;
}

/** Bars of the traces. */
export function tracingBars({ offUs, offAgainUs, tracedUs }: TracingFigures): readonly Bar[] {
  const meanOfUs = (round: number) => ((offUs[round] as number) + (offAgainUs[round] as number)) / 2;
  const noise = meanInterval95(
    offAgainUs.map((us, round) => (us - (offUs[round] as number)) / (offUs[round] as number)),
  );
  const added = meanInterval95(tracedUs.map((us, round) => (us - meanOfUs(round)) / meanOfUs(round)));
  return [
    told(
      'processor time of a request without traces, of a second such router, with traces, µs',
      [offUs, offAgainUs, tracedUs].map(listed).join('; '),
    ),
    told('added by traces of 1 %, fraction, mean (95 %)', `${added.mean.toFixed(3)} (${interval(added)})`),
    atMost('added by traces of 1 %, fraction, upper end of the interval', added.high, 3, MOST_ADDED_FRACTION),
    holds(
      `two routers without traces differ by noise only (95 %: ${interval(noise)})`,
      noise.low <= 0 && noise.high >= 0,
    ),
  ];
}

const listed = (values: readonly number[]): string => values.map((us) => us.toFixed(1)).join(', ');
const interval = ({ low, high }: { readonly low: number; readonly high: number }): string =>
  `${low.toFixed(3)} to ${high.toFixed(3)}`;
