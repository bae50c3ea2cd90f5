/**
 * HTTP load of five times the capacity of a two-stage pipeline, then half of it. h2load finds the capacity in the same
 * run. Server, generator and h2load are separate processes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { BenchStage } from './bench-pipeline.js';
import type { OverloadServerMessage, OverloadServerStart } from './http-overload-server.js';
import { closedLoad } from './load/h2load.js';
import { type OpenLoadAnswers, openLoad, type PostRequest, quantileMs } from './load/open-load.js';
import type { OverloadFigures } from './overload.js';
import { benchFile, sameNode, servingNode } from './router/server-process.js';

/** Placeholder in the request body; the request number is added to it. */
const NUMBER_PLACE = 1_000_000_000;
const SLO_MS = 400;
const OVERLOAD = 5;
const RECOVERY_MS = 10_000;
const SATURATION = { inFlight: 48, seconds: 10 };
const CLIENT_PROCESSOR = 1;
const KILOBYTE_OF_FLOATS = 256;
const stages: readonly BenchStage[] = [
  { name: 'detect', baseMs: 12, itemMs: 7, maxBatchSize: 4, replicas: 4 },
  { name: 'classify', baseMs: 8, itemMs: 3, maxBatchSize: 4, replicas: 2 },
];
const request: PostRequest = {
  path: '/v2/models/bench/infer',
  headers: {},
  body: JSON.stringify({
    inputs: [
      { name: 'number', datatype: 'INT32', shape: [1], data: [NUMBER_PLACE] },
      { name: 'x', datatype: 'FP32', shape: [KILOBYTE_OF_FLOATS], data: Array(KILOBYTE_OF_FLOATS).fill(0.125) },
    ],
  }),
};

/** Runs the benchmark; the overload lasts for `overloadMs`. */
export async function measureHttpOverload(overloadMs: number): Promise<OverloadFigures> {
  const server = await OverloadServer.start();
  try {
    const capacityRps = await saturationRps(server.url, Math.min(SATURATION.seconds, overloadMs / 1000));
    const load = { url: server.url, steps: [request], numberPlace: NUMBER_PLACE, processor: CLIENT_PROCESSOR };
    const arrivalRps = OVERLOAD * capacityRps;
    server.takeDrops();
    const first = await openLoad({ ...load, arrivalRps, durationMs: overloadMs / 3, seed: 1 });
    const keptBefore = await server.keptBytes();
    const firstDrops = server.takeDrops();
    const second = await openLoad({ ...load, arrivalRps, durationMs: (2 * overloadMs) / 3, seed: 2 });
    const keptAfter = await server.keptBytes();
    const secondDrops = server.takeDrops();
    const after = await openLoad({ ...load, arrivalRps: capacityRps / 2, durationMs: RECOVERY_MS, seed: 3 });
    const latencies = [...completedMs(first), ...completedMs(second)];
    const drops = [...dropped(first, firstDrops), ...dropped(second, secondDrops)];
    const status = [...first.status, ...second.status];
    return {
      capacityRps,
      offeredRps: (1000 * status.length) / overloadMs,
      goodputRps: (1000 * latencies.filter((ms) => ms <= SLO_MS).length) / overloadMs,
      sloLatencyMs: SLO_MS,
      p99Ms: quantileMs(latencies, 0.99),
      dropped: drops.length,
      failed: status.length - latencies.length - drops.length,
      slowestDropMs: drops.reduce((slowest, { afterDecisionMs }) => Math.max(slowest, afterDecisionMs), 0),
      dropsAfterDeadline: drops.filter(({ latencyMs }) => latencyMs > SLO_MS).length,
      memoryBytes: [keptBefore, keptAfter],
      normalAfterMs: normalAfterMs(after),
    };
  } finally {
    await server.close();
  }
}

