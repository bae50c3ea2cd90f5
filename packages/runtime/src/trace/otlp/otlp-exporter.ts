/**
 * Sends kept traces to an OpenTelemetry collector by OTLP over HTTP. It never blocks serving: traces wait in a bounded
 * queue, sending is retried with back-off, and what cannot be sent is dropped and counted.
 */
import { Agent, type IncomingMessage, request as plainRequest } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { fromBinary } from '@bufbuild/protobuf';
import { doubledDelayMs } from '@equipoise/core/model';
import type { KeptTrace, RequestTracer } from '../request-tracer.js';
import { ExportTraceServiceResponseSchema } from './otlp-trace.gen.js';
import { type BatchSpan, type SpanBytes, SpanEncoder, type SpanFacts, type SpanIds } from './span-encoder.js';

export interface OtlpOptions extends SpanFacts {
  /** URL of the collector's traces, such as http://localhost:4318/v1/traces. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Receives the first problem of a row of problems. */
  readonly onProblem: (problem: string) => void;
  /** Interval in which finished batches are sought. Default 1 s. */
  readonly intervalMs?: number;
  /** Default 5 s. */
  readonly timeoutMs?: number;
}

/** Result of one attempt. */
type Attempt =
  | { readonly kind: 'sent'; readonly rejected: number }
  | { readonly kind: 'refused'; readonly problem: string }
  | { readonly kind: 'retry'; readonly problem: string; readonly afterMs: number | undefined };

const MOST_WAITING = 8192;
const MOST_SENT = 512;
/** Intervals until spans are sent that do not fill a message. A message costs as much as hundreds of spans. */
const TICKS_PER_MESSAGE = 5;
/** Traces that are encoded together: one by one, they would take longer, and more would delay requests. */
const TRACES_AT_ONCE = 32;
const MOST_BATCHES = 1024;
/** Batches that were sent, whose later requests add nothing. */
const MOST_SENT_BATCHES = 4096;
const MOST_ANSWER_BYTES = 64 * 1024;
const MOST_ATTEMPTS = 5;
const DELAYS = { shortestMs: 1000, longestMs: 30_000 };
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

interface OpenBatch {
  readonly batch: BatchSpan;
  readonly runs: SpanIds[];
  /** Ticks until the batch is sent, so that its other requests can end. */
  ticks: number;
}

export class OtlpExporter {
  readonly #options: OtlpOptions;
  readonly #counts: RequestTracer['spanCounts'];
  readonly #encoder: SpanEncoder;
  readonly #url: URL;
  readonly #agent: Agent;
  #kept: KeptTrace[] = [];
  #keptSpans = 0;
  #waiting: SpanBytes[] = [];
  #ticksSinceMessage = 0;
  readonly #batches = new Map<string, OpenBatch>();
  readonly #sentBatches = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  readonly #giveUp = new AbortController();
  #sending: Promise<void> | undefined;
  #isClosing = false;
  #hasProblem = false;

