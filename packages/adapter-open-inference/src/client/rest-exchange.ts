import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { AppError } from '@equipoise/core/model';
import { JSON_LENGTH_HEADER, RAW_ALIGNMENT_BYTES } from '@equipoise/open-inference-codec';
import type { CallOptions } from './inference-client.js';
import { clientDefaults } from './inference-client.js';
import { corruptAnswer, givenUp, tookTooLong, unreachable } from './server-failure.js';

/** A connection that breaks within this time was stale. If it breaks later, the server was running the request. */
const STALE_WITHIN_MS = 250;
/** Codes of a write to a connection that the server has closed, depending on which side is faster. */
const CLOSED: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE']);

/** Request to send; its body parts are not concatenated. */
export interface RestRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: readonly Uint8Array[];
}

/** Answer whose body is placed so that raw tensors after the JSON are aligned. */
export interface RestAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Uint8Array<ArrayBuffer>;
}

export interface RestConnectionOptions {
  readonly maxAnswerBytes: number;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Resends a request whose persistent connection broke at once, although the server may have run it. If false, each
   * request uses its own connection.
   */
  readonly mayRepeat: boolean;
}

/** Connections to a server, kept alive if requests may be repeated. */
export class RestConnections {
  readonly #url: URL;
  readonly #maxAnswerBytes: number;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: Agent;
  /** Opens a connection for each request. */
  readonly #freshAgent: Agent;
  #isClosed = false;

  constructor(url: URL, { maxAnswerBytes, headers, mayRepeat }: RestConnectionOptions) {
    this.#url = url;
    this.#maxAnswerBytes = maxAnswerBytes;
    this.#headers = headers;
    const agentOf = (keepAlive: boolean): Agent =>
      url.protocol === 'https:' ? new TlsAgent({ keepAlive }) : new Agent({ keepAlive });
    this.#agent = agentOf(mayRepeat);
    this.#freshAgent = agentOf(false);
  }

  /** Rejects with UNREACHABLE, DEADLINE_PASSED, STAGE_FAILED (answer too large) or DROPPED (cancelled). */
  async exchange(sent: RestRequest, options: CallOptions): Promise<RestAnswer> {
    try {
      return await this.#once(sent, options, this.#agent);
    } catch (error) {
      // The server has probably closed the idle connection, and the other idle ones with it.
      if (!(error instanceof StaleConnection)) throw error;
      return await this.#once(sent, options, this.#freshAgent);
    }
  }

  /** Cancels running requests and rejects later ones. */
  close(): void {
    this.#isClosed = true;
    this.#agent.destroy();
    this.#freshAgent.destroy();
  }

  #once(
    sent: RestRequest,
    { timeoutMs = clientDefaults.timeoutMs, signal }: CallOptions,
    agent: Agent,
  ): Promise<RestAnswer> {
    const url = this.#url.origin;
    return new Promise((resolve, reject) => {
      // After `close`, the agent would open connections that are never closed.
      if (signal?.aborted === true || this.#isClosed) {
        reject(givenUp(url));
        return;
      }
      const request = this.#open(sent, agent);
      const end = (settle: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const fail = (error: Error) => {
        end(() => reject(error));
        request.destroy();
      };
      const onAbort = () => fail(givenUp(url));
      const timer = setTimeout(() => fail(tookTooLong(url, timeoutMs)), timeoutMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      request.once('socket', outliveRequest);
      let answering = false;
      const sentAtMs = performance.now();
      request.on('error', (error: NodeJS.ErrnoException) => {
        const atOnce = performance.now() - sentAtMs < STALE_WITHIN_MS;
        const stale = request.reusedSocket && !answering && atOnce && CLOSED.has(error.code);
        fail(stale ? new StaleConnection() : unreachable(url, error));
      });
      request.on('response', (response) => {
        answering = true;
        readBody(response, this.#maxAnswerBytes, url).then(
          (body) => end(() => resolve({ status: response.statusCode ?? 0, headers: response.headers, body })),
          fail,
        );
      });
      request.cork();
      for (const part of sent.body ?? []) request.write(part);
      request.end();
      request.uncork();
    });
  }

  #open({ method, path, headers = {}, body = [] }: RestRequest, agent: Agent) {
    const options: RequestOptions = {
      method,
      agent,
      headers: Object.assign(
        {},
        this.#headers,
        headers,
        method === 'POST' && { 'content-length': body.reduce((length, part) => length + part.length, 0) },
      ),
    };
    const target = new URL(`${this.#url.pathname.replace(/\/$/, '')}${path}`, this.#url.origin);
    return this.#url.protocol === 'https:' ? tlsRequest(target, options) : httpRequest(target, options);
  }
}

/**
 * Keeps an error listener, because Node removes its own listener once the request is written. A later write error (the
 * server closed before reading everything) would end the process.
 */
function outliveRequest(socket: Socket): void {
  socket.off('error', ignored).on('error', ignored);
}

function ignored(): void {}

class StaleConnection extends Error {}

async function readBody(response: IncomingMessage, maxBytes: number, url: string): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > maxBytes) throw corruptAnswer(url, new Error(`more than ${maxBytes} bytes.`));
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof AppError || !(error instanceof Error) ? error : unreachable(url, error);
  }
  const jsonLength = Number(response.headers[JSON_LENGTH_HEADER] ?? 0);
  return joined(chunks, length, Number.isSafeInteger(jsonLength) ? jsonLength : 0);
}

function joined(chunks: readonly Uint8Array[], length: number, alignAt: number): Uint8Array<ArrayBuffer> {
  const offset = -alignAt & (RAW_ALIGNMENT_BYTES - 1);
  const body = new Uint8Array(offset + length).subarray(offset);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}
