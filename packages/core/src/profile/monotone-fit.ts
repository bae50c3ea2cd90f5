/**
 * Fits mean service times by batch size: the lowest non-decreasing curve through or above all means, linear between
 * sizes.
 */

export interface MeasuredSize {
  readonly batchSize: number;
  readonly meanMs: number;
}

/** Means in ms. `raisedFraction`: maximum of (rise of a point ÷ its measured mean). */
export interface MonotoneFit {
  readonly fittedMs: readonly number[];
  readonly raisedFraction: number;
  /** Maximum leave-one-out error of inner points ÷ mean; absent with fewer than three sizes. */
  readonly leaveOneOutFraction?: number;
}

/** `sizes` ascend by batch size; means are positive. */
export function monotoneFit(sizes: readonly MeasuredSize[]): MonotoneFit {
  const fittedMs = runningMaxima(sizes);
  const raised = sizes.map(({ meanMs }, i) => (fittedMs[i] as number) / meanMs - 1);
  const missed = sizes.slice(1, -1).map((leftOut) => {
    const meanMs = meanAt(
      sizes.filter((size) => size !== leftOut),
      leftOut.batchSize,
    );
    return Math.abs(meanMs / leftOut.meanMs - 1);
  });
  return {
    fittedMs,
    raisedFraction: Math.max(0, ...raised),
    ...(missed.length === 0 ? {} : { leaveOneOutFraction: Math.max(...missed) }),
  };
}

function runningMaxima(sizes: readonly MeasuredSize[]): readonly number[] {
  let largest = 0;
  return sizes.map(({ meanMs }) => {
    largest = Math.max(largest, meanMs);
    return largest;
  });
}

function meanAt(sizes: readonly MeasuredSize[], batchSize: number): number {
  const fittedMs = runningMaxima(sizes);
  const above = sizes.findIndex((size) => size.batchSize >= batchSize);
  const [low, high] = [sizes[above - 1], sizes[above]] as [MeasuredSize, MeasuredSize];
  const weight = (batchSize - low.batchSize) / (high.batchSize - low.batchSize);
  return (1 - weight) * (fittedMs[above - 1] as number) + weight * (fittedMs[above] as number);
}
