/**
 * Service times of each replica in blocks of 5 s, relative to the profile, in a ring of the newest blocks. A block has
 * the sum and the sum of squares of x = ln(service time ÷ profiled mean of that batch size).
 */
import type { ReplicaId, StageId, VariantId } from '../model/ids.js';
import type { TimeRange } from './history.js';

export const BLOCK_MS = 5000;
const FIRST_BLOCKS = 1024;
/** An hour of 45 replicas. With more replicas, the ring has less than an hour. */
const MOST_BLOCKS = 32_768;

/** `measured`: batches with a known ratio. Failed batches have none. */
export interface ReplicaBlock {
  readonly atEpochMs: number;
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly replicaId: ReplicaId;
  readonly batches: number;
  readonly items: number;
  readonly failedItems: number;
  readonly measured: number;
  readonly logSum: number;
  readonly logSquares: number;
}

/** `expectedMs` is by the profile; undefined if it is unknown. */
export interface ReplicaBatch {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly replicaId: ReplicaId;
  readonly size: number;
  readonly failedItems: number;
  readonly serviceMs: number;
  readonly expectedMs: number | undefined;
}

const FIGURES = ['batches', 'items', 'failedItems', 'measured', 'logSum', 'logSquares'] as const;

type Figures = Record<(typeof FIGURES)[number], number>;

type Names = Pick<ReplicaBlock, 'stageId' | 'variantId' | 'replicaId'>;

interface Running extends Figures {
  readonly names: Names;
}

export class ReplicaBlocks {
  readonly #running = new Map<ReplicaId, Running>();
  #atEpochMs = new Float64Array(FIRST_BLOCKS);
  #figures = new Float32Array(FIRST_BLOCKS * FIGURES.length);
  readonly #names: Names[] = [];
  #appended = 0;
  #endedAtEpochMs = Number.NEGATIVE_INFINITY;

  note({ stageId, variantId, replicaId, size, failedItems, serviceMs, expectedMs }: ReplicaBatch): void {
    let running = this.#running.get(replicaId);
    if (running === undefined) {
      const names = { stageId, variantId, replicaId };
      running = { names, batches: 0, items: 0, failedItems: 0, measured: 0, logSum: 0, logSquares: 0 };
      this.#running.set(replicaId, running);
    }
    running.batches += 1;
    running.items += size;
    running.failedItems += failedItems;
    if (failedItems > 0 || expectedMs === undefined || !(serviceMs > 0) || !(expectedMs > 0)) return;
    const log = Math.log(serviceMs / expectedMs);
    running.measured += 1;
    running.logSum += log;
    running.logSquares += log * log;
  }

  /** If the clock was set back, all older blocks go back with it. */
  endBlock(atEpochMs: number): void {
    if (atEpochMs <= this.#endedAtEpochMs) this.#setBack(this.#endedAtEpochMs + BLOCK_MS - atEpochMs);
    this.#endedAtEpochMs = atEpochMs;
    for (const running of this.#running.values()) {
      const place = this.#place();
      this.#atEpochMs[place] = atEpochMs;
      this.#names[place] = running.names;
      for (const [i, figure] of FIGURES.entries()) this.#figures[place * FIGURES.length + i] = running[figure];
    }
    this.#running.clear();
  }

  /** Blocks that ended in the range, oldest first. */
  window({
    fromEpochMs = Number.NEGATIVE_INFINITY,
    toEpochMs = Number.POSITIVE_INFINITY,
  }: TimeRange = {}): readonly ReplicaBlock[] {
    const kept = Math.min(this.#appended, MOST_BLOCKS);
    const found: ReplicaBlock[] = [];
    for (let i = this.#appended - kept; i < this.#appended; i++) {
      const place = i % MOST_BLOCKS;
      const atEpochMs = this.#atEpochMs[place] as number;
      if (atEpochMs > fromEpochMs && atEpochMs <= toEpochMs) found.push(this.#block(place, atEpochMs));
    }
    return found;
  }

  #block(place: number, atEpochMs: number): ReplicaBlock {
    const figure = (i: number) => this.#figures[place * FIGURES.length + i] as number;
    const figures = Object.fromEntries(FIGURES.map((name, i) => [name, figure(i)])) as unknown as Figures;
    return { atEpochMs, ...(this.#names[place] as Names), ...figures };
  }

  #setBack(durationMs: number): void {
    for (const [place, atEpochMs] of this.#atEpochMs.entries()) this.#atEpochMs[place] = atEpochMs - durationMs;
  }

  /** Next place of the ring, which doubles until it has `MOST_BLOCKS` places. */
  #place(): number {
    const place = this.#appended % MOST_BLOCKS;
    if (place >= this.#atEpochMs.length) {
      const length = Math.min(MOST_BLOCKS, 2 * this.#atEpochMs.length);
      const [times, figures] = [this.#atEpochMs, this.#figures];
      this.#atEpochMs = new Float64Array(length);
      this.#figures = new Float32Array(length * FIGURES.length);
      this.#atEpochMs.set(times);
      this.#figures.set(figures);
    }
    this.#appended += 1;
    return place;
  }
}
