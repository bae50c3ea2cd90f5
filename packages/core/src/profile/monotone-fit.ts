/**
 * The service time of batch sizes that were not measured. A batch of more items cannot be expected to take less time, so the fit is
 * the least non-decreasing curve that is nowhere below a measured mean: f(kᵢ) = max over j ≤ i of m(kⱼ), linear in between. Of all
 * monotone curves on or above the points it is the nearest one, at every size and so by any measure of distance (the upper envelope
 * of isotonic regression); pooled means, as of pool-adjacent-violators, would lie below the larger point of a pair that falls.
 *
 * Two errors say what it is worth: by how much it had to lift a measured point, and how far it misses a measured point that it was
 * not shown (the ends left out, for nothing is extrapolated).
 */

/** A profiled batch size with the mean service time of its batches. */
export interface MeasuredSize {
  readonly batchSize: number;
  readonly meanMs: number;
}

/** Fitted means in ms at the measured sizes, and the largest errors as fractions of the measured mean. */
export interface MonotoneFit {
  readonly fittedMs: readonly number[];
  readonly raisedFraction: number;
  /** Missing with fewer than three sizes. */
  readonly leaveOneOutFraction?: number;
}

/** The fit through `sizes`, ascending by batch size; means are positive. */
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

/** The fit at a size between two measured ones. */
function meanAt(sizes: readonly MeasuredSize[], batchSize: number): number {
  const fittedMs = runningMaxima(sizes);
  const above = sizes.findIndex((size) => size.batchSize >= batchSize);
  const [low, high] = [sizes[above - 1], sizes[above]] as [MeasuredSize, MeasuredSize];
  const weight = (batchSize - low.batchSize) / (high.batchSize - low.batchSize);
  return (1 - weight) * (fittedMs[above - 1] as number) + weight * (fittedMs[above] as number);
}
