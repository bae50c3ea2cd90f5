/**
 * Process that sends a load. It spins between close arrivals, because a timer would be up to a millisecond late. Each
 * request gets a free or new connection, so that no request waits for another.
 */
import { execFileSync } from 'node:child_process';
import { invariant, SeededRng } from '@equipoise/core/model';
import { poissonArrivals } from '@equipoise/core/simulate';
import { HttpConnection } from './http-connection.js';
import type { OpenLoad, OpenLoadAnswers, PostRequest } from './open-load.js';

/** A timer awaits arrivals that are further away than this. */
const SPIN_MS = 3;
/** Time (ms) to wait for the last answers. */
const LAST_ANSWERS_MS = 20_000;

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

class Generator {
  readonly #load: OpenLoad;
  readonly #place: { readonly host: string; readonly port: number };
  readonly #requests: readonly Buffer[];
  readonly #free: HttpConnection[] = [];
  readonly #answers = {
    ...{ number: [] as number[], dueAtMs: [] as number[], latencyMs: [] as number[] },
    ...{ status: [] as number[], sentLateMs: [] as number[] },
  };

  constructor(load: OpenLoad) {
    const { hostname, port, host } = new URL(load.url);
    this.#load = load;
    this.#place = { host: hostname, port: Number(port) };
    this.#requests = load.steps.map((step) => bytesOf(step, host));
  }

  async run(): Promise<OpenLoadAnswers> {
    const { arrivalRps, durationMs, seed } = this.#load;
    const arrivals = poissonArrivals(arrivalRps, durationMs, new SeededRng(seed));
    const beganAtMs = nowMs();
    const underWay = new Set<Promise<void>>();
    let number = 0;
    for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs()) {
      const dueAtMs = beganAtMs + atMs;
      await until(dueAtMs);
      const sent = this.#send(number++, dueAtMs);
      underWay.add(sent);
      void sent.finally(() => underWay.delete(sent));
    }
    const last = setTimeout(() => this.#giveUp(), LAST_ANSWERS_MS);
    await Promise.all(underWay);
    clearTimeout(last);
    for (const connection of this.#free) connection.close();
    return this.#answers;
  }

  async #send(number: number, dueAtMs: number): Promise<void> {
    const sentLateMs = nowMs() - dueAtMs;
    let status = 0;
    for (const request of this.#requests) {
      status = await this.#answerTo(this.#numbered(request, number));
      if (status !== 200) break;
    }
    const answers = this.#answers;
    answers.number.push(number);
    answers.dueAtMs.push(dueAtMs);
    answers.latencyMs.push(nowMs() - dueAtMs);
    answers.status.push(status);
    answers.sentLateMs.push(sentLateMs);
  }

  async #answerTo(request: Buffer): Promise<number> {
    let connection = this.#free.pop();
    while (connection !== undefined && !connection.usable) connection = this.#free.pop();
    connection ??= new HttpConnection(this.#place);
    try {
      const { status } = await connection.send(request);
      if (connection.usable) this.#free.push(connection);
      return status;
    } catch {
      return 0;
    }
  }

  #numbered(request: Buffer, number: number): Buffer {
    const { numberPlace } = this.#load;
    if (numberPlace === undefined) return request;
    const at = request.indexOf(String(numberPlace));
    invariant(at >= 0, 'every request has a place for its number');
    const copy = Buffer.from(request);
    copy.write(String(numberPlace + number), at, 'latin1');
    return copy;
  }

  /** Requests that are never answered must not block the benchmark. */
  #giveUp(): void {
    process.send?.(this.#answers, () => process.exit());
  }
}

function bytesOf({ path, headers, body }: PostRequest, host: string): Buffer {
  const all = {
    host,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
}

async function until(dueAtMs: number): Promise<void> {
  for (let leftMs = dueAtMs - nowMs(); leftMs > 0; leftMs = dueAtMs - nowMs()) {
    await new Promise<void>((resolve) => {
      if (leftMs > SPIN_MS) setTimeout(resolve, leftMs - SPIN_MS);
      else setImmediate(resolve);
    });
  }
}

process.once('message', async (message) => {
  const load = message as OpenLoad;
  if (load.processor !== undefined) {
    execFileSync('taskset', ['-acp', String(load.processor), String(process.pid)], { stdio: 'ignore' });
  }
  const answers = await new Generator(load).run();
  process.send?.(answers, () => process.exit());
});
