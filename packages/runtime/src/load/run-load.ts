/**
 * Open-loop load: each request leaves at a scheduled instant, and its latency counts from that instant. So a stalled
 * server cannot hide its stall (coordinated omission). If a timer is late, all due requests are sent at once; later
 * requests keep their schedule.
 */
import { randomUUID } from 'node:crypto';
import {
  Agent,
  request as httpRequest,
  type IncomingMessage,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http';
import { AppError } from '@equipoise/core/model';
import type { ArrivalProcess } from '@equipoise/core/simulate';
import { dropReasonIn, type LoadResult, LoadTally, type PartEnds, type RequestEnd, refusalOf } from './load-tally.js';
import type { LoadRecord } from './vegeta-results.js';
import type { LoadTarget } from './vegeta-targets.js';

/** Bodies and targets are sent in turn. */
export interface LoadOptions {
  readonly url: string;
  readonly arrivals: ArrivalProcess;
  readonly bodies: readonly LoadBody[];
  /** Requests in place of `url` and `bodies`; at least one. */
  readonly targets?: readonly LoadTarget[] | undefined;
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
  /** Called at the end of each request, except for parts. */
  readonly onEnd?: ((record: LoadRecord) => void) | undefined;
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
  /** File of `bytes`. */
  readonly path?: string | undefined;
}

const DEFAULT_MAX_CONNECTIONS = 256;
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
 * Resolves when every request has ended. Rejects only with WRONG_USAGE (not an HTTP address, or an invalid header), or
 * UNREACHABLE if `stopsUnreachable`.
 */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  for (const target of targetsOf(options)) requireSendable(target);
  return new LoadRun(options).run();
}

function requireSendable({ method, url, headers }: LoadTarget): void {
  if (!URL.canParse(url) || new URL(url).protocol !== 'http:')
    throw new AppError('WRONG_USAGE', `${url} does not start with http://.`);
  try {
    // A method has the characters of a header's name.
    validateHeaderName(method);
    for (const [name, values] of Object.entries(headers)) {
      validateHeaderName(name);
      for (const value of values) validateHeaderValue(name, asUtf8(value));
    }
  } catch (cause) {
    const message = `The request ${method} ${url} cannot be sent: ${(cause as Error).message}. Correct its method and headers.`;
    throw new AppError('WRONG_USAGE', message, { cause });
  }
}

/** Requests of a load without parts. */
export function targetsOf({
  targets,
  url,
  bodies,
  token,
}: Pick<LoadOptions, 'targets' | 'url' | 'bodies' | 'token'>): readonly LoadTarget[] {
  if (targets !== undefined) return targets;
  const authorization = token === undefined ? {} : { authorization: [`Bearer ${token}`] };
  const target = { method: 'POST', url };
  if (bodies.length === 0) return [{ ...target, headers: authorization, bytes: new Uint8Array() }];
  return bodies.map(({ contentType, bytes, path }) => {
    return { ...target, headers: { 'content-type': [contentType], ...authorization }, bytes, path };
  });
}

interface RecordedTimes {
  readonly scheduledAtMs: number;
  readonly startedAtMs: number;
  readonly latencyMs: number;
}

class LoadRun {
  readonly #options: LoadOptions;
  readonly #agent: Agent;
  readonly #targets: readonly LoadTarget[];
  readonly #tally: LoadTally;
  readonly #partsByStatus = new Map<string, Map<string, number>>();
  readonly #pending = new Set<Promise<void>>();
  readonly #name = `load-${randomUUID()}`;
  #sent = 0;
  #unreachable: string | undefined;
  #cutShort: LoadResult['cutShort'];

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#tally = new LoadTally(options.sloLatencyMs);
    this.#targets = targetsOf(options);
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
    if (signal?.aborted === true) this.#cutShort = 'interrupted';
    else if (stopsRefused === true && this.#tally.isRefused) this.#cutShort = 'refused';
    return this.#unreachable !== undefined || this.#cutShort !== undefined;
  }

