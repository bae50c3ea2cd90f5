/**
 * Load generator process. It waits by timers only: a spinning process would take the server's core. Requests leave up
 * to 1 ms late; the simulation uses the actual arrivals.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { SeededRng } from '@equipoise/core/model';
import { poissonArrivals } from '@equipoise/core/simulate';
import type { LoadAnswer, LoadTask } from './messages.js';

/** Exceeds the maximum number of requests in the server. */
const CONNECTIONS = 2048;

interface Sent {
  readonly status: number;
  readonly latencyMs: number;
}

class Load {
  readonly #task: LoadTask;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  readonly #bodies: readonly Buffer[];
  readonly #latencyMs: number[] = [];
  readonly #lateMs: number[] = [];
  #sent = 0;
  #dropped = 0;
  #failed = 0;

  constructor(task: LoadTask) {
    this.#task = task;
    this.#bodies = readdirSync(task.folder)
      .sort()
      .map((name) => readFileSync(join(task.folder, name)));
  }

  async run(): Promise<LoadAnswer> {
    const cpu = process.cpuUsage();
    await (this.#task.arrivalRps === undefined ? this.#oneByOne() : this.#atRate(this.#task.arrivalRps));
    this.#agent.destroy();
    const { user, system } = process.cpuUsage(cpu);
    return {
      ok: this.#latencyMs.length,
      dropped: this.#dropped,
      failed: this.#failed,
      latencyMs: this.#latencyMs,
      lateMs: this.#lateMs,
      cpuMs: (user + system) / 1000,
    };
  }

  async #oneByOne(): Promise<void> {
    while (this.#sent < this.#task.requests) this.#note(await this.#post());
  }

  async #atRate(arrivalRps: number): Promise<void> {
    const arrivals = poissonArrivals(arrivalRps, Number.POSITIVE_INFINITY, new SeededRng(this.#task.seed));
    const startedAtMs = performance.now() + 20;
    const pending: Promise<void>[] = [];
    let savedMs = 0;
    while (this.#sent < this.#task.requests) {
      // Later requests start after the rush, at the usual rate.
      const atMs = arrivals.nextAtMs() as number;
      if (this.#sent < this.#task.rushing) savedMs = atMs / 2;
      const dueAtMs = startedAtMs + atMs - savedMs;
      const leftMs = dueAtMs - performance.now();
      if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
      this.#lateMs.push(performance.now() - dueAtMs);
      pending.push(this.#post().then((sent) => this.#note(sent)));
    }
    await Promise.all(pending);
  }

  #post(): Promise<Sent> {
    const body = this.#bodies[this.#sent % this.#bodies.length] as Buffer;
    this.#sent += 1;
    const startedAtMs = performance.now();
    return new Promise((resolve) => {
      const headers = { 'content-type': 'image/jpeg', 'content-length': body.length };
      const ended = (status: number) => resolve({ status, latencyMs: performance.now() - startedAtMs });
      const sent = httpRequest(this.#task.url, { method: 'POST', agent: this.#agent, headers }, (answer) => {
        answer.resume();
        answer.on('end', () => ended(answer.statusCode ?? 0));
      });
      sent.on('error', () => ended(0));
      sent.end(body);
    });
  }

  #note({ status, latencyMs }: Sent): void {
    if (status === 200) this.#latencyMs.push(latencyMs);
    else if (status === 503 || status === 504 || status === 429) this.#dropped += 1;
    else this.#failed += 1;
  }
}

process.on('message', async (task: LoadTask) => {
  process.send?.(await new Load(task).run());
});