  constructor(tracer: Pick<RequestTracer, 'onKept' | 'spanCounts'>, options: OtlpOptions) {
    this.#options = options;
    this.#counts = tracer.spanCounts;
    this.#encoder = new SpanEncoder(options);
    this.#url = new URL(options.url);
    this.#agent = isTls(this.#url) ? new TlsAgent({ keepAlive: true }) : new Agent({ keepAlive: true });
    tracer.onKept((kept) => this.#add(kept));
    this.#timer = setInterval(() => this.#tick(), options.intervalMs ?? 1000).unref();
  }

  /** Sends what waits, within `timeoutMs`. Later traces are dropped. */
  async close(timeoutMs: number): Promise<void> {
    clearInterval(this.#timer);
    const timer = setTimeout(() => this.#giveUp.abort(), timeoutMs);
    await this.#sending;
    this.#isClosing = true;
    this.#encode();
    this.#endBatches(true);
    await this.#sendAll();
    this.#agent.destroy();
    clearTimeout(timer);
  }

  #add(kept: KeptTrace): void {
    const spans = 1 + kept.spans.length;
    if (this.#isClosing || this.#waiting.length + this.#keptSpans >= MOST_WAITING) {
      this.#counts.queueFull += spans;
      return;
    }
    this.#kept.push(kept);
    this.#keptSpans += spans;
    if (this.#kept.length >= TRACES_AT_ONCE) this.#encode();
  }

  #encode(): void {
    for (const kept of this.#kept)
      this.#waiting.push(...this.#encoder.spansOf(kept, (batch, run) => this.#addToBatch(batch, run)));
    this.#kept = [];
    this.#keptSpans = 0;
  }

  #addToBatch(batch: BatchSpan, run: SpanIds): void {
    const key = batch.ids.spanId;
    const open = this.#batches.get(key);
    if (open !== undefined) open.runs.push(run);
    else if (this.#sentBatches.has(key)) return;
    else if (this.#batches.size < MOST_BATCHES) this.#batches.set(key, { batch, runs: [run], ticks: 2 });
    else this.#counts.queueFull += 1;
  }

  #endBatches(all: boolean): void {
    for (const [key, open] of this.#batches) {
      open.ticks -= 1;
      if (open.ticks > 0 && !all) continue;
      this.#batches.delete(key);
      this.#rememberSent(key);
      this.#waiting.push(this.#encoder.batchSpan(open.batch, open.runs));
    }
  }

  /** A span is sent once, even if the requests of a batch end far apart. */
  #rememberSent(key: string): void {
    this.#sentBatches.add(key);
    const [oldest] = this.#sentBatches;
    if (this.#sentBatches.size > MOST_SENT_BATCHES && oldest !== undefined) this.#sentBatches.delete(oldest);
  }

  #tick(): void {
    this.#encode();
    this.#endBatches(false);
    this.#ticksSinceMessage += 1;
    if (this.#waiting.length < MOST_SENT && this.#ticksSinceMessage < TICKS_PER_MESSAGE) return;
    this.#ticksSinceMessage = 0;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const spans = this.#waiting.splice(0, MOST_SENT);
      await this.#send(spans);
    }
  }

  async #send(spans: readonly SpanBytes[]): Promise<void> {
    const body = this.#encoder.request(spans);
    for (let attempt = 1; ; attempt++) {
      const result = await this.#attempt(body);
      if (result.kind === 'sent') {
        const rejected = Math.min(spans.length, Math.max(0, result.rejected));
        this.#counts.exported += spans.length - rejected;
        this.#counts.refused += rejected;
        this.#hasProblem = false;
        return;
      }
      this.#report(result.problem);
      const isLast = attempt === MOST_ATTEMPTS || this.#giveUp.signal.aborted;
      if (result.kind === 'refused' || isLast) {
        this.#counts[result.kind === 'refused' ? 'refused' : 'unreachable'] += spans.length;
        return;
      }
      await this.#pause(result.afterMs ?? doubledDelayMs(attempt, DELAYS));
    }
  }

  async #attempt(body: Uint8Array<ArrayBuffer>): Promise<Attempt> {
    const { url, timeoutMs = 5000 } = this.#options;
    const place = withoutQuery(url);
    try {
      const response = await this.#post(body, AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#giveUp.signal]));
      const answer = await readAnswer(response);
      const { statusCode = 0, headers } = response;
      if (statusCode >= 200 && statusCode < 300) return { kind: 'sent', rejected: rejectedSpans(answer) };
      const problem = `the collector at ${place} answered ${statusCode}`;
      if (!RETRYABLE.has(statusCode)) return { kind: 'refused', problem };
      const seconds = Number(headers['retry-after'] ?? Number.NaN);
      return { kind: 'retry', problem, afterMs: seconds >= 0 ? Math.min(seconds * 1000, DELAYS.longestMs) : undefined };
    } catch (error) {
      return {
        kind: 'retry',
        problem: `no answer from the collector at ${place} (${wordsOf(error)})`,
        afterMs: undefined,
      };
    }
  }

  /** By node:http, because a `fetch` each second costs the serving thread several times as much. */
  #post(body: Uint8Array, signal: AbortSignal): Promise<IncomingMessage> {
    const send = isTls(this.#url) ? tlsRequest : plainRequest;
    const sent = { ...this.#options.headers, 'content-type': 'application/x-protobuf' };
    return new Promise((resolve, reject) => {
      send(this.#url, { method: 'POST', agent: this.#agent, headers: sent, signal })
        .on('response', resolve)
        .on('error', reject)
        .once('socket', outliveRequest)
        .end(body);
    });
  }

  #report(problem: string): void {
    if (!this.#hasProblem) this.#options.onProblem(problem);
    this.#hasProblem = true;
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#giveUp;
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms).unref();
      if (signal.aborted) done();
      else signal.addEventListener('abort', done, { once: true });
    });
  }
}

/** URL as a log may show it: queries often have secrets. */
export function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/, '');
}

function isTls({ protocol }: URL): boolean {
  return protocol === 'https:';
}

/** Node stops to listen for errors once a request is written; a later one would end the process. */
function outliveRequest(socket: Socket): void {
  socket.off('error', ignored).on('error', ignored);
}

function ignored(): void {}

/** Cause of an error, such as the time-out behind an abort. Errors of several addresses have no message. */
function wordsOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return cause.message || String((cause as NodeJS.ErrnoException).code);
}

/** Bytes of an answer; empty if there are too many. */
async function readAnswer(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    // Leaving the loop closes the connection.
    if (length > MOST_ANSWER_BYTES) return new Uint8Array();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function rejectedSpans(answer: Uint8Array): number {
  try {
    return Number(fromBinary(ExportTraceServiceResponseSchema, answer).partialSuccess?.rejectedSpans ?? 0n);
  } catch {
    return 0;
  }
}
