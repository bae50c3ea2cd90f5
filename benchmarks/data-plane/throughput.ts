/**
 * Peak throughput of one router core. The process of `equipoise serve` has processor 0; the thread of its replica and
 * h2load share processor 1. For comparison, a bare node:http server answers the same bytes on the same processors
 * without parsing the bodies.
 */
import { type Body, binaryBody, floats, grpcBody, jsonBody } from './bodies.js';
import { type ClosedLoadFigures, closedLoad } from './load/h2load.js';
import { median } from './load/open-load.js';
import { NO_OP_PIPELINE, startRouter } from './router/router.js';
import { benchFile, type ServerProcess, startServerProcess } from './router/server-process.js';

/** One kind of request in one round. */
interface Trial {
  readonly rps: number;
  /**
   * Requests per second of processor time of the router's own thread, the figure that other work on the machine affects
   * least.
   */
  readonly rpsPerProcessorSecond: number;
}

/** One kind of request: the medians of the rounds. */
export interface ThroughputFigures extends Trial {
  readonly name: string;
  readonly rounds: readonly Trial[];
}

/** A kind of request, and the number of such requests in flight. */
export interface Kind {
  readonly name: string;
  readonly body: Body;
  readonly grpc?: boolean;
  readonly inFlight: number;
}

const KILOBYTE_OF_FLOATS = 256;
/** 224 × 224 × 3 floats, 588 KiB. */
const IMAGE_OF_FLOATS = 150_528;
const MAX_BATCH_SIZE = 32;
const ROUTER_PROCESSOR = 0;
const CLIENT_PROCESSOR = 1;
const WARM_UP_S = 2;

const JSON_KIND: Kind = { name: 'REST, JSON, 1 KB tensor', body: jsonBody(floats(KILOBYTE_OF_FLOATS)), inFlight: 64 };
const GRPC_KIND: Kind = {
  name: 'gRPC, raw, 1 KB tensor',
  body: grpcBody(NO_OP_PIPELINE, floats(KILOBYTE_OF_FLOATS)),
  grpc: true,
  inFlight: 64,
};

/** Measured kinds of requests. */
export const kinds: readonly Kind[] = [
  JSON_KIND,
  GRPC_KIND,
  { name: 'REST, binary, 588 KiB tensor', body: binaryBody(floats(IMAGE_OF_FLOATS)), inFlight: 8 },
];
/** The bare server sends the router's answer to the first kind. */
export const BARE = 'bare node:http, the same bytes as JSON';
/** Kinds of requests to pipelines of one and of three stages. */
const hopKinds: readonly Kind[] = [
  { name: 'REST, binary, 1 KB tensor', body: binaryBody(floats(KILOBYTE_OF_FLOATS)), inFlight: 64 },
  JSON_KIND,
  GRPC_KIND,
];
const STAGES = [1, 3] as const;

/** Measures all kinds in turns, each for `seconds` per round. */
export async function measureThroughput({
  rounds,
  seconds,
}: {
  readonly rounds: number;
  readonly seconds: number;
}): Promise<readonly ThroughputFigures[]> {
  const processors = String(ROUTER_PROCESSOR);
  const router = await startRouter({
    ...{ stages: 1, maxBatchSize: MAX_BATCH_SIZE, processors, replicaProcessor: CLIENT_PROCESSOR },
  });
  const [json] = kinds as [Kind];
  const answer = await answerTo(router.url, json);
  const { server: bare, found } = await startServerProcess({
    args: [benchFile('router/bare-server.mjs')],
    processors,
    ready: /ready (\S+)/,
    environment: { ANSWER: answer.toString('base64') },
  });
  const trials = new Map<string, Trial[]>([...kinds.map(({ name }) => name), BARE].map((name) => [name, []]));
  try {
    for (let round = 0; round < rounds; round++) {
      for (const kind of kinds) {
        const at = kind.grpc ? `http://${router.grpcAddress}` : router.url;
        trials.get(kind.name)?.push(await measured(router.server, kind, { at, seconds }));
      }
      trials.get(BARE)?.push(await measured(bare, json, { at: found[1] as string, seconds }));
    }
  } finally {
    await Promise.all([router.close(), bare.stop()]);
  }
  return [...trials].map(([name, all]) => ({
    name,
    rps: median(all.map(({ rps }) => rps)),
    rpsPerProcessorSecond: median(all.map(({ rpsPerProcessorSecond }) => rpsPerProcessorSecond)),
    rounds: all,
  }));
}

