/**
 * Service times in service, measured in calibration segments. A closed loop keeps one replica hot. In service the core
 * rests between requests and is slower for a while: cold caches and low clocks. A time is stored with the recent use of
 * the core: the mean of usual work (fit of the batch ÷ its time) and rest (0), weighted by exp(−age ÷ 30 ms). Usual
 * work replaces busy time, because a stall occupies the core without work. A draw takes a random time of the stage at
 * about the same recent use, scaled to the batch size by the affine fit through the medians. Slow times come in
 * bunches, so the next draw takes the next measured time while use and stage agree. This is a bootstrap of blocks of
 * random length (Politis and Romano 1994, "The Stationary Bootstrap").
 */
import type { Rng, StageId } from '@equipoise/core/model';
import type { simulatePlan } from '@equipoise/core/simulate';
import type { ServedBatch } from './messages.js';
import { median } from './slice-figures.js';

export type SimulatedServiceTimes = NonNullable<Parameters<typeof simulatePlan>[0]['serviceTimes']>;

const MEMORY_MS = 30;
/** Maximum difference of recent use between a draw and the drawn time. */
const NEAR_USE = 0.1;
/** Minimum fraction of the stage's times from which a time is drawn. */
const LEAST_FRACTION = 1 / 16;
/** Mean number of batches in a block. */
const MEAN_BLOCK = 64;
/** A block skips fewer than this many measured batches at once. It may skip some, because batch order varies. */
const MOST_AHEAD = 4;

/** Recent mean work of the shared core, initially rested. */
class RecentUse {
  #use = 0;
  #endedAtMs = 0;

  at(nowMs: number): number {
    return this.#use * Math.exp(-Math.max(0, nowMs - this.#endedAtMs) / MEMORY_MS);
  }

  /** Updates the use after a batch that took `ms` instead of `usualMs`. */
  ran(startedAtMs: number, ms: number, usualMs: number): void {
    const kept = Math.exp(-ms / MEMORY_MS);
    this.#use = this.at(startedAtMs) * kept + (1 - kept) * (usualMs / ms);
    this.#endedAtMs = startedAtMs + ms;
  }
}

/** Measured time ÷ fit of its size, by the recent use of the core. */
interface Timed {
  readonly stage: number;
  readonly segment: number;
  /** Position in order of measurement. */
  readonly place: number;
  readonly use: number;
  readonly ratio: number;
}

interface StageTimes {
  readonly fitMs: (batchSize: number) => number;
  /** Ascending by use. */
  readonly timed: readonly Timed[];
}

/** Service times for consecutive simulations. Each simulation starts with a rested core, as each segment did. */
export function measuredServiceTimes(
  stageIds: readonly StageId[],
  segments: readonly (readonly ServedBatch[])[],
): () => SimulatedServiceTimes {
  const batches = segments.flat();
  for (const id of stageIds)
    if (!batches.some(({ stageId }) => stageId === id))
      throw new Error(`stage ${id} served no batch to take times from`);
  const fits = stageIds.map((id) => affineFit(batches.filter(({ stageId }) => stageId === id)));
  const timed = segments
    .flatMap((ofSegment, segment) => timedBatches(ofSegment, { segment, stageIds, fits }))
    .map((one, place) => ({ ...one, place }));
  const stages = fits.map((fitMs, index) => ({
    fitMs,
    timed: timed.filter(({ stage }) => stage === index).sort((a, b) => a.use - b.use),
  }));
  return () => new BlockDraws(stages, timed);
}

class BlockDraws implements SimulatedServiceTimes {
  readonly #stages: readonly StageTimes[];
  readonly #timed: readonly Timed[];
  readonly #recent = new RecentUse();
  #last: Timed | undefined;

  constructor(stages: readonly StageTimes[], timed: readonly Timed[]) {
    this.#stages = stages;
    this.#timed = timed;
  }

  drawMs({ stage, batchSize, nowMs }: { stage: number; batchSize: number; nowMs: number }, rng: Rng): number {
    const { fitMs, timed } = this.#stages[stage] as StageTimes;
    const use = this.#recent.at(nowMs);
    const goesOn = rng.next() >= 1 / MEAN_BLOCK;
    this.#last = (goesOn ? this.#next(stage, use) : undefined) ?? drawn(timed, use, rng);
    const usualMs = fitMs(batchSize);
    const ms = usualMs * this.#last.ratio;
    this.#recent.ran(nowMs, ms, usualMs);
    return ms;
  }

  /** Time of the stage measured soon after the last drawn time, at about this use. */
  #next(stage: number, use: number): Timed | undefined {
    if (this.#last === undefined) return undefined;
    for (let ahead = 1; ahead <= MOST_AHEAD; ahead++) {
      const timed = this.#timed[this.#last.place + ahead];
      if (timed === undefined || timed.segment !== this.#last.segment) return undefined;
      if (timed.stage === stage && Math.abs(timed.use - use) <= NEAR_USE) return timed;
    }
    return undefined;
  }
}

function timedBatches(
  batches: readonly ServedBatch[],
  of: {
    readonly segment: number;
    readonly stageIds: readonly StageId[];
    readonly fits: readonly StageTimes['fitMs'][];
  },
): readonly Omit<Timed, 'place'>[] {
  const recent = new RecentUse();
  return batches
    .toSorted((a, b) => a.startedAtMs - b.startedAtMs)
    .map(({ stageId, size, startedAtMs, ms }) => {
      const stage = of.stageIds.indexOf(stageId as StageId);
      const usualMs = (of.fits[stage] as StageTimes['fitMs'])(size);
      const use = recent.at(startedAtMs);
      recent.ran(startedAtMs, ms, usualMs);
      return { stage, segment: of.segment, use, ratio: ms / usualMs };
    });
}

/** Weighted least squares through the medians of the sizes; constant for one size. */
function affineFit(batches: readonly ServedBatch[]): (batchSize: number) => number {
  const points = [...new Set(batches.map(({ size }) => size))].map((size) => {
    const times = batches.filter((batch) => batch.size === size).map(({ ms }) => ms);
    return { size, ms: median(times), weight: times.length };
  });
  const sum = (of: (point: (typeof points)[number]) => number) =>
    points.reduce((total, point) => total + point.weight * of(point), 0);
  const total = sum(() => 1);
  const meanSize = sum(({ size }) => size) / total;
  const meanMs = sum(({ ms }) => ms) / total;
  const spread = sum(({ size }) => (size - meanSize) ** 2);
  const slopeMs = spread === 0 ? 0 : Math.max(0, sum(({ size, ms }) => (size - meanSize) * (ms - meanMs)) / spread);
  return (batchSize) => Math.max(meanMs / 10, meanMs + slopeMs * (batchSize - meanSize));
}

function drawn(timed: readonly Timed[], use: number, rng: Rng): Timed {
  const least = Math.max(1, Math.floor(timed.length * LEAST_FRACTION));
  const middle = indexOfUse(timed, use);
  const first = Math.max(0, Math.min(indexOfUse(timed, use - NEAR_USE), middle - least / 2, timed.length - least));
  const behind = Math.min(timed.length, Math.max(indexOfUse(timed, use + NEAR_USE), middle + least / 2, least));
  return timed[Math.floor(first + rng.next() * (behind - first))] as Timed;
}

/** First index with at least this use. */
function indexOfUse(timed: readonly Timed[], use: number): number {
  let [low, high] = [0, timed.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((timed[middle] as Timed).use < use) low = middle + 1;
    else high = middle;
  }
  return low;
}
