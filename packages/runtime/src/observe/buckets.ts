/** Histogram bounds as multiples of the SLO latency, so that the share of requests within the SLO is exact. */

/** Upper bounds (s) for latencies of requests; one of them is the SLO. */
export function latencyBucketsSeconds(sloLatencyMs: number): number[] {
  return [0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5].map((part) =>
    bound(part, sloLatencyMs),
  );
}

/** Upper bounds (s) for waits in queues and runs in replicas. */
export function partBucketsSeconds(sloLatencyMs: number): number[] {
  return [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2, 5].map((part) =>
    bound(part, sloLatencyMs),
  );
}

/** Index of the first bound that is at least `value`; the number of bounds if all are lower. Bounds ascend. */
export function bucketIndex(upperBounds: readonly number[], value: number): number {
  let low = 0;
  let high = upperBounds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (value <= (upperBounds[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}

export const batchSizeBuckets: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128];

function bound(part: number, sloLatencyMs: number): number {
  return Number(((part * sloLatencyMs) / 1000).toPrecision(6));
}
