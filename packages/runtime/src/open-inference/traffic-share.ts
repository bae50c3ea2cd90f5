/**
 * Sends a share of the requests to another server of the same pipeline while a new plan is tried. Requests are picked
 * at random, independent of their connections. If the other server fails, this one answers the request within its
 * deadline. The request may then run twice, so all stages must be `idempotent`.
 */
import { Agent, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { AppError, type Rng } from '@equipoise/core/model';
import { JSON_LENGTH_HEADER } from '@equipoise/open-inference-codec';
import { BytesInFlight } from '../data-plane/bytes-in-flight.js';
import type { Answer } from '../net/answer.js';
import { alignedBody } from '../net/body.js';
import { dropError, refusal } from '../net/refusal.js';
import type { Endpoint, RestRequest } from './rest/endpoint.js';
import type { Runner } from './served-pipeline.js';

/** The share is a fraction 0…1. */
export interface TrafficShareOptions {
  /** `http://host:port` of the other server. */
  readonly url: string;
  readonly fraction: number;
  readonly rng: Rng;
  readonly onShared?: (outcome: SharedOutcome) => void;
}

/** Outcome of a forwarded request: answered there, returned and answered here, or abandoned by the client. */
export type SharedOutcome = 'answered' | 'returned' | 'abandoned';

/** Answer to a shared request. Unless `isOwn`, the other server has counted it. */
export interface SharedAnswer {
  readonly answer: Answer;
  readonly isOwn: boolean;
}

export interface RequestLine {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
}

/** Marks a forwarded request, so that it is never forwarded again. */
const SHARED_HEADER = 'x-equipoise-shared';
const LEAST_PATIENCE_MS = 2_000;
/** Maximum requests at the other server at once; each holds a connection. */
const MOST_AWAY = 500;
const FIRST_SERVER_ERROR = 500;
/** Statuses about access and limits. The client passed those checks here, so the request is answered here. */
const REFUSED_CLIENT: ReadonlySet<number> = new Set([401, 429]);

/** Headers that belong to one connection or that this server writes itself. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'host',
  'content-length',
  'content-type',
  'date',
  'http2-settings',
  'x-request-id',
  JSON_LENGTH_HEADER,
]);

export class TrafficShare {
  readonly #options: TrafficShareOptions;
  readonly #runner: Pick<Runner, 'spec' | 'nowMs'>;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #awayBytes: BytesInFlight;
  #away = 0;

  /**
   * Forwarded requests and their answers hold at most `mostBytes`. AppError WRONG_USAGE for an invalid share, or a
   * stage that may not run twice.
   */
  constructor(options: TrafficShareOptions, runner: Pick<Runner, 'spec' | 'nowMs'>, mostBytes: number) {
    checkShare(options);
    const once = runner.spec.stages.find(({ idempotent = true }) => !idempotent);
    if (once !== undefined) {
      const message = `The stage ${once.id} is not idempotent: a request that the other server has begun could not be answered here.`;
      throw new AppError('WRONG_USAGE', message, { details: { stageId: once.id } });
    }
    this.#options = options;
    this.#awayBytes = new BytesInFlight(mostBytes);
    this.#runner = runner;
  }

  /** Lets either the other server or the local `endpoint` answer. */
  async answer(line: RequestLine, call: RestRequest, endpoint: Endpoint): Promise<SharedAnswer> {
    const { rng, fraction, onShared } = this.#options;
    const isPassedOn = call.headers[SHARED_HEADER] === undefined && rng.next() < fraction;
    if (!isPassedOn) return { answer: await endpoint(call), isOwn: true };
    const body = await call.readBody();
    const arrivedAtMs = this.#runner.nowMs;
    const here = {
      ...call,
      arrivedAtMs,
      readBody: async ({ alignAt } = { alignAt: 0 }) => alignedBody([body], alignAt),
    };
    // If the client went away, this server drops the request as usual.
    if (call.signal.aborted || !this.#send(body)) return { answer: await endpoint(here), isOwn: true };
    const answer = await this.#ask(line, call, body);
    this.#cameBack(body);
    if (answer === undefined && call.signal.aborted) {
      onShared?.('abandoned');
      return { answer: refusal(dropError('cancelled')), isOwn: false };
    }
    const isForeign = answer !== undefined && isAnswerTo(answer);
    onShared?.(isForeign ? 'answered' : 'returned');
    return isForeign ? { answer, isOwn: false } : { answer: await endpoint(here), isOwn: true };
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Reserves capacity for one more request; false if there is none. */
  #send(body: Uint8Array): boolean {
    if (this.#away >= MOST_AWAY || !this.#awayBytes.take(body.length)) return false;
    this.#away += 1;
    return true;
  }

  #cameBack(body: Uint8Array): void {
    this.#away -= 1;
    this.#awayBytes.release(body.length);
  }

  /** Answer of the other server; undefined if that server fails or is too slow, or the client goes away. */
  #ask({ method, target }: RequestLine, call: RestRequest, body: Uint8Array): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const own = { 'content-length': body.length, 'x-request-id': call.requestId, [SHARED_HEADER]: '1' };
      const headers = { ...headersToPass(call.headers), ...own };
      const asked = request(`${this.#options.url}${target}`, { method, headers, agent: this.#agent });
      const timer = setTimeout(() => asked.destroy(), sharePatienceMs(this.#runner.spec.slo.latencyMs));
      const gone = () => asked.destroy();
      const settle = (answer: Answer | undefined) => {
        clearTimeout(timer);
        call.signal.removeEventListener('abort', gone);
        resolve(answer);
      };
      call.signal.addEventListener('abort', gone, { once: true });
      asked.on('response', (response) => {
        void answerFrom(response, this.#awayBytes).then(settle, () => settle(undefined));
      });
      asked.on('error', () => settle(undefined));
      asked.once('socket', outliveRequest);
      asked.end(body);
    });
  }
}

/**
 * Keeps an error listener on the connection. Node removes its own listener once an answered request is written. If the
 * server closed before it read the whole request, a later error would end the process.
 */
function outliveRequest(socket: Socket): void {
  socket.off('error', ignored).on('error', ignored);
}

function ignored(): void {}

/** Maximum wait (ms) for the other server: twice the SLO latency, at least 2 s. */
export function sharePatienceMs(latencyMs: number): number {
  return Math.max(LEAST_PATIENCE_MS, 2 * latencyMs);
}

/** Throws AppError WRONG_USAGE for an invalid address or share. */
function checkShare({ url, fraction }: TrafficShareOptions): void {
  if (!/^http:\/\/[^/?#]+$/.test(url) || !URL.canParse(url)) {
    throw new AppError('WRONG_USAGE', `Expected http://HOST:PORT of another server, found ${url}.`);
  }
  if (fraction > 0 && fraction <= 1) return;
  throw new AppError('WRONG_USAGE', `A share is above 0 and at most 1, found ${fraction}.`);
}

/** True if this server may use the other server's answer. */
function isAnswerTo({ status }: Answer): boolean {
  return status < FIRST_SERVER_ERROR && !REFUSED_CLIENT.has(status);
}

/** Headers that keep their meaning at the other server. */
function headersToPass(headers: RestRequest['headers']): Record<string, string | string[]> {
  const passed: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    const isKept = name === 'content-type' || name === JSON_LENGTH_HEADER || !OWN_HEADERS.has(name);
    if (value === undefined || !isKept || name.startsWith(':')) continue;
    passed[name] = typeof value === 'string' ? value : [...value];
  }
  return passed;
}

async function answerFrom(response: IncomingMessage, away: BytesInFlight): Promise<Answer> {
  const body = await bodyOf(response, away);
  const { statusCode = 500, headers } = response;
  const jsonLength = headers[JSON_LENGTH_HEADER];
  const textLength = jsonLength === undefined ? body.length : Number(jsonLength);
  const kept = Object.entries(headers).filter(([name]) => !OWN_HEADERS.has(name));
  return {
    status: statusCode,
    headers: Object.fromEntries(kept.map(([name, value = '']) => [name, String(value)])),
    text: body.toString('utf8', 0, textLength),
    ...(jsonLength === undefined ? contentTypeOf(headers['content-type']) : { raw: [body.subarray(textLength)] }),
  };
}

/** Rejects if the connection breaks or `away` has no memory left. */
async function bodyOf(response: IncomingMessage, away: BytesInFlight): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (!away.take(chunk.length)) throw dropError('memory-full');
      length += chunk.length;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    away.release(length);
  }
}

const contentTypeOf = (contentType: string | undefined) => (contentType === undefined ? {} : { contentType });
