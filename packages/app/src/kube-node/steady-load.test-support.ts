/** Requests at a fixed rate, each over a connection of its own, as from many clients. */
import { request } from 'node:http';

export interface LoadResult {
  readonly sent: number;
  /** Outcomes other than 200: a status with its body, or an error of the connection. */
  readonly failures: readonly string[];
}

const TIMEOUT_MS = 60_000;

export class SteadyLoad {
  readonly #timer: NodeJS.Timeout;
  readonly #pending: Promise<string | undefined>[] = [];
  readonly #startedMs = performance.now();

  constructor(url: string, rps: number) {
    const send = () => {
      const atMs = performance.now() - this.#startedMs;
      this.#pending.push(post(url).then((failure) => failure && `${Math.round(atMs)} ms: ${failure}`));
    };
    this.#timer = setInterval(send, 1000 / rps);
  }

  get sent(): number {
    return this.#pending.length;
  }

  /** Stops sending and waits for all answers. */
  async end(): Promise<LoadResult> {
    clearInterval(this.#timer);
    const outcomes = await Promise.all(this.#pending);
    return { sent: outcomes.length, failures: outcomes.filter((failure) => failure !== undefined) };
  }
}

/** Returns the failure of a request. */
export function post(url: string, text = 'das ist das Wetter'): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { method: 'POST', agent: false, headers: { 'content-type': 'text/plain' }, timeout: TIMEOUT_MS };
    const sent = request(`${url}/v1/pipelines/language/run`, options, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      answer.on('error', (error) => resolve(String(error)));
      answer.on('end', () => resolve(answer.statusCode === 200 ? undefined : `${answer.statusCode} ${body}`));
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer after ${TIMEOUT_MS} ms`)));
    sent.on('error', (error) => resolve(String(error)));
    sent.end(text);
  });
}
