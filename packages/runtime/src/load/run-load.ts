/**
 * Open-loop load: each request leaves at a scheduled instant, and its latency counts from that instant. So a stalled
 * server cannot hide its stall (coordinated omission). If a timer is late, all due requests are sent at once; later
 * requests keep their schedule.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { AppError, LatencyHistogram } from '@equipoise/core/model';
import type { ArrivalProcess, SimulationReport } from '@equipoise/core/simulate';

/** Bodies are sent in turn. */
export interface LoadOptions {
  readonly url: string;
  readonly arrivals: ArrivalProcess;
  readonly bodies: readonly LoadBody[];
  readonly timeoutMs: number;
  readonly token?: string;
  /** Adds the attainment of this SLO to the result. */
  readonly sloLatencyMs?: number;
  /** Maximum open connections. The wait for a connection counts as latency. */
  readonly maxConnections?: number;
  /** Ends the load if the address is unreachable before the first answer. */
  readonly stopsUnreachable?: boolean;
  /** Ends the load if the first answers are all permanent refusals (404, 405, 415, 422). */
  readonly stopsRefused?: boolean;
  /** Stops sending; requests in flight are awaited. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (sent: number, elapsedMs: number) => void;
  /** Parts of each request, in place of `url` and `bodies`. Latency counts from the last part. */
  readonly parts?: readonly LoadPart[];
  /** Delays (ms) of the parts of the next request, undefined for parts that it lacks; default 0. */
  readonly partDelaysMs?: () => readonly (number | undefined)[];
  /** Number of keys, which are then the ids of parts in turn. By default, each request has an id of its own. */
  readonly keys?: number;
}

/** Part of a source. The parts of a request have the same `x-request-id`. */
export interface LoadPart {
  readonly name: string;
  readonly url: string;
  readonly bodies: readonly LoadBody[];
  /** Sent at these times with keys of their own, and not with the requests. */
  readonly own?: ArrivalProcess & { nextKey(): number };
}