class OverloadServer {
  readonly url: string;
  readonly #child: ChildProcess;
  #decidedAtMs = new Map<number, number>();

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
    child.on('message', (message: OverloadServerMessage) => {
      if (message.kind !== 'drops') return;
      for (const [index, number] of message.number.entries()) {
        this.#decidedAtMs.set(number, message.decidedAtMs[index] as number);
      }
    });
  }

  static async start(): Promise<OverloadServer> {
    const child = fork(benchFile('http-overload-server.ts'), {
      execPath: servingNode,
      execArgv: ['--expose-gc', '--import', 'tsx'],
      env: { ...process.env, ...sameNode },
      serialization: 'advanced',
    });
    child.send({ stages, sloLatencyMs: SLO_MS, numberPlace: NUMBER_PLACE } satisfies OverloadServerStart);
    const [message] = (await once(child, 'message')) as [OverloadServerMessage];
    if (message.kind !== 'ready') throw new Error('the server of the overload did not start');
    return new OverloadServer(child, message.url);
  }

  /**
   * Bytes of the server's heap and buffers after a garbage collection. All earlier drops have been reported by then.
   */
  async keptBytes(): Promise<number> {
    this.#child.send('memory');
    for (;;) {
      const [message] = (await once(this.#child, 'message')) as [OverloadServerMessage];
      if (message.kind === 'memory') return message.keptBytes;
    }
  }

  /** Instants of the drops since the last call, by request number. */
  takeDrops(): ReadonlyMap<number, number> {
    const drops = this.#decidedAtMs;
    this.#decidedAtMs = new Map();
    return drops;
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.send('close');
    await ended;
  }
}

/** Capacity of the plan: completions per second at a constant number of requests in flight. */
async function saturationRps(url: string, durationS: number): Promise<number> {
  const load = {
    ...{
      urls: [url + request.path] as [string],
      body: Buffer.from(request.body),
      headers: ['content-type: application/json'],
    },
    ...{ protocol: 'h1' as const, inFlight: SATURATION.inFlight, processor: CLIENT_PROCESSOR },
  };
  await closedLoad({ ...load, durationS: 2 });
  const { succeeded } = await closedLoad({ ...load, durationS });
  return succeeded / durationS;
}

/** Latencies of completed requests from their actual sending: delays of the generator are not the server's. */
function completedMs(answers: OpenLoadAnswers): readonly number[] {
  return fromSendingMs(answers).filter((_, index) => answers.status[index] === 200);
}

function fromSendingMs({ latencyMs, sentLateMs }: OpenLoadAnswers): readonly number[] {
  return latencyMs.map((ms, index) => ms - (sentLateMs[index] as number));
}

interface Drop {
  readonly latencyMs: number;
  /** Time from the decision in the server to the last byte at the client. */
  readonly afterDecisionMs: number;
}

/** Drops among the answers: refused with 503 or 504, and reported by the server. */
function dropped(answers: OpenLoadAnswers, decidedAtMs: ReadonlyMap<number, number>): readonly Drop[] {
  const fromSending = fromSendingMs(answers);
  return answers.number.flatMap((number, index) => {
    const [status, dueAtMs, latencyMs] = [answers.status[index], answers.dueAtMs[index], answers.latencyMs[index]];
    const decidedMs = decidedAtMs.get(number);
    if (decidedMs === undefined || dueAtMs === undefined || latencyMs === undefined) return [];
    const afterDecisionMs = dueAtMs + latencyMs - decidedMs;
    return status === 503 || status === 504 ? [{ latencyMs: fromSending[index] as number, afterDecisionMs }] : [];
  });
}

/** Time from the end of the overload until the last answer that was unsuccessful or too late. */
function normalAfterMs({ dueAtMs, latencyMs, status }: OpenLoadAnswers): number {
  const beganAtMs = dueAtMs.reduce((first, atMs) => Math.min(first, atMs), Number.POSITIVE_INFINITY);
  return status.reduce((last, one, index) => {
    const ms = latencyMs[index] as number;
    return one === 200 && ms <= SLO_MS ? last : Math.max(last, (dueAtMs[index] as number) + ms - beganAtMs);
  }, 0);
}
