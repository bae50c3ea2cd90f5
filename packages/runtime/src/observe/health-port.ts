/**
 * Liveness and readiness from a separate thread, so that a busy serving thread delays no probe. If the serving thread
 * is silent for 10 s, the server is neither live nor ready.
 */
import { createRequire } from 'node:module';
import { AppError, type ErrorCode } from '@equipoise/core/model';
import type { ListeningPlace } from '../net/listen.js';
import { RpcThread } from '../worker-rpc.js';
import type { RunningProbeServer } from './start-probe-server.js';

const BEAT_MS = 250;
const LONGEST_SILENCE_NS = 10_000_000_000n;

/** Memory that both threads share: time of the last beat (ns of the system's monotonic clock) and readiness. */
export class Heartbeat {
  readonly shared: SharedArrayBuffer;
  readonly #words: BigInt64Array;

  constructor(shared = new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#words = new BigInt64Array(shared);
  }

  beat(isReady: boolean, nowNs = process.hrtime.bigint()): void {
    Atomics.store(this.#words, 0, nowNs);
    Atomics.store(this.#words, 1, isReady ? 1n : 0n);
  }

  isLive(nowNs = process.hrtime.bigint()): boolean {
    return nowNs - Atomics.load(this.#words, 0) < LONGEST_SILENCE_NS;
  }

  isReady(nowNs?: bigint): boolean {
    return this.isLive(nowNs) && Atomics.load(this.#words, 1) === 1n;
  }
}

export interface HealthThreadInput {
  readonly place: ListeningPlace;
  readonly shared: SharedArrayBuffer;
}

export interface HealthFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Calls `isReady` four times a second. */
export async function startHealthPort(place: ListeningPlace, isReady: () => boolean): Promise<RunningProbeServer> {
  const heartbeat = new Heartbeat();
  const beat = () => heartbeat.beat(isReady());
  beat();
  const input: HealthThreadInput = { place, shared: heartbeat.shared };
  const thread = new RpcThread<HealthFailure>({
    entry: createRequire(import.meta.url).resolve('@equipoise/runtime/health-thread'),
    workerData: input,
    heapMib: { young: 3, old: 64 },
    errorOf: ({ code, message }) => new AppError(code, message),
    endedError: (cause) => cause ?? new Error('the thread of the health port has ended'),
  });
  const timer = setInterval(beat, BEAT_MS).unref();
  const close = async () => {
    clearInterval(timer);
    await thread.terminate();
  };
  try {
    return { url: await thread.expectAnswer<string>(thread).answer, close };
  } catch (error) {
    await close();
    throw error;
  }
}
