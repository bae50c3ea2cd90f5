/**
 * Passes the output of a replica process to stderr, because stdout belongs to the program. Output per second is
 * bounded, so that endless output neither fills a disk nor slows the server.
 */
import type { Readable, Writable } from 'node:stream';

const limitBytes = { perSecond: 64 * 1024, kept: 2 * 1024 };
const SECOND_MS = 1_000;

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

  take(stream: Readable): void {
    stream.on('data', (chunk: Buffer) => this.#pass(chunk));
    stream.on('error', () => {});
  }

  /** Last lines, to be appended to "its process ended"; empty without output. */
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
