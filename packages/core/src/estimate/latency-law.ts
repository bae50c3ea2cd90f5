/**
 * Latency laws as weighted atoms: sum, k-th smallest and mixture of independent times. Results are merged to `ATOMS`
 * atoms, which are finer in the tail.
 */
import { depthIndex, type SojournLaw, timeAtDepth } from './sojourn-law.js';

/** Values ascending (ms). Probabilities sum to 1. */
export interface LatencyLaw {
  readonly valuesMs: Float64Array;
  readonly weights: Float64Array;
}

const ATOMS = 96;
const STEPS = 4096;

/** Borders of the bins, as probabilities. Half of the bins cover the upper tenth and narrow toward 1. */
const borders: Float64Array = Float64Array.from({ length: ATOMS + 1 }, (_, i) => {
  const half = ATOMS / 2;
  if (i <= half) return (0.9 * i) / half;
  return i === ATOMS ? 1 : 1 - 0.1 * 10 ** (-3 * ((i - half) / half));
});

/** Middles of the bins as depths −ln(1 − fraction), and the `depthIndex` of each. */
const middleDepths = Float64Array.from({ length: ATOMS }, (_, i) => {
  return -Math.log1p(-((borders[i] as number) + (borders[i + 1] as number)) / 2);
});
const middlePlaces = Int32Array.from(middleDepths, depthIndex);

/** Atoms of a sojourn law, sampled in the middle of each bin. */
export function lawOfSojourn(sojourn: SojournLaw): LatencyLaw {
  const valuesMs = new Float64Array(ATOMS);
  const weights = new Float64Array(ATOMS);
  for (let i = 0; i < ATOMS; i++) {
    valuesMs[i] = timeAtDepth(sojourn, middleDepths[i] as number, middlePlaces[i] as number);
    weights[i] = (borders[i + 1] as number) - (borders[i] as number);
  }
  return { valuesMs, weights };
}

export const constantLaw = (ms: number): LatencyLaw => ({
  valuesMs: Float64Array.of(ms),
  weights: Float64Array.of(1),
});

/**
 * Spreads the atoms over the bins. A heavy atom fills several bins: `quantileOfLaw` is linear between atoms, so a
 * single one would reach far into the next.
 */
function mergeAtoms(valuesMs: Float64Array, weights: Float64Array): LatencyLaw {
  if (valuesMs.length === 1) return { valuesMs, weights };
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
  const used = dropEmptyAtoms(outValues, outWeights);
  return { valuesMs: outValues.slice(0, used), weights: outWeights.slice(0, used) };
}

/** Moves used atoms to the front, with the mean of each as its value; returns their number. */
function dropEmptyAtoms(weighted: Float64Array, weights: Float64Array): number {
  let used = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] as number;
    if (weight <= 0) continue;
    weighted[used] = (weighted[i] as number) / weight;
    weights[used++] = weight;
  }
  return used;
}

function shiftLaw(law: LatencyLaw, ms: number): LatencyLaw {
  return ms === 0 ? law : { valuesMs: law.valuesMs.map((value) => value + ms), weights: law.weights };
}

const sumWeighted = new Float64Array(STEPS + 1);
const sumWeights = new Float64Array(STEPS + 1);

export function sumLaw(a: LatencyLaw, b: LatencyLaw): LatencyLaw {
  if (a.valuesMs.length === 1) return shiftLaw(b, a.valuesMs[0] as number);
  if (b.valuesMs.length === 1) return shiftLaw(a, b.valuesMs[0] as number);
  const lowest = (a.valuesMs[0] as number) + (b.valuesMs[0] as number);
  const range = (a.valuesMs.at(-1) as number) + (b.valuesMs.at(-1) as number) - lowest;
  sumWeighted.fill(0);
  sumWeights.fill(0);
  const perMs = range > 0 ? STEPS / range : 0;
  const { valuesMs: valuesOfB, weights: weightsOfB } = b;
  for (let i = 0; i < a.valuesMs.length; i++) {
    const [msOfA, weightOfA] = [a.valuesMs[i] as number, a.weights[i] as number];
    for (let j = 0; j < valuesOfB.length; j++) {
      const ms = msOfA + (valuesOfB[j] as number);
      const weight = weightOfA * (weightsOfB[j] as number);
      const step = Math.floor((ms - lowest) * perMs);
      sumWeighted[step] = (sumWeighted[step] as number) + weight * ms;
      sumWeights[step] = (sumWeights[step] as number) + weight;
    }
  }
  const used = dropEmptyAtoms(sumWeighted, sumWeights);
  const law = mergeAtoms(sumWeighted.subarray(0, used), sumWeights.subarray(0, used));
  return used > 1 ? law : { valuesMs: law.valuesMs.slice(), weights: law.weights.slice() };
}

