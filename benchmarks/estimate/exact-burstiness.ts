/**
 * Long-run burstiness of the benchmark's arrivals. The switching rate has a closed form. The gamma renewal process is
 * counted once in windows of x mean gaps, up to where I(x) = cv² − (cv⁴ − 1) ÷ 6x applies (Cox 1962).
 */
import { type ArrivalProcess, drawArrivals } from '../../packages/core/src/estimate/arrivals.js';
import { SeededRng } from '../../packages/core/src/kernel/rng.js';
import { type Burstiness, poissonBurstiness } from '../../packages/core/src/model/expected-load.js';

const LONG_MS = 10_000;
const COUNTED_UP_TO = 300;

function dispersionOf(countIn: ArrayLike<number>): number {
  const counts = Array.from(countIn);
  const mean = counts.reduce((a, b) => a + b, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / counts.length / mean;
}

const gammaTimes = new Map<number, Float64Array>();

function countedDispersion(cv: number, gaps: number): number {
  const times =
    gammaTimes.get(cv) ??
    drawArrivals(
      { process: { kind: 'gamma', cv }, arrivalRps: 1000, groupSize: 1, itemsPerRequest: 1 },
      3_000_000,
      new SeededRng(5),
    ).arrivedAtMs;
  gammaTimes.set(cv, times);
  const counts = new Float64Array(Math.floor((times.at(-1) as number) / gaps));
  for (const time of times) {
    const window = Math.floor(time / gaps);
    if (window < counts.length) counts[window] = (counts[window] as number) + 1;
  }
  return dispersionOf(counts);
}

function gammaDispersion(cv: number, gaps: number): number {
  return gaps > COUNTED_UP_TO ? cv * cv - (cv ** 4 - 1) / (6 * gaps) : countedDispersion(cv, gaps);
}

function switchingDispersion(
  process: ArrivalProcess & { kind: 'mmpp' },
  requestsPerMs: number,
  windowMs: number,
): number {
  const forgetting = 1 / process.meanHighMs + 1 / process.meanLowMs;
  const share = process.meanHighMs / (process.meanHighMs + process.meanLowMs);
  const spread = process.highFactor - process.lowFactor;
  const excess = (2 * share * (1 - share) * spread ** 2 * requestsPerMs) / forgetting;
  const x = forgetting * windowMs;
  return 1 + excess * (1 + Math.expm1(-x) / x);
}

export function exactBurstiness(process: ArrivalProcess, arrivalRps: number, sloMs: number): Burstiness {
  const perMs = arrivalRps / 1000;
  switch (process.kind) {
    case 'poisson':
      return { ...poissonBurstiness, sloMs };
    case 'gamma': {
      const [dispersionAtSlo, dispersionAt10s] = [sloMs, LONG_MS].map((ms) => gammaDispersion(process.cv, perMs * ms));
      return { sloMs, dispersionAtSlo: dispersionAtSlo as number, dispersionAt10s: dispersionAt10s as number };
    }
    case 'mmpp': {
      const share = process.meanHighMs / (process.meanHighMs + process.meanLowMs);
      return {
        sloMs,
        dispersionAtSlo: switchingDispersion(process, perMs, sloMs),
        dispersionAt10s: switchingDispersion(process, perMs, LONG_MS),
        rateSkewness: (1 - 2 * share) / Math.sqrt(share * (1 - share)),
      };
    }
  }
}
