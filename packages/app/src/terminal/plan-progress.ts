/**
 * What long planning is at, on stderr. Planning computes without a pause, so the time is told by a thread that does nothing else; what takes
 * no more than two seconds is not worth a word.
 */
import { Worker } from 'node:worker_threads';

const QUIET_MS = 2_000;
const REDRAW_EVERY_MS = 250;
const LINE_EVERY_MS = 5_000;

/** Runs in the thread: writes to the file descriptor, since what a thread prints passes through the main thread, which is busy. */
const TELLER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { writeSync } = require('node:fs');
  const { quietMs, everyMs, terminal } = workerData;
  const startedAtMs = performance.now();
  let text = '';
  parentPort.on('message', (now) => { text = now; });
  const tell = () => {
    const seconds = Math.round((performance.now() - startedAtMs) / 1000);
    const line = text + ', ' + seconds + ' s';
    try {
      writeSync(2, terminal ? '\\r\\u001b[K' + line : line + '\\n');
    } catch {
      // A pipe that is full or closed misses a line of progress, nothing else.
    }
  };
  setTimeout(() => { tell(); setInterval(tell, everyMs); }, quietMs);
`;

/** Tells from when it is made until it is stopped. */
export class PlanProgress {
  readonly #thread: Worker;
  readonly #terminal = process.stderr.isTTY;
  readonly #startedAtMs = performance.now();

  constructor(text: string) {
    const everyMs = this.#terminal ? REDRAW_EVERY_MS : LINE_EVERY_MS;
    const workerData = { quietMs: QUIET_MS, everyMs, terminal: this.#terminal };
    this.#thread = new Worker(TELLER, { eval: true, execArgv: [], workerData });
    this.#thread.unref();
    this.say(text);
  }

  /** From now on tells this. */
  say(text: string): void {
    this.#thread.postMessage(text);
  }

  /** Ends the thread and clears its line. */
  async stop(): Promise<void> {
    await this.#thread.terminate();
    if (this.#terminal && performance.now() - this.#startedAtMs > QUIET_MS) process.stderr.write('\r\u001b[K');
  }
}
