/**
 * Sojourn-time law: times at fixed fractions, linear in −ln(1 − fraction) between them (exact for exponential tails).
 */

/** Fractions (0…1, ascending) whose times are stored. */
export const lawFractions: readonly number[] = [
  0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995, 0.998, 0.999, 0.9999,
];

/** −ln(1 − fraction) of each fraction. */
export const lawDepths: Float64Array = Float64Array.from(lawFractions, (fraction) => -Math.log1p(-fraction));

/** Times in ms at `lawFractions`, ascending. */
export type SojournLaw = Float64Array;

const LAST = lawFractions.length - 1;

/** Weights of the times in the mean. The last time applies from its fraction on. */
const meanWeights: Float64Array = (() => {
  const weights = new Float64Array(lawFractions.length);
  for (let i = 0; i < LAST; i++) {
    const [from, to] = [lawDepths[i] as number, lawDepths[i + 1] as number];
    const mass = Math.exp(-from) - Math.exp(-to);
    const upper = (mass - (to - from) * Math.exp(-to)) / (to - from);
    weights[i] = (weights[i] as number) + mass - upper;
    weights[i + 1] = (weights[i + 1] as number) + upper;
  }
  weights[LAST] = (weights[LAST] as number) + Math.exp(-(lawDepths[LAST] as number));
  return weights;
})();

export function lawMean(law: SojournLaw): number {
  let mean = 0;
  for (let i = 0; i <= LAST; i++) mean += (meanWeights[i] as number) * (law[i] as number);
  return mean;
}

/** Index of the stored depth before `depth`, but never the last one. */
export function depthIndex(depth: number): number {
  let i = 0;
  while (i < LAST - 1 && depth > (lawDepths[i + 1] as number)) i++;
  return i;
}

/** Time (ms) at a depth with this `depthIndex`. */
export const timeAtDepth = (law: SojournLaw, depth: number, index: number): number =>
  between(lawDepths, law, { at: depth, index });

/** Time (ms) at a fraction. Extrapolates the tail beyond 0.9999. */
export function lawQuantile(law: SojournLaw, fraction: number): number {
  if (fraction >= 1) return Number.POSITIVE_INFINITY;
  const depth = -Math.log1p(-Math.max(0, fraction));
  return timeAtDepth(law, depth, depthIndex(depth));
}

function between(x: Float64Array, y: Float64Array, place: { at: number; index: number }): number {
  const { at, index } = place;
  const x0 = x[index] as number;
  const y0 = y[index] as number;
  return y0 + (((y[index + 1] as number) - y0) * (at - x0)) / ((x[index + 1] as number) - x0);
}

/** Depth of `ms`, given the last index with a smaller or equal time (−1 if none). */
function depthOf(law: SojournLaw, ms: number, index: number): number {
  if (index < 0) return 0;
  if (index >= LAST) return lawDepths[LAST] as number;
  return between(law, lawDepths, { at: ms, index });
}

const mixedTimes = new Float64Array(4 * lawFractions.length);
const mixedDepths = new Float64Array(4 * lawFractions.length);

/** Writes the points of the mixture to the buffers. Returns their number. */
function mixPoints(a: SojournLaw, b: SojournLaw, weightOfA: number): number {
  let count = 0;
  let [i, j] = [-1, -1];
  const put = (ms: number): void => {
    const above = weightOfA * Math.exp(-depthOf(a, ms, i)) + (1 - weightOfA) * Math.exp(-depthOf(b, ms, j));
    mixedTimes[count] = ms;
    mixedDepths[count++] = -Math.log(above);
  };
  while (i < LAST || j < LAST) {
    const ms = Math.min(a[i + 1] ?? Number.POSITIVE_INFINITY, b[j + 1] ?? Number.POSITIVE_INFINITY);
    put(ms);
    while (i < LAST && (a[i + 1] as number) <= ms) i++;
    while (j < LAST && (b[j + 1] as number) <= ms) j++;
    put(ms);
  }
  return count;
}

/** Mixture: `a` with probability `weightOfA`, otherwise `b`. */
export function mixLaws(a: SojournLaw, b: SojournLaw, weightOfA: number): SojournLaw {
  const count = mixPoints(a, b, weightOfA);
  const law = new Float64Array(lawFractions.length);
  for (let i = 0, at = 0; i <= LAST; i++) {
    const depth = lawDepths[i] as number;
    while (at < count - 1 && (mixedDepths[at] as number) < depth) at++;
    const inside = at > 0 && (mixedDepths[at] as number) > depth;
    law[i] = inside ? between(mixedDepths, mixedTimes, { at: depth, index: at - 1 }) : (mixedTimes[at] as number);
  }
  return law;
}
