/** Counts the ends of requests, sent by Equipoise or by another tool, for the report of a load. */
import { LatencyHistogram } from '@equipoise/core/model';
import type { SimulationReport } from '@equipoise/core/simulate';

/** `dropped`: refused by an overloaded server (429, 503, 504). `failed`: any other outcome except success. */
export interface LoadResult {
  readonly sent: number;
  readonly ok: number;
  readonly dropped: number;
  readonly failed: number;
  /** Latencies of successful requests (ms), from the scheduled instant. */
  readonly latencyMs: SimulationReport['latencyMs'];
  /** The same latencies from the instant at which the tool sent the request; only of another tool. */
  readonly latencyFromSendMs?: SimulationReport['latencyMs'];
  readonly offeredRps: number;
  readonly achievedRps: number;
  /** Fraction of sent requests successful within the SLO. */
  readonly sloAttainmentFraction?: number;
  /** Number of requests by HTTP status or error code (`TIMEOUT` after `timeoutMs`). */
  readonly byStatus: Readonly<Record<string, number>>;
  /** Parts of several sources, by source. */
  readonly parts?: Readonly<Record<string, PartEnds>>;
  /** First answer that was neither success nor a drop. */
  readonly firstRefusal?: Refusal;
  readonly cutShort?: 'refused' | 'interrupted';
}

export interface PartEnds {
  readonly sent: number;
  readonly byStatus: Readonly<Record<string, number>>;
}

/** Status or error code. Without success, also the start of the answer. */
export interface RequestEnd {
  readonly status: number | string;
  readonly body: string;
  readonly bytesIn?: number;
}

const DROPPED_STATUSES: ReadonlySet<number> = new Set([429, 503, 504]);
const LASTING_REFUSALS: ReadonlySet<number> = new Set([404, 405, 415, 422]);
/** Number of first answers that stop the load if all are refusals. */
const REFUSALS_TO_STOP = 20;

export class LoadTally {
  readonly #sloLatencyMs: number | undefined;
  readonly #latencies = new LatencyHistogram();
  readonly #fromSend = new LatencyHistogram();
  readonly #byStatus = new Map<string, number>();
  #ended = 0;
  #ok = 0;
  #withinSlo = 0;
  #dropped = 0;
  #answered = 0;
  #lastingRefusals = 0;
  #firstRefusal: Refusal | undefined;

  constructor(sloLatencyMs?: number) {
    this.#sloLatencyMs = sloLatencyMs;
  }

  get answered(): number {
    return this.#answered;
  }

  /** Number of ended requests. */
  get ended(): number {
    return this.#ended;
  }

  /** True if the first answers are all permanent refusals. */
  get isRefused(): boolean {
    return this.#lastingRefusals >= REFUSALS_TO_STOP && this.#lastingRefusals === this.#answered;
  }

  note({ status, body }: RequestEnd, latencyMs: number, latencyFromSendMs = latencyMs): void {
    this.#ended += 1;
    this.#byStatus.set(String(status), (this.#byStatus.get(String(status)) ?? 0) + 1);
    if (typeof status !== 'number') return;
    this.#answered += 1;
    if (status >= 200 && status < 300) {
      this.#ok += 1;
      this.#latencies.record(latencyMs);
      this.#fromSend.record(latencyFromSendMs);
      if (latencyMs <= (this.#sloLatencyMs ?? 0)) this.#withinSlo += 1;
    } else if (DROPPED_STATUSES.has(status)) this.#dropped += 1;
    else this.#firstRefusal ??= refusalOf(status, body);
    if (LASTING_REFUSALS.has(status)) this.#lastingRefusals += 1;
  }

  /** `offeredMs`: time of the last scheduled request; `elapsedMs`: time of the last end. */
  result(took: { readonly sent: number; readonly offeredMs: number; readonly elapsedMs: number }): LoadResult {
    const { sent } = took;
    const perSecond = (count: number, ms: number) => (ms > 0 ? (1000 * count) / ms : 0);
    return {
      sent,
      ok: this.#ok,
      dropped: this.#dropped,
      failed: sent - this.#ok - this.#dropped,
      latencyMs: latenciesOf(this.#latencies),
      offeredRps: perSecond(sent, took.offeredMs),
      achievedRps: perSecond(this.#ok, took.elapsedMs),
      ...(this.#sloLatencyMs !== undefined && { sloAttainmentFraction: sent === 0 ? 1 : this.#withinSlo / sent }),
      byStatus: Object.fromEntries(this.#byStatus),
      ...(this.#firstRefusal && { firstRefusal: this.#firstRefusal }),
    };
  }

  /** Latencies from the send; equal to those of the result unless `note` got both. */
  latencyFromSendMs(): LoadResult['latencyMs'] {
    return latenciesOf(this.#fromSend);
  }
}

function latenciesOf(histogram: LatencyHistogram): LoadResult['latencyMs'] {
  const quantile = (fraction: number) => histogram.quantileMs(fraction);
  return {
    mean: histogram.meanMs,
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
    p999: quantile(0.999),
    max: histogram.maxMs,
  };
}

export interface Refusal {
  readonly status: number;
  readonly message: string;
}

const LONGEST = 300;
const MOST_REASON = 40;

/** Message in an error body of Equipoise or of the Open Inference Protocol, or else the body; shortened. */
export function refusalOf(status: number, body: string): Refusal {
  const message = (messageIn(body) ?? body).replaceAll(/\s+/g, ' ').trim();
  return { status, message: message.length > LONGEST ? `${message.slice(0, LONGEST - 1)}…` : message };
}

/** Reason of a drop in an error body of Equipoise. */
export function dropReasonIn(body: string): string | undefined {
  try {
    const { reason } = JSON.parse(body) as { readonly reason?: unknown };
    return typeof reason === 'string' && reason.length <= MOST_REASON ? reason : undefined;
  } catch {
    return undefined;
  }
}

function messageIn(body: string): string | undefined {
  try {
    const { error } = JSON.parse(body) as { readonly error?: string | { readonly message?: unknown } };
    const message = typeof error === 'object' ? error.message : error;
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
