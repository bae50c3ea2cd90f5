/**
 * Open-loop load on a Service: requests at the instants of a Poisson process over kept connections. As with kube-proxy,
 * each new connection goes to one ready pod. No request is sent twice.
 */
import { Agent, request } from 'node:http';
import type { LookupFunction } from 'node:net';
import type { Rng } from '@equipoise/core/model';
import { poissonArrivals } from '@equipoise/core/simulate';
import { answerTo, type HttpAnswer } from './http-answer.js';

export interface ServiceLoad {
  /** Addresses of the ready pods. */
  readonly addresses: () => readonly string[];
  readonly port: number;
  readonly path: string;
  readonly arrivalRps: number;
  readonly rng: Rng;
  /** Body of the request with this number, and the check of its answer. */
  readonly body: (number: number) => string;
  readonly isOwn: (number: number, answer: string) => boolean;
}

/** Outcome of a request; times in ms from its due instant. */
export interface LoadedRequest {
  readonly number: number;
  readonly latencyMs: number;
  /** `answered` with the right content, `dropped` with 503 or 504 (deadline), otherwise `failed` with the reason in `problem`. */
  readonly kind: 'answered' | 'dropped' | 'failed';
  readonly problem?: string;
}

const TIMEOUT_MS = 30_000;
const MOST_ARRIVALS_MS = 24 * 3_600_000;

/** Sends until stopped. */
export class RunningLoad {
  readonly #load: ServiceLoad;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #pending: Promise<LoadedRequest>[] = [];
  readonly #sending: Promise<void>;
  #isStopped = false;

  constructor(load: ServiceLoad) {
    this.#load = load;
    this.#sending = this.#send();
  }

  get sent(): number {
    return this.#pending.length;
  }

  /** Stops sending; resolves with all outcomes. */
  async stop(): Promise<readonly LoadedRequest[]> {
    this.#isStopped = true;
    await this.#sending;
    const all = await Promise.all(this.#pending);
    this.#agent.destroy();
    return all;
  }

  async #send(): Promise<void> {
    const arrivals = poissonArrivals(this.#load.arrivalRps, MOST_ARRIVALS_MS, this.#load.rng);
    const beganAtMs = performance.now();
    for (let dueAtMs = arrivals.nextAtMs(); dueAtMs !== undefined && !this.#isStopped; dueAtMs = arrivals.nextAtMs()) {
      const waitMs = beganAtMs + dueAtMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      this.#pending.push(this.#request(this.#pending.length, beganAtMs + dueAtMs));
    }
  }

  async #request(number: number, dueAtMs: number): Promise<LoadedRequest> {
    try {
      const { status, text } = await this.#exchange(this.#load.body(number));
      const latencyMs = performance.now() - dueAtMs;
      if (status === 200 && this.#load.isOwn(number, text)) return { number, latencyMs, kind: 'answered' };
      const kind = status === 503 || status === 504 ? 'dropped' : 'failed';
      return { number, latencyMs, kind, problem: `${status} ${text.slice(0, 300)}` };
    } catch (error) {
      return { number, latencyMs: performance.now() - dueAtMs, kind: 'failed', problem: String(error) };
    }
  }

  #exchange(body: string): Promise<HttpAnswer> {
    const { port, path, addresses, rng } = this.#load;
    const lookup: LookupFunction = (name, options, found) => {
      const ready = addresses();
      const address = ready[Math.floor(rng.next() * ready.length)];
      if (address === undefined) found(new Error(`${name} has no pod that is ready`), []);
      else if (options.all === true) found(null, [{ address, family: 4 }]);
      else found(null, address, 4);
    };
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const options = { host: 'service', port, path, method: 'POST', agent: this.#agent, headers, timeout: TIMEOUT_MS };
    return answerTo(request({ ...options, lookup }), body, TIMEOUT_MS);
  }
}