export interface LoadBody {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** `dropped`: refused by an overloaded server (429, 503, 504). `failed`: any other outcome except success. */
export interface LoadResult {
  readonly sent: number;
  readonly ok: number;
  readonly dropped: number;
  readonly failed: number;
  /** Latencies of successful requests (ms). */
  readonly latencyMs: SimulationReport['latencyMs'];
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

interface PartEnds {
  readonly sent: number;
  readonly byStatus: Readonly<Record<string, number>>;
}

const DEFAULT_MAX_CONNECTIONS = 256;
const DROPPED_STATUSES: ReadonlySet<number> = new Set([429, 503, 504]);
const LASTING_REFUSALS: ReadonlySet<number> = new Set([404, 405, 415, 422]);
/** Number of first answers that stop the load if all are refusals. */
const REFUSALS_TO_STOP = 20;
const PROGRESS_EVERY_MS = 500;
/** During a long pause, the load checks for a stop at this interval. */
const LOOK_EVERY_MS = 100;
const UNREACHABLE_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/**
 * Resolves when every request has ended. Rejects only with WRONG_USAGE (not an HTTP address), or UNREACHABLE if
 * `stopsUnreachable`.
 */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  if (!URL.canParse(options.url) || new URL(options.url).protocol !== 'http:') {
    throw new AppError('WRONG_USAGE', `${options.url} does not start with http://.`);
  }
  return new LoadRun(options).run();
}

class LoadRun {
  readonly #options: LoadOptions;
  readonly #agent: Agent;
  readonly #latencies = new LatencyHistogram();
  readonly #byStatus = new Map<string, number>();
  readonly #partsByStatus = new Map<string, Map<string, number>>();
  readonly #pending = new Set<Promise<void>>();
  readonly #name = `load-${randomUUID()}`;
  #sent = 0;
  #ok = 0;
  #withinSlo = 0;
  #dropped = 0;
  #answered = 0;
  #lastingRefusals = 0;
  #firstRefusal: Refusal | undefined;
  #unreachable: string | undefined;
  #cutShort: LoadResult['cutShort'];

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS });
  }

  async run(): Promise<LoadResult> {
    const startedAtMs = performance.now();
    let lastDueMs = 0;
    let progressAtMs = 0;
    const own = this.#options.parts?.map((part, number) => this.#sendOwn(part, number, startedAtMs)) ?? [];
    for (
      let dueMs = this.#options.arrivals.nextAtMs();
      dueMs !== undefined;
      dueMs = this.#options.arrivals.nextAtMs()
    ) {
      await sleepUntil(startedAtMs + dueMs, () => this.#isOver());
      if (this.#isOver()) break;
      this.#send(startedAtMs + dueMs);
      lastDueMs = dueMs;
      if (dueMs >= progressAtMs) {
        this.#options.onProgress?.(this.#sent, dueMs);
        progressAtMs = dueMs + PROGRESS_EVERY_MS;
      }
    }
    await Promise.all(own);
    await Promise.all(this.#pending);
    this.#agent.destroy();
    if (this.#unreachable !== undefined) throw unreachable(this.#options.url, this.#unreachable);
    return this.#result({ offeredMs: lastDueMs, elapsedMs: performance.now() - startedAtMs });
  }

  #isOver(): boolean {
    const { signal, stopsRefused } = this.#options;
    const isRefused = this.#lastingRefusals >= REFUSALS_TO_STOP && this.#lastingRefusals === this.#answered;
    if (signal?.aborted === true) this.#cutShort = 'interrupted';
    else if (stopsRefused === true && isRefused) this.#cutShort = 'refused';
    return this.#unreachable !== undefined || this.#cutShort !== undefined;
  }

  #send(scheduledAtMs: number): void {
    const { parts, partDelaysMs } = this.#options;
    const delays = parts === undefined ? [] : (partDelaysMs?.() ?? parts.map(() => 0));
    if (parts !== undefined && delays.every((delayMs) => delayMs === undefined)) return;
    const sent = parts === undefined ? this.#post(this.#options) : this.#postAll(parts, delays, scheduledAtMs);
    this.#sent += 1;
    const wholeAtMs = scheduledAtMs + Math.max(0, ...delays.filter((delayMs) => delayMs !== undefined));
    this.#await(sent.then((end) => this.#note(end, performance.now() - wholeAtMs)));
  }

  #await(sent: Promise<void>): void {
    const ended = sent.finally(() => this.#pending.delete(ended));
    this.#pending.add(ended);
  }

  /** Sends the parts of a source with arrivals of its own. */
  async #sendOwn(part: LoadPart, source: number, startedAtMs: number): Promise<void> {
    let number = 0;
    for (let dueMs = part.own?.nextAtMs(); dueMs !== undefined; dueMs = part.own?.nextAtMs()) {
      await sleepUntil(startedAtMs + dueMs, () => this.#isOver());
      if (this.#isOver()) return;
      const id = this.#options.keys === undefined ? `${this.#name}-${source}-${number}` : `key-${part.own?.nextKey()}`;
      this.#await(this.#postPart(part, number++, id).then(() => {}));
    }
  }

  #post({ url, bodies }: Pick<LoadPart, 'url' | 'bodies'>, number = this.#sent, id?: string): Promise<RequestEnd> {
    const { timeoutMs, token } = this.#options;
    const body = bodies[number % Math.max(1, bodies.length)];
    return post({ url, body, timeoutMs, token, id, agent: this.#agent });
  }

  async #postPart(part: LoadPart, number: number, id: string): Promise<RequestEnd> {
    const end = await this.#post(part, number, id);
    const byStatus = this.#partsByStatus.get(part.name) ?? new Map<string, number>();
    this.#partsByStatus.set(part.name, byStatus);
    byStatus.set(String(end.status), (byStatus.get(String(end.status)) ?? 0) + 1);
    return end;
  }

  /** Sends the parts of a request. Its end is that of the first part without success, if there is one. */
  async #postAll(
    parts: readonly LoadPart[],
    delays: readonly (number | undefined)[],
    scheduledAtMs: number,
  ): Promise<RequestEnd> {
    const { keys } = this.#options;
    const number = this.#sent;
    const id = keys === undefined ? `${this.#name}-${number}` : `key-${number % keys}`;
    const ends = await Promise.all(
      parts.map(async (part, index) => {
        const { [index]: delayMs } = delays;
        if (delayMs === undefined) return undefined;
        if (delayMs > 0) await sleepUntil(scheduledAtMs + delayMs, () => false);
        return this.#postPart(part, number, id);
      }),
    );
    const sent = ends.filter((end) => end !== undefined);
    return sent.find(({ status }) => typeof status !== 'number' || status >= 300) ?? (sent[0] as RequestEnd);
  }

  #note({ status, body }: RequestEnd, latencyMs: number): void {
    this.#byStatus.set(String(status), (this.#byStatus.get(String(status)) ?? 0) + 1);
    if (typeof status !== 'number') {
      const ends = this.#options.stopsUnreachable === true && this.#answered === 0 && UNREACHABLE_CODES.has(status);
      if (ends) this.#unreachable = status;
      return;
    }
    this.#answered += 1;
    if (status >= 200 && status < 300) {
      this.#ok += 1;
      this.#latencies.record(latencyMs);
      if (latencyMs <= (this.#options.sloLatencyMs ?? 0)) this.#withinSlo += 1;
    } else if (DROPPED_STATUSES.has(status)) this.#dropped += 1;
    else this.#firstRefusal ??= refusalOf(status, body);
    if (LASTING_REFUSALS.has(status)) this.#lastingRefusals += 1;
  }

  #endsOf({ name }: LoadPart): readonly [string, PartEnds] {
    const byStatus = Object.fromEntries(this.#partsByStatus.get(name) ?? []);
    return [name, { sent: Object.values(byStatus).reduce((sum, count) => sum + count, 0), byStatus }];
  }

  #result(took: { readonly offeredMs: number; readonly elapsedMs: number }): LoadResult {
    const perSecond = (count: number, ms: number) => (ms > 0 ? (1000 * count) / ms : 0);
    const quantile = (fraction: number) => this.#latencies.quantileMs(fraction);
    return {
      sent: this.#sent,
      ok: this.#ok,
      dropped: this.#dropped,
      failed: this.#sent - this.#ok - this.#dropped,
      latencyMs: {
        mean: this.#latencies.meanMs,
        p50: quantile(0.5),
        p95: quantile(0.95),
        p99: quantile(0.99),
        p999: quantile(0.999),
        max: this.#latencies.maxMs,
      },
      offeredRps: perSecond(this.#sent, took.offeredMs),
      achievedRps: perSecond(this.#ok, took.elapsedMs),
      ...(this.#options.sloLatencyMs !== undefined && {
        sloAttainmentFraction: this.#sent === 0 ? 1 : this.#withinSlo / this.#sent,
      }),
      byStatus: Object.fromEntries(this.#byStatus),
      ...(this.#options.parts && { parts: Object.fromEntries(this.#options.parts.map((part) => this.#endsOf(part))) }),
      ...(this.#firstRefusal && { firstRefusal: this.#firstRefusal }),
      ...(this.#cutShort && { cutShort: this.#cutShort }),
    };
  }
}

interface Post {
  readonly url: string;
  readonly body: LoadBody | undefined;
  readonly timeoutMs: number;
  readonly token: string | undefined;
  readonly id: string | undefined;
  readonly agent: Agent;
}

/** Status or error code. Without success, also the start of the answer. */
interface RequestEnd {
  readonly status: number | string;
  readonly body: string;
}

const MOST_BODY_BYTES = 4096;

function post({ url, body, timeoutMs, token, id, agent }: Post): Promise<RequestEnd> {
  return new Promise((resolve) => {
    const headers = {
      ...(body !== undefined && { 'content-type': body.contentType, 'content-length': body.bytes.length }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(id !== undefined && { 'x-request-id': id }),
    };
    const failed = (error: NodeJS.ErrnoException) => resolve({ status: errorCode(error), body: '' });
    const sent = httpRequest(
      url,
      { method: 'POST', agent, headers, signal: AbortSignal.timeout(timeoutMs) },
      (answer: IncomingMessage) => {
        const status = answer.statusCode ?? 0;
        let text = '';
        if (status < 300) answer.resume();
        else
          answer.on('data', (chunk: Uint8Array) => {
            if (text.length < MOST_BODY_BYTES) text += chunk.toString();
          });
        answer.on('end', () => resolve({ status, body: text }));
        answer.on('error', failed);
      },
    );
    sent.on('error', failed);
    sent.end(body?.bytes);
  });
}

function unreachable(url: string, code: string): AppError {
  const { host } = new URL(url);
  const why = code === 'ECONNREFUSED' ? `nobody listens on ${host}` : `${host} is unreachable`;
  return new AppError('UNREACHABLE', `The first request did not get through: ${why} (${code}).`, {
    details: { url, code },
    retryable: true,
  });
}

/** Waits by a timer for whole milliseconds, then by event loop turns. Wakes early only if the load is over. */
async function sleepUntil(atMs: number, isOver: () => boolean): Promise<void> {
  for (let leftMs = atMs - performance.now(); leftMs > 0 && !isOver(); leftMs = atMs - performance.now()) {
    const wholeMs = Math.min(Math.floor(leftMs), LOOK_EVERY_MS);
    await new Promise((resolve) => (wholeMs > 0 ? setTimeout(resolve, wholeMs) : setImmediate(resolve)));
  }
}

function errorCode(error: NodeJS.ErrnoException): string {
  return error.code === 'ABORT_ERR' ? 'TIMEOUT' : (error.code ?? error.name);
}

export interface Refusal {
  readonly status: number;
  readonly message: string;
}

const LONGEST = 300;

/** Message in an error body of Equipoise or of the Open Inference Protocol, or else the body; shortened. */
export function refusalOf(status: number, body: string): Refusal {
  const message = (messageIn(body) ?? body).replaceAll(/\s+/g, ' ').trim();
  return { status, message: message.length > LONGEST ? `${message.slice(0, LONGEST - 1)}…` : message };
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
