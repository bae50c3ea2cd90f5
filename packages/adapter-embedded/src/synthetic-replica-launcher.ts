/**
 * Replicas without code: a batch takes a time from a service-time law and is returned unchanged. They use no CPU while
 * they wait, so they show queueing, batching and control at any size on a small machine.
 */
import { type AlarmClock, AppError, invariant, type Rng, type TensorMap } from '@equipoise/core/model';
import type { BatchResult, LaunchedReplica, LaunchRequest, ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { preciseClock, sleep } from './alarm-clock.js';

/** Service time (ms) of one batch; randomness comes from `rng`. */
export type ServiceTime = (request: LaunchRequest, batchSize: number, rng: Rng) => number;

/** CPU time of a batch as a fraction of its time. 1 unless the times contain waits for a CPU share. */
export type CpuFraction = (request: LaunchRequest) => number;

export interface SyntheticReplicaOptions {
  readonly serviceMs: ServiceTime;
  readonly cpuFraction?: CpuFraction;
  readonly rng: Rng;
  readonly clock?: AlarmClock;
}

class SyntheticRunner implements ModelRunner {
  readonly keepsTensors = true;
  readonly #drawMs: (batchSize: number) => number;
  readonly #cpuFraction: number;
  readonly #clock: AlarmClock;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(drawMs: (batchSize: number) => number, cpuFraction: number, clock: AlarmClock) {
    this.#drawMs = drawMs;
    this.#cpuFraction = cpuFraction;
    this.#clock = clock;
  }

  async run(batch: readonly TensorMap[]): Promise<BatchResult> {
    if (this.#closed) throw new AppError('REPLICA_LOST', 'The replica is closed.', { retryable: true });
    invariant(this.#running === undefined, 'a replica runs one batch at a time');
    invariant(batch.length >= 1, 'a batch has at least one item');
    const startedAtMs = this.#clock.nowMs();
    this.#running = sleep(this.#clock, this.#drawMs(batch.length));
    await this.#running;
    this.#running = undefined;
    const items = batch.map((output) => ({ kind: 'ok', output }) as const);
    const serviceMs = this.#clock.nowMs() - startedAtMs;
    return { items, serviceMs, ...(this.#cpuFraction < 1 && { cpuMs: this.#cpuFraction * serviceMs }) };
  }

  onLost(): void {}

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }
}

/** Launcher of synthetic replicas. A start takes the variant's `loadMs`. Each replica has its own random stream. */
export class SyntheticReplicaLauncher implements ReplicaLauncher {
  readonly #options: SyntheticReplicaOptions;
  readonly #clock: AlarmClock;
  #launched = 0;

  constructor(options: SyntheticReplicaOptions) {
    this.#options = options;
    this.#clock = options.clock ?? preciseClock;
  }

  async launch(request: LaunchRequest): Promise<LaunchedReplica> {
    const { serviceMs, cpuFraction, rng } = this.#options;
    this.#launched += 1;
    const ownRng = rng.fork(`${request.stage.id}/${request.variant.id}/${this.#launched}`);
    const startedAtMs = this.#clock.nowMs();
    await sleep(this.#clock, request.variant.loadMs ?? 0);
    const drawMs = (batchSize: number) => serviceMs(request, batchSize, ownRng);
    const runner = new SyntheticRunner(drawMs, cpuFraction?.(request) ?? 1, this.#clock);
    return { runner, loadMs: this.#clock.nowMs() - startedAtMs };
  }
}
