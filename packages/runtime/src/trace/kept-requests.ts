/** The newest kept requests, and the slowest requests of the last ten minutes, whether kept or not. Bounded. */
import type { RequestSpan, TraceCause } from '@equipoise/core/serve';

/** A request as the admin port shows it. It has no payloads. */
export interface RequestSample {
  readonly traceId: string;
  readonly startedEpochMs: number;
  readonly latencyMs: number;
  readonly outcome: 'completed' | 'dropped' | 'failed';
  /** Reason of a drop, or error code of a failure. */
  readonly reason?: string;
  /** Absent if the trace was not kept. */
  readonly cause?: TraceCause;
  readonly spans: readonly SampleSpan[];
  /** Number of visits to stages without spans here. */
  readonly omittedVisits?: number;
}

/** Times in ms since the start of the request. */
export interface SampleSpan {
  readonly stageId: string;
  readonly variantId?: string;
  readonly replicaId?: string;
  readonly kind: RequestSpan['kind'];
  readonly startMs: number;
  readonly endMs: number;
  readonly batchSize?: number;
  readonly failed?: true;
}

const MOST_KEPT = 200;
const WINDOW_MS = 60_000;
const MOST_WINDOWS = 10;
const MOST_SLOW_PER_WINDOW = 20;

interface SlowWindow {
  readonly number: number;
  /** The fastest first. */
  readonly samples: RequestSample[];
}

export class KeptRequests {
  readonly #kept: RequestSample[] = [];
  #windows: SlowWindow[] = [];

  keep(sample: RequestSample): void {
    this.#kept.push(sample);
    if (this.#kept.length > MOST_KEPT) this.#kept.shift();
  }

  /** True if a request that ends now is among the slowest of its window. */
  isSlow(latencyMs: number, nowMs: number): boolean {
    const { samples } = this.#windowOf(nowMs);
    return samples.length < MOST_SLOW_PER_WINDOW || latencyMs > (samples[0]?.latencyMs ?? 0);
  }

  keepSlow(sample: RequestSample, nowMs: number): void {
    const { samples } = this.#windowOf(nowMs);
    const at = samples.findIndex(({ latencyMs }) => latencyMs >= sample.latencyMs);
    samples.splice(at < 0 ? samples.length : at, 0, sample);
    if (samples.length > MOST_SLOW_PER_WINDOW) samples.shift();
  }

  /** The newest first. */
  newest(limit: number): readonly RequestSample[] {
    return this.#kept.slice(-limit).reverse();
  }

  /** The slowest first. */
  slowest(limit: number, nowMs: number): readonly RequestSample[] {
    this.#windowOf(nowMs);
    return this.#windows
      .flatMap(({ samples }) => samples)
      .sort((a, b) => b.latencyMs - a.latencyMs)
      .slice(0, limit);
  }

  clear(): void {
    this.#kept.length = 0;
    this.#windows = [];
  }

  #windowOf(nowMs: number): SlowWindow {
    const number = Math.floor(nowMs / WINDOW_MS);
    const newest = this.#windows.at(-1);
    if (newest?.number === number) return newest;
    const window: SlowWindow = { number, samples: [] };
    this.#windows = [...this.#windows.filter((each) => each.number > number - MOST_WINDOWS), window];
    return window;
  }
}
