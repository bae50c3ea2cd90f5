/**
 * Latency laws as weighted atoms, with the two operations a graph needs: the sum of independent times and the maximum of independent
 * times. After each the atoms are merged to at most ATOMS, finer toward the tail, so that high percentiles stay sharp.
 */

/** Values ascending (ms) with their probabilities, which sum to 1. */
export interface LatencyLaw {
  readonly valuesMs: Float64Array;
  readonly weights: Float64Array;
}

const ATOMS = 96;

/** Bin borders in probability: half of the bins cover the upper tenth, their width shrinking toward 1. */
const borders: Float64Array = Float64Array.from({ length: ATOMS + 1 }, (_, i) => {
  const half = ATOMS / 2;
  return i <= half ? (0.9 * i) / half : i === ATOMS ? 1 : 1 - 0.1 * 10 ** (-3 * ((i - half) / half));
});

/** The law with the given quantile function, sampled in the middle of each bin. */
export function lawFromQuantiles(quantileMs: (fraction: number) => number): LatencyLaw {
  const valuesMs = new Float64Array(ATOMS);
  const weights = new Float64Array(ATOMS);
  for (let i = 0; i < ATOMS; i++) {
    const low = borders[i] as number;
    const high = borders[i + 1] as number;
    valuesMs[i] = quantileMs((low + high) / 2);
    weights[i] = high - low;
  }
  return { valuesMs, weights };
}

/** The law of a fixed time. */
export const constantLaw = (ms: number): LatencyLaw => ({
  valuesMs: Float64Array.of(ms),
  weights: Float64Array.of(1),
});

/** Merges sorted atoms into the bins; each bin keeps its mean. */
function merged(valuesMs: Float64Array, weights: Float64Array): LatencyLaw {
  if (valuesMs.length <= ATOMS) return { valuesMs, weights };
  const outValues = new Float64Array(ATOMS);
  const outWeights = new Float64Array(ATOMS);
  let before = 0;
  let bin = 0;
  for (let i = 0; i < valuesMs.length; i++) {
    let left = weights[i] as number;
    while (left > 0) {
      const room = bin === ATOMS - 1 ? left : Math.max(0, (borders[bin + 1] as number) - before);
      const part = Math.min(left, room);
      outValues[bin] = (outValues[bin] as number) + part * (valuesMs[i] as number);
      outWeights[bin] = (outWeights[bin] as number) + part;
      before += part;
      left -= part;
      if (left > 0) bin++;
    }
  }
  const used = outWeights.findLastIndex((weight) => weight > 0) + 1;
  for (let b = 0; b < used; b++) outValues[b] = (outValues[b] as number) / Math.max(1e-300, outWeights[b] as number);
  return { valuesMs: outValues.subarray(0, used), weights: outWeights.subarray(0, used) };
}

/** Law of the sum of two independent times. */
export function sumLaw(a: LatencyLaw, b: LatencyLaw): LatencyLaw {
  const pairs: [number, number][] = [];
  for (let i = 0; i < a.valuesMs.length; i++)
    for (let j = 0; j < b.valuesMs.length; j++)
      pairs.push([
        (a.valuesMs[i] as number) + (b.valuesMs[j] as number),
        (a.weights[i] as number) * (b.weights[j] as number),
      ]);
  pairs.sort((x, y) => x[0] - y[0]);
  return merged(
    Float64Array.from(pairs, (pair) => pair[0]),
    Float64Array.from(pairs, (pair) => pair[1]),
  );
}

/** Law of the larger of two independent times. */
export function maxLaw(a: LatencyLaw, b: LatencyLaw): LatencyLaw {
  const valuesMs = Float64Array.from(new Set([...a.valuesMs, ...b.valuesMs])).sort();
  const weights = new Float64Array(valuesMs.length);
  let i = 0;
  let j = 0;
  let belowA = 0;
  let belowB = 0;
  let before = 0;
  for (let k = 0; k < valuesMs.length; k++) {
    const value = valuesMs[k] as number;
    while (i < a.valuesMs.length && (a.valuesMs[i] as number) <= value) belowA += a.weights[i++] as number;
    while (j < b.valuesMs.length && (b.valuesMs[j] as number) <= value) belowB += b.weights[j++] as number;
    weights[k] = belowA * belowB - before;
    before = belowA * belowB;
  }
  return merged(valuesMs, weights);
}

/** Mean in ms. */
export function meanOfLaw(law: LatencyLaw): number {
  return law.valuesMs.reduce((sum, value, i) => sum + value * (law.weights[i] as number), 0);
}

/** Quantile in ms at `fraction`, linear between the middles of neighbouring atoms. */
export function quantileOfLaw(law: LatencyLaw, fraction: number): number {
  let below = 0;
  let lastMiddle = 0;
  for (let i = 0; i < law.valuesMs.length; i++) {
    const weight = law.weights[i] as number;
    const middle = below + weight / 2;
    const value = law.valuesMs[i] as number;
    if (middle >= fraction) {
      const previous = law.valuesMs[i - 1] ?? value;
      return i === 0 ? value : previous + ((value - previous) * (fraction - lastMiddle)) / (middle - lastMiddle);
    }
    below += weight;
    lastMiddle = middle;
  }
  return law.valuesMs.at(-1) as number;
}
