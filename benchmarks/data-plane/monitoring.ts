/**
 * Processor time that metrics and traces cost `equipoise serve` at 2,000 requests per second, open loop. Four servers:
 * two without metrics and traces, whose difference is the noise, one with metrics, and one that keeps and exports 1 % of
 * the traces besides. They take turns, forwards and then backwards (ABBA), so that a drift of the machine cancels. Each
 * generation starts new processes, because two processes of one program differ, too.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MeanInterval } from '@equipoise/core/model';
import { atMost, type Bar, holds, told } from './bar.js';
import { floats, jsonBody } from './bodies.js';
import { bootstrapMean95 } from './bootstrap-interval.js';
import { type OpenLoad, openLoad } from './load/open-load.js';
import { NO_OP_PIPELINE, type Router, startRouter } from './router/router.js';

const sides = ['off', 'offAgain', 'metrics', 'traced'] as const;
type Side = (typeof sides)[number];

/** Processor time (µs) per request: of the thread that routes, and of all threads of the process. */
export interface RequestTime {
  readonly routerUs: number;
  readonly processUs: number;
}

type Measure = keyof RequestTime;

/** Means of the two turns of each server. */
export type Generation = Readonly<Record<Side, RequestTime>>;

export interface MonitoringFigures {
  readonly generations: readonly Generation[];
}

const ARRIVAL_RPS = 2000;
const KILOBYTE_OF_FLOATS = 256;
const ROUTER_PROCESSOR = '0';
const CLIENT_PROCESSOR = 1;
/** V8 compiles functions until then, more of them with metrics and traces. A server that runs for hours does not. */
const WARM_UP_MS = 15_000;
const MOST_ADDED_FRACTION = 0.04;
const FEWEST_REQUESTS = 1000;
const MOST_ATTEMPTS = 5;

/** Each server has two turns of `seconds` in each generation. */
export async function measureMonitoring({
  generations,
  seconds,
}: {
  readonly generations: number;
  readonly seconds: number;
}): Promise<MonitoringFigures> {
  const collector = createServer((request, response) => {
    request.resume().on('end', () => response.end());
  }).listen(0, '127.0.0.1');
  await once(collector, 'listening');
  const { port } = collector.address() as AddressInfo;
  const measured: Generation[] = [];
  try {
    for (let round = 0; round < generations; round++)
      measured.push(await measureGeneration({ collector: `http://127.0.0.1:${port}`, seconds, round }));
  } finally {
    collector.closeAllConnections();
    collector.close();
  }
  return { generations: measured };
}

interface Turns {
  readonly collector: string;
  readonly seconds: number;
  readonly round: number;
}

async function measureGeneration({ collector, seconds, round }: Turns): Promise<Generation> {
  const servers = new Map<Side, Router>();
  try {
    for (const side of sides) servers.set(side, await startRouter(optionsOf(side, collector)));
    // A processor may be busier at one time than at another, so the first side differs from generation to generation.
    const order = sides.map((_, turn) => sides[(turn + round) % sides.length] as Side);
    const times = new Map<Side, RequestTime[]>(sides.map((side) => [side, []]));
    // A server whose code is cold may refuse some of the load.
    for (const side of order) await openLoad(loadOf(servers.get(side) as Router, { durationMs: WARM_UP_MS, seed: 0 }));
    for (const side of [...order, ...order.toReversed()])
      times.get(side)?.push(await requestTime(side, servers, { durationMs: 1000 * seconds, seed: 1 + round }));
    const meanOf = (side: Side): RequestTime => {
      const turns = times.get(side) ?? [];
      const mean = (measure: Measure) => turns.reduce((sum, turn) => sum + turn[measure], 0) / turns.length;
      return { routerUs: mean('routerUs'), processUs: mean('processUs') };
    };
    return Object.fromEntries(sides.map((side) => [side, meanOf(side)])) as Generation;
  } finally {
    await Promise.all([...servers.values()].map((server) => server.close()));
  }
}

function optionsOf(side: Side, collector: string) {
  const flags: Readonly<Record<Side, readonly string[]>> = {
    off: ['--no-metrics', '--trace-sample', 'off'],
    offAgain: ['--no-metrics', '--trace-sample', 'off'],
    metrics: ['--trace-sample', 'off'],
    traced: ['--trace-sample', '0.01', '--otlp-endpoint', collector],
  };
  // Next to the client, which spins, a replica took 27 or 54 µs per request for all turns of a server. It takes turns
  // with the router instead, and batches are of one request on all sides.
  const place = { processors: ROUTER_PROCESSOR, replicaProcessor: Number(ROUTER_PROCESSOR), arrivalRps: ARRIVAL_RPS };
  return { stages: 1, maxBatchSize: 1, ...place, flags: flags[side] };
}

