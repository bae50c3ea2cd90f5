/**
 * `equipoise serve` for a long time at half the capacity of its plan, with the control loop on. Compares memory and
 * descriptors after the warm-up with those after each piece of a minute.
 */
import { floats, jsonBody } from './bodies.js';
import { openLoad, quantileMs } from './load/open-load.js';
import { NO_OP_PIPELINE, startRouter } from './router/router.js';

/** Figures of a soak. */
export interface SoakFigures {
  readonly requests: number;
  readonly arrivalRps: number;
  /** Requests without status 200. */
  readonly failed: number;
  /** p99 latency of each piece. */
  readonly p99Ms: readonly number[];
  /**
   * Heap and buffers after a garbage collection, resident memory, and descriptors: after the warm-up and after each
   * piece.
   */
  readonly keptBytes: readonly number[];
  readonly residentBytes: readonly number[];
  readonly openDescriptors: readonly number[];
  readonly endedWell: boolean;
}

/** Two replicas process four items in 40 ms, which makes 200 requests per second. The load is half of that. */
const ARRIVAL_RPS = 100;
const PIECE_MS = 60_000;
const WARM_UP_MS = 15_000;
const KILOBYTE_OF_FLOATS = 256;
/** Closed connections keep their descriptors for a moment. */
const SETTLE_MS = 1000;

/** Runs the soak for `durationMs` after a warm-up. */
export async function measureSoak(durationMs: number): Promise<SoakFigures> {
  const router = await startRouter({ stages: 2, maxBatchSize: 4, synthetic: true, arrivalRps: ARRIVAL_RPS });
  const { server, url } = router;
  const body = Buffer.from(jsonBody(floats(KILOBYTE_OF_FLOATS)).bytes).toString();
  const steps = [{ path: `/v2/models/${NO_OP_PIPELINE}/infer`, headers: {}, body }];
  const [keptBytes, residentBytes, openDescriptors, p99Ms] = [[], [], [], []] as [
    number[],
    number[],
    number[],
    number[],
  ];
  const look = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    keptBytes.push(await server.keptBytes());
    residentBytes.push(server.residentBytes);
    openDescriptors.push(server.openDescriptors);
  };
  let [requests, failed, endedWell] = [0, 0, false];
  try {
    await openLoad({ url, steps, arrivalRps: ARRIVAL_RPS, durationMs: WARM_UP_MS, seed: 0 });
    await look();
    for (let atMs = 0; atMs < durationMs; atMs += PIECE_MS) {
      const pieceMs = Math.min(PIECE_MS, durationMs - atMs);
      const answers = await openLoad({ url, steps, arrivalRps: ARRIVAL_RPS, durationMs: pieceMs, seed: 1 + atMs });
      requests += answers.status.length;
      failed += answers.status.filter((status) => status !== 200).length;
      p99Ms.push(quantileMs(answers.latencyMs, 0.99));
      await look();
    }
  } finally {
    endedWell = await router.close();
  }
  return { requests, arrivalRps: ARRIVAL_RPS, failed, p99Ms, keptBytes, residentBytes, openDescriptors, endedWell };
}
