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

interface Timed {
  readonly end: { readonly latencyMs: number };
}

interface SlowWindow<Request> {
  readonly number: number;
  /** The fastest first. */
  readonly requests: Request[];
}

export class KeptRequests<Request extends Timed> {
  readonly #kept: Request[] = [];
  #windows: SlowWindow<Request>[] = [];

  keep(request: Request): void {
    this.#kept.push(request);
    if (this.#kept.length > MOST_KEPT) this.#kept.shift();
  }

  /** True if a request that ends now is among the slowest of its window. */
  isSlow(latencyMs: number, nowMs: number): boolean {
    const { requests } = this.#windowOf(nowMs);
    return requests.length < MOST_SLOW_PER_WINDOW || latencyMs > (requests[0]?.end.latencyMs ?? 0);
  }

  keepSlow(request: Request, nowMs: number): void {
    const { requests } = this.#windowOf(nowMs);
    const at = requests.findIndex(({ end }) => end.latencyMs >= request.end.latencyMs);
    requests.splice(at < 0 ? requests.length : at, 0, request);
    if (requests.length > MOST_SLOW_PER_WINDOW) requests.shift();
  }

  /** The newest first. */
  newest(limit: number): readonly Request[] {
    return this.#kept.slice(-limit).reverse();
  }

  /** The slowest first. */
  slowest(limit: number, nowMs: number): readonly Request[] {
    this.#windowOf(nowMs);
    return this.#windows
      .flatMap(({ requests }) => requests)
      .sort((a, b) => b.end.latencyMs - a.end.latencyMs)
      .slice(0, limit);
  }

  clear(): void {
    this.#kept.length = 0;
    this.#windows = [];
  }

  #windowOf(nowMs: number): SlowWindow<Request> {
    const number = Math.floor(nowMs / WINDOW_MS);
    const newest = this.#windows.at(-1);
    if (newest?.number === number) return newest;
    const window: SlowWindow<Request> = { number, requests: [] };
    this.#windows = [...this.#windows.filter((each) => each.number > number - MOST_WINDOWS), window];
    return window;
  }
}
