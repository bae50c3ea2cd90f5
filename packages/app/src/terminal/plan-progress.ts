/**
 * Shows the time of planning on stderr, if it takes more than two seconds. Planning blocks its thread, so another
 * thread shows the time. That thread takes as long to start as a short plan, so it may start with a later step.
 */
import { Worker } from 'node:worker_threads';
import { logFormat } from './log.js';

const QUIET_MS = 2_000;
const REDRAW_EVERY_MS = 250;
const LINE_EVERY_MS = 5_000;

/** Writes to the file descriptor, because thread output passes through the busy main thread. */
const TELLER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { writeSync } = require('node:fs');
  const { elapsedMs, quietMs, everyMs, terminal, json } = workerData;
  const startedAtMs = performance.now() - elapsedMs;
  let text = '';
  parentPort.on('message', (now) => { text = now; });
  const tell = () => {
    const seconds = Math.round((performance.now() - startedAtMs) / 1000);
    const message = text + ', ' + seconds + ' s';
    const line = json ? JSON.stringify({ at: new Date().toISOString(), level: 'info', message }) : message;
    try {
      writeSync(2, terminal ? '\\r\\u001b[K' + line : line + '\\n');
    } catch {
      // A full or closed pipe loses only a line of progress.
    }
  };
  setTimeout(() => { tell(); setInterval(tell, everyMs); }, quietMs);
`;

export class PlanProgress {
  #thread: Worker | undefined;
  readonly #terminal = process.stderr.isTTY && logFormat() === 'text';
  readonly #startedAtMs = performance.now();
  readonly #startsAfterMs: number;

  /** `startsAfterMs`: time in which nothing that is said starts the thread. */
  constructor(text: string, startsAfterMs = 0) {
    this.#startsAfterMs = startsAfterMs;
    this.say(text);
  }

  say(text: string): void {
    if (this.#thread === undefined && performance.now() - this.#startedAtMs < this.#startsAfterMs) return;
    this.#thread ??= this.#start();
    this.#thread.postMessage(text);
  }

  #start(): Worker {
    const everyMs = this.#terminal ? REDRAW_EVERY_MS : LINE_EVERY_MS;
    const elapsedMs = performance.now() - this.#startedAtMs;
    const times = { elapsedMs, quietMs: Math.max(0, QUIET_MS - elapsedMs), everyMs };
    const workerData = { ...times, terminal: this.#terminal, json: logFormat() === 'json' };
    const thread = new Worker(TELLER, { eval: true, execArgv: [], workerData });
    thread.unref();
    return thread;
  }

  async stop(): Promise<void> {
    await this.#thread?.terminate();
    if (this.#terminal && performance.now() - this.#startedAtMs > QUIET_MS) process.stderr.write('\r\u001b[K');
  }
}
