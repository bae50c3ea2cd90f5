/**
 * Last hour of a pipeline: one row of numbers per second, in a ring of chunks that are allocated when they are first
 * needed. Ten stages need about 3 MB.
 */
import { type HistoryShape, rowWidth } from './history-layout.js';
import { HistoryWindow, STEP_MS } from './history-window.js';

export const HISTORY_SECONDS = 3600;
const CHUNK_SECONDS = 300;

export interface TimeRange {
  readonly fromEpochMs?: number | undefined;
  readonly toEpochMs?: number | undefined;
}

export class History {
  readonly shape: HistoryShape;
  /** Number of seconds that are kept. */
  readonly seconds: number;
  readonly #width: number;
  readonly #chunks: (Float32Array | undefined)[] = [];
  readonly #atEpochMs: Float64Array;
  #appended = 0;

  constructor(shape: HistoryShape, seconds = HISTORY_SECONDS) {
    this.shape = shape;
    this.#width = rowWidth(shape);
    this.seconds = seconds;
    this.#atEpochMs = new Float64Array(seconds);
  }

  /** Copies a row. Instants ascend: if the clock was set back, all older instants go back with it. */
  append(atEpochMs: number, row: Float32Array): void {
    const seconds = this.seconds;
    const place = this.#appended % seconds;
    const previous = this.#atEpochMs[(this.#appended + seconds - 1) % seconds] as number;
    if (this.#appended > 0 && atEpochMs <= previous) this.#setBack(previous + STEP_MS - atEpochMs);
    this.#atEpochMs[place] = atEpochMs;
    this.#row(place).set(row);
    this.#appended += 1;
  }

  /** Seconds that ended after `fromEpochMs` and not after `toEpochMs`, oldest first. */
  window({
    fromEpochMs = Number.NEGATIVE_INFINITY,
    toEpochMs = Number.POSITIVE_INFINITY,
  }: TimeRange = {}): HistoryWindow {
    const kept = Math.min(this.#appended, this.seconds);
    const places = Array.from({ length: kept }, (_, i) => (this.#appended - kept + i) % this.seconds).filter(
      (place) => {
        const atEpochMs = this.#atEpochMs[place] as number;
        return atEpochMs > fromEpochMs && atEpochMs <= toEpochMs;
      },
    );
    const rows = new Float32Array(places.length * this.#width);
    for (const [i, place] of places.entries()) rows.set(this.#row(place), i * this.#width);
    const atEpochMs = Float64Array.from(places, (place) => this.#atEpochMs[place] as number);
    return new HistoryWindow({ shape: this.shape, atEpochMs, rows });
  }

  /** A history of at most `seconds`, with the newest ones of this history. */
  shortened(seconds: number): History {
    const short = new History(this.shape, seconds);
    const { atEpochMs, rows } = this.window().data;
    for (const [i, at] of atEpochMs.entries())
      if (i >= atEpochMs.length - seconds) short.append(at, rows.subarray(i * this.#width, (i + 1) * this.#width));
    return short;
  }

  #setBack(durationMs: number): void {
    for (const [place, atEpochMs] of this.#atEpochMs.entries()) this.#atEpochMs[place] = atEpochMs - durationMs;
  }

  #row(place: number): Float32Array {
    const chunk = Math.floor(place / CHUNK_SECONDS);
    this.#chunks[chunk] ??= new Float32Array(Math.min(CHUNK_SECONDS, this.seconds) * this.#width);
    const from = (place % CHUNK_SECONDS) * this.#width;
    return (this.#chunks[chunk] as Float32Array).subarray(from, from + this.#width);
  }
}
