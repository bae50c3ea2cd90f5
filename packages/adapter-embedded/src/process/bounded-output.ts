/**
 * Output of a replica process goes to stderr, because stdout belongs to the program. It is bounded per second, so that
 * a process that prints without end neither fills a disk nor slows the server. Its last lines are kept to explain its
 * end.
 */
import type { Readable, Writable } from 'node:stream';

/** Most bytes per second that are passed on, and most bytes that are kept. */
const limitBytes = { perSecond: 64 * 1024, kept: 2 * 1024 };
const SECOND_MS = 1_000;

/** Passes the output of one process on to `to`, at the instants of `nowMs`. */
export class BoundedOutput {
  readonly #to: Pick<Writable, 'write'>;
  readonly #nowMs: () => number;
  #kept = Buffer.alloc(0);
  #secondBeganAtMs = Number.NEGATIVE_INFINITY;
  #passedBytes = 0;
  #leftOutBytes = 0;

  constructor(to: Pick<Writable, 'write'>, nowMs: () => number) {
    this.#to = to;
    this.#nowMs = nowMs;
  }

  /** Reads a stream of the process. */
  take(stream: Readable): void {
    stream.on('data', (chunk: Buffer) => this.#pass(chunk));
    stream.on('error', () => {});
  }

  /** Last lines as an addition to "its process ended"; empty without output. */
  lastWords(): string {
    const text = this.#kept.toString('utf8').trim();
    return text === '' ? '' : `; it printed last:\n${text}`;
  }

  #pass(chunk: Buffer): void {
    this.#kept = Buffer.concat([this.#kept, chunk.subarray(-limitBytes.kept)]).subarray(-limitBytes.kept);
    const nowMs = this.#nowMs();
    if (nowMs - this.#secondBeganAtMs >= SECOND_MS) {
      if (this.#leftOutBytes > 0) this.#to.write(`[${this.#leftOutBytes} bytes of output left out]\n`);
      this.#secondBeganAtMs = nowMs;
      this.#passedBytes = 0;
      this.#leftOutBytes = 0;
    }
    const passed = chunk.subarray(0, limitBytes.perSecond - this.#passedBytes);
    this.#passedBytes += passed.length;
    this.#leftOutBytes += chunk.length - passed.length;
    if (passed.length > 0) this.#to.write(passed);
  }
}
