/**
 * Correlation of the factors of batches that start soon after each other. Factors become normal scores by rank. Their
 * correlation at lags of 1, 2, 4 … batches is fitted by c · exp(−time ÷ memory): a line through its logarithms.
 */
import { normalQuantile } from '../kernel/normal-quantile.js';

export interface Bunching {
  /** 0…1. */
  readonly correlation: number;
  readonly memoryMs: number;
}

interface BunchedBatch {
  readonly stageId: string;
  readonly startedAtMs: number;
}

const LAGS = [1, 2, 4, 8, 16, 32, 64];
const LEAST_CORRELATION = 0.02;
const MOST_CORRELATION = 0.95;
const [LEAST_MEMORY_MS, MOST_MEMORY_MS] = [1, 10_000];
const NONE: Bunching = { correlation: 0, memoryMs: LEAST_MEMORY_MS };

/** Segments in order of start. Ranks are those of each stage. */
export function bunchingOf<Batch extends BunchedBatch>(
  segments: readonly (readonly Batch[])[],
  factorOf: (batch: Batch) => number,
): Bunching {
  const scores = normalScores(segments.flat(), factorOf);
  const points = LAGS.flatMap((lag) => lagPoint(segments, scores, lag));
  // Later lags say nothing once one of them shows no correlation.
  const end = points.findIndex(({ correlation }) => correlation < LEAST_CORRELATION);
  const used = end < 0 ? points : points.slice(0, end);
  const [first] = used;
  if (first === undefined) return NONE;
  if (used.length === 1)
    return { correlation: Math.min(MOST_CORRELATION, first.correlation), memoryMs: clampedMs(2 * first.timeMs) };
  const mean = (of: (point: LagPoint) => number) => used.reduce((sum, point) => sum + of(point), 0) / used.length;
  const [meanMs, meanLog] = [mean(({ timeMs }) => timeMs), mean(({ correlation }) => Math.log(correlation))];
  const slope =
    mean(({ timeMs, correlation }) => (timeMs - meanMs) * (Math.log(correlation) - meanLog)) /
    mean(({ timeMs }) => (timeMs - meanMs) ** 2);
  const memoryMs = slope < 0 ? clampedMs(-1 / slope) : MOST_MEMORY_MS;
  return { correlation: Math.min(MOST_CORRELATION, Math.exp(meanLog + meanMs / memoryMs)), memoryMs };
}

const clampedMs = (ms: number): number => Math.min(MOST_MEMORY_MS, Math.max(LEAST_MEMORY_MS, ms));

interface LagPoint {
  readonly timeMs: number;
  readonly correlation: number;
}

function lagPoint<Batch extends BunchedBatch>(
  segments: readonly (readonly Batch[])[],
  scores: ReadonlyMap<Batch, number>,
  lag: number,
): readonly LagPoint[] {
  let [pairs, products, timeMs] = [0, 0, 0];
  for (const segment of segments) {
    for (let i = lag; i < segment.length; i++) {
      const [before, after] = [segment[i - lag] as Batch, segment[i] as Batch];
      products += (scores.get(before) as number) * (scores.get(after) as number);
      timeMs += after.startedAtMs - before.startedAtMs;
      pairs += 1;
    }
  }
  return pairs === 0 ? [] : [{ timeMs: timeMs / pairs, correlation: products / pairs }];
}

function normalScores<Batch extends BunchedBatch>(
  batches: readonly Batch[],
  factorOf: (batch: Batch) => number,
): ReadonlyMap<Batch, number> {
  const scores = new Map<Batch, number>();
  for (const stageId of new Set(batches.map((batch) => batch.stageId))) {
    const ofStage = batches.filter((batch) => batch.stageId === stageId).sort((a, b) => factorOf(a) - factorOf(b));
    for (const [rank, batch] of ofStage.entries()) scores.set(batch, normalQuantile((rank + 0.5) / ofStage.length));
  }
  return scores;
}