  #send(scheduledAtMs: number): void {
    const { parts, partDelaysMs } = this.#options;
    const delays = parts === undefined ? [] : (partDelaysMs?.() ?? parts.map(() => 0));
    if (parts !== undefined && delays.every((delayMs) => delayMs === undefined)) return;
    const number = this.#sent;
    const startedAtMs = performance.now();
    const sent = parts === undefined ? this.#sendTarget(number) : this.#postAll(parts, delays, scheduledAtMs);
    this.#sent += 1;
    const wholeAtMs = scheduledAtMs + Math.max(0, ...delays.filter((delayMs) => delayMs !== undefined));
    this.#await(
      sent.then((end) => {
        const latencyMs = performance.now() - wholeAtMs;
        this.#note(end, latencyMs);
        if (parts === undefined) this.#record(number, end, { scheduledAtMs, startedAtMs, latencyMs });
      }),
    );
  }

  #targetOf(number: number): LoadTarget {
    return this.#targets[number % this.#targets.length] as LoadTarget;
  }

  #sendTarget(number: number): Promise<RequestEnd> {
    return send(this.#targetOf(number), { timeoutMs: this.#options.timeoutMs, agent: this.#agent });
  }

  #record(number: number, end: RequestEnd, at: RecordedTimes): void {
    const { method, url, bytes } = this.#targetOf(number);
    const { status, bytesIn = 0, body } = end;
    const isAnswer = typeof status === 'number';
    const dropReason = isAnswer && status >= 400 ? dropReasonIn(body) : undefined;
    this.#options.onEnd?.({
      attack: '',
      seq: number,
      status,
      sentAtEpochMs: performance.timeOrigin + at.scheduledAtMs,
      latencyMs: at.latencyMs,
      startedAtEpochMs: performance.timeOrigin + at.startedAtMs,
      ...(dropReason !== undefined && { dropReason }),
      bytesOut: bytes.length,
      bytesIn,
      error: isAnswer ? (status < 400 ? '' : refusalOf(status, body).message) : status,
      method,
      url,
    });
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

  async #postPart(part: LoadPart, number: number, id: string): Promise<RequestEnd> {
    const { timeoutMs, token } = this.#options;
    const { url, bodies } = part;
    const body = bodies[number % Math.max(1, bodies.length)];
    const [target] = targetsOf({
      url,
      bodies: body === undefined ? [] : [body],
      ...(token !== undefined && { token }),
    });
    const end = await send(target as LoadTarget, { timeoutMs, agent: this.#agent, id });
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

  #note(end: RequestEnd, latencyMs: number): void {
    const { status } = end;
    const isFirst = this.#tally.answered === 0;
    this.#tally.note(end, latencyMs);
    if (typeof status === 'number') return;
    const ends = this.#options.stopsUnreachable === true && isFirst && UNREACHABLE_CODES.has(status);
    if (ends) this.#unreachable = status;
  }

  #endsOf({ name }: LoadPart): readonly [string, PartEnds] {
    const byStatus = Object.fromEntries(this.#partsByStatus.get(name) ?? []);
    return [name, { sent: Object.values(byStatus).reduce((sum, count) => sum + count, 0), byStatus }];
  }

  #result(took: { readonly offeredMs: number; readonly elapsedMs: number }): LoadResult {
    const { parts } = this.#options;
    return {
      ...this.#tally.result({ sent: this.#sent, ...took }),
      ...(parts && { parts: Object.fromEntries(parts.map((part) => this.#endsOf(part))) }),
      ...(this.#cutShort && { cutShort: this.#cutShort }),
    };
  }
}

const MOST_BODY_BYTES = 4096;

/** Node sends the characters of a header as bytes, and Go sends UTF-8. */
const asUtf8 = (value: string): string => Buffer.from(value, 'utf8').toString('latin1');

/** Lists by name in lower-case letters. Node takes a single text as `host`; Go sends the first one. */
function wireHeaders(headers: LoadTarget['headers']): Record<string, string | string[]> {
  const sent: Record<string, string | string[]> = {};
  const names = new Map<string, string>();
  for (const [name, values] of Object.entries(headers)) {
    const key = name.toLowerCase();
    const first = names.get(key) ?? name;
    names.set(key, first);
    const all = [sent[first] ?? [], ...values.map(asUtf8)].flat();
    if (all.length > 0) sent[first] = all.length === 1 || key === 'host' ? (all[0] as string) : all;
  }
  return sent;
}

function send(
  { method, url, headers, bytes }: LoadTarget,
  { timeoutMs, agent, id }: { readonly timeoutMs: number; readonly agent: Agent; readonly id?: string },
): Promise<RequestEnd> {
  return new Promise((resolve) => {
    const sentHeaders = {
      ...wireHeaders(headers),
      ...((bytes.length > 0 || method === 'POST') && { 'content-length': bytes.length }),
      ...(id !== undefined && { 'x-request-id': id }),
    };
    let bytesIn = 0;
    const failed = (error: NodeJS.ErrnoException) => resolve({ status: errorCode(error), body: '', bytesIn });
    const sent = httpRequest(
      url,
      { method, agent, headers: sentHeaders, signal: AbortSignal.timeout(timeoutMs) },
      (answer: IncomingMessage) => {
        const status = answer.statusCode ?? 0;
        let text = '';
        answer.on('data', (chunk: Uint8Array) => {
          bytesIn += chunk.length;
          if (status >= 300 && text.length < MOST_BODY_BYTES) text += chunk.toString();
        });
        answer.on('end', () => resolve({ status, body: text, bytesIn }));
        answer.on('error', failed);
      },
    );
    sent.on('error', failed);
    sent.end(bytes);
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