/** Processor time (µs) of the router's own thread per request. Each round measures both pipelines. */
export interface HopFigures {
  readonly name: string;
  readonly oneStageUs: readonly number[];
  readonly threeStagesUs: readonly number[];
  /** Median over the rounds. */
  readonly furtherStageUs: number;
}

/** Measures all kinds and pipelines in turns, each for `seconds` per round. */
export async function measureHops({
  rounds,
  seconds,
}: {
  readonly rounds: number;
  readonly seconds: number;
}): Promise<readonly HopFigures[]> {
  const place = { processors: String(ROUTER_PROCESSOR), replicaProcessor: CLIENT_PROCESSOR };
  const routers = await Promise.all(
    STAGES.map((stages) => startRouter({ stages, maxBatchSize: MAX_BATCH_SIZE, ...place })),
  );
  const requestUs = hopKinds.map(() => STAGES.map((): number[] => []));
  try {
    for (let round = 0; round < rounds; round++) {
      for (const [kindIndex, kind] of hopKinds.entries()) {
        for (const [routerIndex, { server, url, grpcAddress }] of routers.entries()) {
          const at = kind.grpc ? `http://${grpcAddress}` : url;
          const { rpsPerProcessorSecond } = await measured(server, kind, { at, seconds });
          requestUs[kindIndex]?.[routerIndex]?.push(1e6 / rpsPerProcessorSecond);
        }
      }
    }
  } finally {
    await Promise.all(routers.map((router) => router.close()));
  }
  return hopKinds.map(({ name }, index) => {
    const [oneStageUs = [], threeStagesUs = []] = requestUs[index] ?? [];
    const differences = threeStagesUs.map((us, round) => (us - (oneStageUs[round] ?? Number.NaN)) / 2);
    return { name, oneStageUs, threeStagesUs, furtherStageUs: median(differences) };
  });
}

async function measured(
  server: ServerProcess,
  kind: Kind,
  { at, seconds }: { readonly at: string; readonly seconds: number },
): Promise<Trial> {
  await checkedLoad(kind, at, WARM_UP_S);
  const before = server.mainThreadSeconds;
  const { rps, succeeded } = await checkedLoad(kind, at, seconds);
  return { rps, rpsPerProcessorSecond: succeeded / (server.mainThreadSeconds - before) };
}

/** Sends requests to `at` (http://host:port). Throws an Error unless all answers are right. */
export async function checkedLoad(
  { name, body, grpc = false, inFlight }: Kind,
  at: string,
  durationS: number,
): Promise<ClosedLoadFigures> {
  const figures = await closedLoad({
    urls: [`${at}${grpc ? '/inference.GRPCInferenceService/ModelInfer' : `/v2/models/${NO_OP_PIPELINE}/infer`}`],
    body: body.bytes,
    headers: body.headers,
    protocol: grpc ? 'h2' : 'h1',
    ...{ inFlight, durationS },
    processor: CLIENT_PROCESSOR,
  });
  checkAnswers(name, figures, body);
  return figures;
}

/** An answer has the request's tensor in the same form, so its length is similar. An error is much shorter. */
function checkAnswers(
  name: string,
  { unsuccessful, succeeded, answerBytes }: ClosedLoadFigures,
  { bytes }: Body,
): void {
  if (unsuccessful === 0 && succeeded > 0 && answerBytes > 0.7 * bytes.length) return;
  throw new Error(`${name}: ${succeeded} answers of ${answerBytes} bytes each, ${unsuccessful} without success`);
}

async function answerTo(url: string, { body }: Kind): Promise<Buffer> {
  const response = await fetch(`${url}/v2/models/${NO_OP_PIPELINE}/infer`, {
    method: 'POST',
    body: body.bytes,
    headers: body.headers.map((header) => header.split(': ') as [string, string]),
  });
  return Buffer.from(await response.arrayBuffer());
}