interface Turn {
  readonly durationMs: number;
  readonly seed: number;
}

function loadOf({ url }: Router, { durationMs, seed }: Turn): OpenLoad {
  const request = {
    path: `/v2/models/${NO_OP_PIPELINE}/infer`,
    headers: {},
    body: Buffer.from(jsonBody(floats(KILOBYTE_OF_FLOATS)).bytes).toString(),
  };
  return { url, steps: [request], arrivalRps: ARRIVAL_RPS, durationMs, seed, processor: CLIENT_PROCESSOR };
}

/**
 * Metrics are read once in a turn, as Prometheus does every few seconds. A turn in which the machine stood still, so that
 * the server refused requests, is measured again.
 */
async function requestTime(side: Side, servers: ReadonlyMap<Side, Router>, turn: Turn): Promise<RequestTime> {
  const router = servers.get(side) as Router;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const found = await oneTurn(router, turn, !side.startsWith('off'));
    if (found !== undefined) return found;
  }
  throw new Error(`${router.url} refused requests in ${MOST_ATTEMPTS} turns`);
}

async function oneTurn(router: Router, turn: Turn, isRead: boolean): Promise<RequestTime | undefined> {
  const { server, url } = router;
  const before = { router: server.mainThreadSeconds, process: server.processorSeconds };
  const [{ status }] = await Promise.all([openLoad(loadOf(router, turn)), isRead ? scrape(url) : undefined]);
  if (status.some((one) => one !== 200)) return undefined;
  if (status.length < FEWEST_REQUESTS) throw new Error(`only ${status.length} requests were sent to ${url}`);
  const perRequest = (seconds: number) => (1e6 * seconds) / status.length;
  return {
    routerUs: perRequest(server.mainThreadSeconds - before.router),
    processUs: perRequest(server.processorSeconds - before.process),
  };
}

async function scrape(url: string): Promise<void> {
  const answer = await fetch(`${url}/metrics`);
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`the metrics of ${url} were answered with status ${answer.status}`);
}

const NAMES: Readonly<Record<Measure, string>> = { routerUs: 'the thread that routes', processUs: 'the process' };

/** Bars of metrics and traces. Costs are fractions of the time without both. */
export function monitoringBars({ generations }: MonitoringFigures): readonly Bar[] {
  return (Object.keys(NAMES) as Measure[]).flatMap((measure) => {
    const offUs = ({ off, offAgain }: Generation) => (off[measure] + offAgain[measure]) / 2;
    const added = (us: (of: Generation) => number) => bootstrapMean95(generations.map((of) => us(of) / offUs(of)));
    const noise = added(({ off, offAgain }) => offAgain[measure] - off[measure]);
    const metrics = added((of) => of.metrics[measure] - offUs(of));
    const traces = added(({ traced, metrics: without }) => traced[measure] - without[measure]);
    const both = added((of) => of.traced[measure] - offUs(of));
    const name = NAMES[measure];
    const times = sides.map((side) => generations.map((of) => of[side][measure].toFixed(1)).join(', '));
    return [
      told(`processor time of ${name} per request, µs: ${sides.join('; ')}`, times.join('; ')),
      told(`added to ${name} by metrics, fraction, mean (95 %)`, textOf(metrics)),
      told(`added to ${name} by traces of 1 % besides, fraction, mean (95 %)`, textOf(traces)),
      told(`added to ${name} by both, fraction, mean (95 %)`, textOf(both)),
      atMost(`added to ${name} by both, fraction, upper end of the interval`, both.high, 3, MOST_ADDED_FRACTION),
      holds(
        `two servers without both differ by noise only in ${name} (95 %: ${rangeOf(noise)})`,
        noise.low <= 0 && noise.high >= 0,
      ),
    ];
  });
}

const rangeOf = ({ low, high }: MeanInterval): string => `${low.toFixed(3)} to ${high.toFixed(3)}`;
const textOf = (interval: MeanInterval): string => `${interval.mean.toFixed(3)} (${rangeOf(interval)})`;
