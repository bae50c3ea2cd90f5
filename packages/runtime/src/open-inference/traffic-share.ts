/**
 * A share of the requests for another server of the same pipeline, as a new plan is tried: chance picks them one by one, so that the share is
 * one of requests and not of connections. What the other server does not answer, or answers with an error of its own, is answered here, as
 * far as its deadline still allows. It may therefore run twice, which a pipeline has to bear (`idempotent`).
 */
import { Agent, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { AppError, type Rng } from '@equipoise/core/model';
import { JSON_LENGTH_HEADER } from '@equipoise/open-inference-codec';
import { BytesInFlight } from '../data-plane/bytes-in-flight.js';
import type { Answer } from './answer.js';
import type { Call, Endpoint } from './endpoint.js';
import { alignedBody } from './read-body.js';
import { dropError, refusal } from './refusal.js';
import type { Runner } from './served-pipeline.js';

/** Whom to give a share, and how large it is: 0…1. */
export interface TrafficShareOptions {
  /** `http://host:port` of the other server. */
  readonly url: string;
  readonly fraction: number;
  readonly rng: Rng;
  /** Told of every request that was passed on, once it is known who answers it. */
  readonly onShared?: (outcome: SharedOutcome) => void;
}

/** What became of a request that was passed on: the other server answered it, or this one in its place, or its client went away before. */
export type SharedOutcome = 'answered' | 'returned' | 'abandoned';

/** The answer to a request; one that is not `own` is no answer of this server's to count. */
export interface SharedAnswer {
  readonly answer: Answer;
  readonly isOwn: boolean;
}

/** The line of a request that came in. */
export interface RequestLine {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
}

/** Says that a request was passed on: who gets it answers it, or two servers that share with each other would hand it to and fro. */
const SHARED_HEADER = 'x-equipoise-shared';
const LEAST_PATIENCE_MS = 2_000;
/** Each that is passed on holds a connection; those beyond this many at once are answered here. */
const MOST_AWAY = 500;
/** From here on a status says that the server could not, not that the request was wrong. */
const FIRST_SERVER_ERROR = 500;
/** Its client has been let in here: another token file, or a limit that is spent there, is no fault of the request. */
const REFUSED_CLIENT: ReadonlySet<number> = new Set([401, 429]);

/** Belong to one connection, or are written anew. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  ...[
    'connection',
    'keep-alive',
    'proxy-connection',
    'transfer-encoding',
    'te',
    'trailer',
    'upgrade',
    'expect',
    'host',
  ],
  ...['content-length', 'content-type', 'date', 'http2-settings', 'x-request-id', JSON_LENGTH_HEADER],
]);

export class TrafficShare {
  readonly #options: TrafficShareOptions;
  readonly #runner: Pick<Runner, 'spec' | 'nowMs'>;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #awayBytes: BytesInFlight;
  #away = 0;

  /**
   * What is passed on has at most `mostBytes`, with what is there of the answers. Throws AppError WRONG_USAGE where the share is none, or a stage
   * may not run twice.
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

  /** Answers a request to `endpoint`, there or here. */
  async answer(line: RequestLine, call: Call, endpoint: Endpoint): Promise<SharedAnswer> {
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
    // Whose client went away meanwhile is given up here, as one that was never to be passed on.
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

  /** Keeps no connection any more. */
  close(): void {
    this.#agent.destroy();
  }

  /** Whether there is room to wait for one more. */
  #send(body: Uint8Array): boolean {
    if (this.#away >= MOST_AWAY || !this.#awayBytes.take(body.length)) return false;
    this.#away += 1;
    return true;
  }

  #cameBack(body: Uint8Array): void {
    this.#away -= 1;
    this.#awayBytes.release(body.length);
  }

  /** What the other server says; undefined where it says nothing, or not in time, or nobody waits for it. */
  #ask({ method, target }: RequestLine, call: Call, body: Uint8Array): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const own = { 'content-length': body.length, 'x-request-id': call.requestId, [SHARED_HEADER]: '1' };
      const headers = { ...passedOn(call.headers), ...own };
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
 * Node takes its listener off the connection of a request that is answered once the last bytes of it are written, or cannot be: the error of
 * that comes after it, where the server has answered and closed before it read all, and without a listener it would end the process.
 */
function outliveRequest(socket: Socket): void {
  socket.off('error', ignored).on('error', ignored);
}

function ignored(): void {}

/** The longest wait (ms) for the other server: twice the latency of the SLO, and no less than what first connections may take. */
export function sharePatienceMs(latencyMs: number): number {
  return Math.max(LEAST_PATIENCE_MS, 2 * latencyMs);
}

/** AppError WRONG_USAGE for an address or a share that is none. */
function checkShare({ url, fraction }: TrafficShareOptions): void {
  if (!/^http:\/\/[^/?#]+$/.test(url) || !URL.canParse(url)) {
    throw new AppError('WRONG_USAGE', `Expected http://HOST:PORT of another server, found ${url}.`);
  }
  if (fraction > 0 && fraction <= 1) return;
  throw new AppError('WRONG_USAGE', `A share is above 0 and at most 1, found ${fraction}.`);
}

/** Whether it is an answer to the request, which would be the same here, and not to where it was asked. */
function isAnswerTo({ status }: Answer): boolean {
  return status < FIRST_SERVER_ERROR && !REFUSED_CLIENT.has(status);
}

/** The headers that mean the same to the other server; its type of content among them. */
function passedOn(headers: Call['headers']): Record<string, string | string[]> {
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

/** The whole body; rejects where the connection breaks, or `away` has no room for more. */
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
