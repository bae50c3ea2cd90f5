/**
 * How large a part of the requests meets the SLO, with the interval that says how sure that is.
 *
 * Requests that follow each other share their queue, so the interval is by batch means: the counted time is cut into equal spans, and the
 * part that each attains counts as one independent draw (Law, Simulation Modeling and Analysis, §9.5.3), with Student's t for the few
 * there are. A tail is rare and comes in clusters, so few misses may look more certain than they are: the interval is never narrower than
 * Wilson's for independent requests.
 */

/** The counted time: from `fromMs` in `spans` parts of `spanMs`, by instant of arrival; later arrivals belong to the last part. */
export interface CountedTime {
  readonly fromMs: number;
  readonly spanMs: number;
  readonly spans: number;
}

/** What a sample says: latency (ms) at the asked fraction, the fraction within the SLO, and whether its 99 % interval clears the asked one. */
export interface AttainmentVerdict {
  readonly latencyMs: number;
  readonly sloAttainmentFraction: number;
  readonly conclusive: boolean;
}

/** Normal quantile of a two-sided 99 % interval. */
const Z_99 = 2.5758;

/** Two-sided 99 % quantile of Student's t by its expansion around the normal one (Abramowitz and Stegun 26.7.5); from 4 degrees on at most 1.3 % low. */
function t99(degrees: number): number {
  const z = Z_99;
  const first = (z ** 3 + z) / 4;
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384;
  return z + first / degrees + second / degrees ** 2 + third / degrees ** 3;
}

/** Latencies of the requests that arrived in the counted time. */
export class AttainmentSample {
  readonly #time: CountedTime;
  readonly #sloLatencyMs: number;
  readonly #latenciesMs: number[] = [];
  readonly #within: Float64Array;
  readonly #counts: Float64Array;

  constructor(time: CountedTime, sloLatencyMs: number) {
    this.#time = time;
    this.#sloLatencyMs = sloLatencyMs;
    this.#within = new Float64Array(time.spans);
    this.#counts = new Float64Array(time.spans);
  }

  add(arrivedAtMs: number, latencyMs: number): void {
    const { fromMs, spanMs, spans } = this.#time;
    if (arrivedAtMs < fromMs) return;
    const span = Math.min(spans - 1, Math.floor((arrivedAtMs - fromMs) / spanMs));
    this.#counts[span] = (this.#counts[span] ?? 0) + 1;
    if (latencyMs <= this.#sloLatencyMs) this.#within[span] = (this.#within[span] ?? 0) + 1;
    this.#latenciesMs.push(latencyMs);
  }

  /** The verdict on whether `fraction` (0…1) is attained; an empty sample attains everything and shows nothing. */
  verdict(fraction: number): AttainmentVerdict {
    const latencies = Float64Array.from(this.#latenciesMs).sort();
    const count = latencies.length;
    if (count === 0) return { latencyMs: 0, sloAttainmentFraction: 1, conclusive: false };
    const rank = Math.min(count - 1, Math.max(0, Math.ceil(fraction * count) - 1));
    const attained = this.#within.reduce((sum, within) => sum + within, 0) / count;
    const { low, high } = wilson(attained, count);
    const halfWidth = this.#halfWidth(attained);
    return {
      latencyMs: latencies[rank] ?? 0,
      sloAttainmentFraction: attained,
      conclusive: Math.min(low, attained - halfWidth) > fraction || Math.max(high, attained + halfWidth) < fraction,
    };
  }

  /** Half of the width of the interval by batch means, weighted by how many requests arrived in each span. */
  #halfWidth(attained: number): number {
    const total = this.#latenciesMs.length;
    const used = this.#counts.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0);
    if (used < 2) return 1;
    let squares = 0;
    for (const [span, count] of this.#counts.entries()) squares += ((this.#within[span] ?? 0) - attained * count) ** 2;
    return (t99(used - 1) * Math.sqrt((squares * used) / (used - 1))) / total;
  }
}

function wilson(fraction: number, count: number): { readonly low: number; readonly high: number } {
  const weight = Z_99 ** 2 / count;
  const center = (fraction + weight / 2) / (1 + weight);
  const half = (Z_99 / (1 + weight)) * Math.sqrt((fraction * (1 - fraction)) / count + weight / (4 * count));
  return { low: center - half, high: center + half };
}
