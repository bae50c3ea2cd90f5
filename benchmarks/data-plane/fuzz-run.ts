/**
 * Bad input to `equipoise serve` as a black box. A seeded, structure-aware fuzzer sends it over REST and gRPC, while
 * slow clients connect. Then 10,000 idle connections follow. The process must run to its end without a warning, and use
 * no more memory or descriptors than at the start.
 */
import { Chance } from './fuzz/chance.js';
import { grpcCase } from './fuzz/grpc-cases.js';
import { type CallOutcome, GrpcShooter } from './fuzz/grpc-shot.js';
import { type HostileFigures, idleConnections, slowBodies, slowCalls, slowHeads } from './fuzz/hostile-connections.js';
import { httpCase } from './fuzz/http-cases.js';
import { HttpShooter } from './fuzz/http-shot.js';
import { goodRequest } from './fuzz/json-bodies.js';
import { NO_OP_PIPELINE, type Router, startRouter } from './router/router.js';

/** Figures of the fuzzer. */
export interface FuzzFigures {
  readonly requests: number;
  /** Number of requests by kind and outcome. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Forbidden outcomes: a 5xx, a gRPC status for server faults, or no answer. */
  readonly wrong: Readonly<Record<string, number>>;
  readonly slowHeads: HostileFigures;
  readonly slowBodies: HostileFigures;
  readonly slowCalls: HostileFigures;
  readonly idle: { readonly connections: number; readonly servedMeanwhileMs: number; readonly closedByServer: number };
  /** Figures of the router after a tenth of the requests, and at the end. */
  readonly keptBytes: readonly [number, number];
  readonly openDescriptors: readonly [number, number];
  /** True if the router answered at the end. `endedWell`: the router exited without an error when asked to. */
  readonly answersAtEnd: boolean;
  readonly endedWell: boolean;
  readonly warnings: number;
}

const CLIENTS = 24;
const HTTP_SHARE = 0.75;
const SLOW_CONNECTIONS = 100;
/** Both ends of a connection need a descriptor here, and each process may have 20,000. */
const IDLE_CONNECTIONS = 10_000;
/** Silent connections are closed after 10 s; the server checks once a second. */
const IDLE_END_MS = 14_000;

/** Sends `requests` fuzzed requests to a router. `endless`: bodies and calls without end, which take a minute each. */
export async function measureFuzz(
  requests: number,
  { idle = IDLE_CONNECTIONS, endless = SLOW_CONNECTIONS }: { readonly idle?: number; readonly endless?: number } = {},
): Promise<FuzzFigures> {
  const router = await startRouter({ stages: 1, maxBatchSize: 4, anyTensors: true });
  const { server } = router;
  const port = Number(new URL(router.url).port);
  try {
    const slow = Promise.all([
      slowHeads(port, SLOW_CONNECTIONS),
      slowBodies(port, endless),
      slowCalls(router.grpcAddress, endless),
    ]);
    const outcomes = new Map<string, number>();
    await fuzz(router, outcomes, { requests: Math.ceil(requests / 10), seed: 1 });
    const keptBefore = await server.keptBytes();
    await fuzz(router, outcomes, { requests: Math.floor(0.9 * requests), seed: 2 });
    const [heads, bodies, calls] = await slow;
    const descriptorsBefore = await settledDescriptors(router);
    const idleFigures = await holdIdle(router, idle);
    const keptAfter = await server.keptBytes();
    const answersAtEnd = (await answerMs(router)) !== undefined;
    const openDescriptors = [descriptorsBefore, await settledDescriptors(router)] as const;
    const endedWell = await router.close();
    return {
      requests,
      outcomes: Object.fromEntries([...outcomes].toSorted()),
      wrong: Object.fromEntries([...outcomes].filter(([outcome]) => isWrong(outcome))),
      ...{ slowHeads: heads, slowBodies: bodies, slowCalls: calls, idle: idleFigures },
      keptBytes: [keptBefore, keptAfter],
      ...{ openDescriptors, answersAtEnd, endedWell },
      warnings: server.output.match(/warning|error|rejection/gi)?.length ?? 0,
    };
  } catch (error) {
    await router.close();
    throw new Error(`The fuzzer failed; the server said:\n${server.output.slice(-5000)}`, { cause: error });
  }
}

/** Clients that take cases in turn. The cases depend only on the seed; their order in time does not. */
async function fuzz(
  { url, grpcAddress, server }: Router,
  outcomes: Map<string, number>,
  { requests, seed }: { readonly requests: number; readonly seed: number },
): Promise<void> {
  let left = requests;
  const client = async (_: unknown, index: number): Promise<void> => {
    const chance = new Chance(1000 * seed + index);
    const http = new HttpShooter(Number(new URL(url).port));
    const grpc = new GrpcShooter(grpcAddress);
    while (left > 0 && server.running) {
      left -= 1;
      const outcome = await (chance.happens(HTTP_SHARE) ? shootHttp(http, chance) : shootGrpc(grpc, chance));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    http.close();
    grpc.close();
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  if (!server.running) throw new Error('the server ended');
}

async function shootHttp(shooter: HttpShooter, chance: Chance): Promise<string> {
  const one = httpCase(chance);
  return `REST ${one.kind}: ${await shooter.shoot(one)}`;
}

async function shootGrpc(shooter: GrpcShooter, chance: Chance): Promise<string> {
  const one = grpcCase(chance);
  return `gRPC ${one.kind}: ${textOfCall(await shooter.shoot(one))}`;
}

function textOfCall(outcome: CallOutcome): string {
  if (typeof outcome === 'string') return outcome;
  return 'grpc' in outcome ? `status ${outcome.grpc}` : `HTTP ${outcome.http}`;
}

/**
 * True for a good request without its answer, a 5xx, a status of a server fault (unknown, internal, unavailable, data
 * loss) or no answer. "internal" is allowed for a message that cannot be decompressed and for an invalid time-out: gRPC
 * demands this status, although it is the client's fault.
 */
function isWrong(outcome: string): boolean {
  if (/^(REST good: (?!200$)|gRPC good: (?!status 0$))/.test(outcome)) return true;
  if (/^gRPC (gzip|headers|prefix): status 13$/.test(outcome)) return false;
  return /: (HTTP )?5\d\d$|: status (2|13|14|15)$|: hung$/.test(outcome);
}

async function holdIdle({ url }: Router, connections: number): Promise<FuzzFigures['idle']> {
  const held = await idleConnections(Number(new URL(url).port), connections);
  const servedMeanwhileMs = (await answerMs({ url })) ?? Number.POSITIVE_INFINITY;
  await new Promise((resolve) => setTimeout(resolve, IDLE_END_MS));
  const closedByServer = held.closed();
  held.end();
  return { connections, servedMeanwhileMs, closedByServer };
}

/** Time until a good request is answered with 200; undefined without such an answer. */
async function answerMs({ url }: Pick<Router, 'url'>): Promise<number | undefined> {
  const beganAtMs = performance.now();
  const response = await fetch(`${url}/v2/models/${NO_OP_PIPELINE}/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify(goodRequest(new Chance(1))),
  });
  await response.arrayBuffer();
  return response.status === 200 ? performance.now() - beganAtMs : undefined;
}

/** Closed connections keep their descriptors for a moment. */
async function settledDescriptors({ server }: Router): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 2000));
  return server.openDescriptors;
}
