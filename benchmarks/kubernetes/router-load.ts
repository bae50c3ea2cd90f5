/**
 * Open-loop load on the Service of a pipeline: Poisson arrivals, latency from the due instant, no request sent twice.
 * Clients keep one connection each.
 */
import { Agent, request } from 'node:http';
import type { Rng } from '@equipoise/core/model';
import { answerTo } from './http-answer.js';

/**
 * `refused`: the client knows that nobody works on the request, because it has no connection, or by a status (429, 503,
 * 504). `lost`: sent over a connection, without a right answer. An accepted request whose replica went is lost, too.
 */
export type RequestKind = 'answered' | 'refused' | 'lost';

export interface RoutedRequest {
  readonly kind: RequestKind;
  readonly dueMs: number;
  readonly latencyMs: number;
  readonly problem?: string;
}

/** A request to the pipeline of `equipoise init`, and a part of its right answer. */
export const REQUEST_TEXT = 'das ist das Wetter';
export const RIGHT_ANSWER = '["de"]';

export interface RouterLoadInput {
  readonly url: string;
  readonly arrivalRps: number;
  readonly rng: Rng;
  /** Number of kept connections. */
  readonly clients?: number;
  /** Every other request has a connection of its own. */
  readonly hasOwnConnections?: boolean;
}

const TIMEOUT_MS = 60_000;
const CLIENTS = 12;
const REFUSALS: readonly number[] = [429, 503, 504];
/** Code of the 503 for a request that a router had accepted. */
const LOST = '"REPLICA_LOST"';

export class RouterLoad {
  readonly #input: RouterLoadInput;
  readonly #clients: readonly Agent[];
  readonly #pending: Promise<RoutedRequest>[] = [];
  readonly #sending: Promise<void>;
  #isStopped = false;

  constructor(input: RouterLoadInput) {
    this.#input = input;
    this.#clients = Array.from(
      { length: input.clients ?? CLIENTS },
      () => new Agent({ keepAlive: true, maxSockets: 1 }),
    );
    this.#sending = this.#send();
  }

  get sent(): number {
    return this.#pending.length;
  }

  /** Stops sending; resolves with all outcomes in the order of sending. */
  async stop(): Promise<readonly RoutedRequest[]> {
    this.#isStopped = true;
    await this.#sending;
    const all = await Promise.all(this.#pending);
    for (const client of this.#clients) client.destroy();
    return all;
  }

  async #send(): Promise<void> {
    const { rng, arrivalRps } = this.#input;
    const beganMs = performance.now();
    for (let dueMs = 0; !this.#isStopped; dueMs += (-Math.log(1 - rng.next()) / arrivalRps) * 1000) {
      const waitMs = beganMs + dueMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      this.#pending.push(this.#request(this.sent, dueMs, beganMs + dueMs));
    }
  }

  async #request(number: number, dueMs: number, dueAtMs: number): Promise<RoutedRequest> {
    const isAlone = this.#input.hasOwnConnections === true && number % 2 === 0;
    const client = this.#clients[Math.floor(this.#input.rng.next() * this.#clients.length)];
    let isConnected = false;
    const ended = (kind: RequestKind, problem?: string): RoutedRequest => {
      const way = isAlone ? 'own connection' : 'kept connection';
      return {
        ...{ kind, dueMs, latencyMs: performance.now() - dueAtMs },
        ...(problem !== undefined && { problem: `${way}: ${problem}` }),
      };
    };
    try {
      const headers = { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(REQUEST_TEXT) };
      const agent = isAlone ? false : client;
      const sent = request(this.#input.url, { method: 'POST', agent, headers, timeout: TIMEOUT_MS });
      sent.once('socket', (socket) => {
        isConnected = !socket.connecting;
        if (!isConnected) socket.once('connect', () => (isConnected = true));
      });
      const { status, text } = await answerTo(sent, REQUEST_TEXT, TIMEOUT_MS);
      if (status === 200 && text.includes(RIGHT_ANSWER)) return ended('answered');
      const isRefused = REFUSALS.includes(status) && !text.includes(LOST);
      return ended(isRefused ? 'refused' : 'lost', `${status} ${text.slice(0, 300)}`);
    } catch (error) {
      return ended(isConnected ? 'lost' : 'refused', String(error));
    }
  }
}