/** Sum of two times that are large together: quantiles add. */
function comonotoneSum(a: LatencyLaw, b: LatencyLaw): LatencyLaw {
  const valuesMs: number[] = [];
  const weights: number[] = [];
  let [i, j] = [0, 0];
  let [leftA, leftB] = [a.weights[0] as number, b.weights[0] as number];
  while (i < a.valuesMs.length && j < b.valuesMs.length) {
    valuesMs.push((a.valuesMs[i] as number) + (b.valuesMs[j] as number));
    const weight = Math.min(leftA, leftB);
    weights.push(weight);
    const [endA, endB] = [leftA <= weight, leftB <= weight];
    leftA = endA ? (a.weights[++i] ?? 0) : leftA - weight;
    leftB = endB ? (b.weights[++j] ?? 0) : leftB - weight;
  }
  return mergeAtoms(Float64Array.from(valuesMs), Float64Array.from(weights));
}

/** Sum along a chain. A fraction `together` (0…1) of the requests is slow in both stages; the rest is independent. */
export function chainLaw(a: LatencyLaw, b: LatencyLaw, together: number): LatencyLaw {
  const independent = sumLaw(a, b);
  if (together <= 0 || a.valuesMs.length === 1 || b.valuesMs.length === 1) return independent;
  return mixtureLaw([
    { probability: 1 - together, law: independent },
    { probability: together, law: comonotoneSum(a, b) },
  ]);
}

function atLeast(chances: readonly number[], needed: number): number {
  const exactly = new Float64Array(chances.length + 1);
  exactly[0] = 1;
  chances.forEach((chance, i) => {
    for (let k = i + 1; k >= 0; k--)
      exactly[k] = (exactly[k] as number) * (1 - chance) + (k > 0 ? (exactly[k - 1] as number) * chance : 0);
  });
  return exactly.subarray(needed).reduce((sum, p) => sum + p, 0);
}

/** Law of the `needed`-th smallest of independent times. */
export function awaitedLaw(laws: readonly LatencyLaw[], needed: number): LatencyLaw {
  const [only] = laws;
  if (laws.length === 1 && only !== undefined) return only;
  const valuesMs = Float64Array.from(new Set(laws.flatMap((law) => [...law.valuesMs]))).sort();
  const weights = new Float64Array(valuesMs.length);
  const next = new Int32Array(laws.length);
  const below = laws.map(() => 0);
  let before = 0;
  for (let v = 0; v < valuesMs.length; v++) {
    laws.forEach((law, l) => {
      while (
        (next[l] as number) < law.valuesMs.length &&
        (law.valuesMs[next[l] as number] as number) <= (valuesMs[v] as number)
      ) {
        below[l] = (below[l] as number) + (law.weights[next[l] as number] as number);
        next[l] = (next[l] as number) + 1;
      }
    });
    const passed = atLeast(below, needed);
    weights[v] = Math.max(0, passed - before);
    before = passed;
  }
  return mergeAtoms(valuesMs, weights);
}

export interface Alternative {
  readonly probability: number;
  readonly law: LatencyLaw;
}

/** Sorts the atoms: rounding errors can leave values not quite ascending. */
function ascending(law: LatencyLaw): LatencyLaw {
  const { valuesMs, weights } = law;
  if (valuesMs.every((value, i) => i === 0 || (valuesMs[i - 1] as number) <= value)) return law;
  const order = Array.from(valuesMs, (_, i) => i).sort((i, j) => (valuesMs[i] as number) - (valuesMs[j] as number));
  return {
    valuesMs: Float64Array.from(order, (i) => valuesMs[i] as number),
    weights: Float64Array.from(order, (i) => weights[i] as number),
  };
}

/** Atoms of both, ascending. */
function interleave(a: LatencyLaw, b: LatencyLaw): LatencyLaw {
  const count = a.valuesMs.length + b.valuesMs.length;
  const law = { valuesMs: new Float64Array(count), weights: new Float64Array(count) };
  for (let out = 0, i = 0, j = 0; out < count; out++) {
    const isOfB = i === a.valuesMs.length || (b.valuesMs[j] as number) < (a.valuesMs[i] as number);
    const from = isOfB ? b : a;
    const index = isOfB ? j++ : i++;
    law.valuesMs[out] = from.valuesMs[index] as number;
    law.weights[out] = from.weights[index] as number;
  }
  return law;
}

export function mixtureLaw(alternatives: readonly Alternative[]): LatencyLaw {
  const [only] = alternatives;
  if (alternatives.length === 1 && only !== undefined) return only.law;
  const { valuesMs, weights } = alternatives
    .map(({ probability, law }) => ascending({ ...law, weights: law.weights.map((weight) => probability * weight) }))
    .reduce(interleave);
  return mergeAtoms(valuesMs, weights);
}

export function meanOfLaw(law: LatencyLaw): number {
  return law.valuesMs.reduce((sum, value, i) => sum + value * (law.weights[i] as number), 0);
}

/** Quantile in ms, linear between atoms. */
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
