/**
 * Service variation of a request's own batch. The sojourn table counts that batch at its mean c: T₀ = W + c, with wait
 * W. The sojourn time is W + c·X, where X (mean 1) is independent of W and c. Large batches make long sojourns, so c
 * depends on T₀. Measurements give c ≈ 0.88·T₀, between the times of the smallest and the full batch.
 */
import { lawMeanMs, lawQuantileMs, lawVariationSquared, type ServiceLaw } from '../profile/service-law.js';
import { lawDepths, lawFractions, lawMean, lawQuantile, type SojournLaw } from './sojourn-law.js';

/** Times in ms. A request waits for the slowest of `parallelBatches` (at least 1). */
export interface OwnService {
  readonly law: ServiceLaw;
  readonly leastMs: number;
  readonly fullMs: number;
  readonly parallelBatches: number;
}

/** Measured: 0.8 (two replicas) to 0.97 (twelve). One value for all ensures that more replicas are never slower. */
const OWN_PART = 0.88;

/** Fractions that bound the parts of X: fewer if X varies little. */
const fineFractions: readonly number[] = [0, 0.15, 0.4, 0.65, 0.83, 0.93, 0.975, 0.992, 0.998, 0.9997];
const coarseFractions: readonly number[] = [0, 0.3, 0.7, 0.93, 0.99, 0.9997];
const COARSE_VARIATION_SQUARED = 0.03;
const LEAST_WIDTH = 1e-6;
const MOST_STEPS = 40;
/** `WITHIN`: relative precision of a time. `LEAST_FRACTION` keeps logs of fractions finite. */
const WITHIN = 1e-6;
const LEAST_FRACTION = 1e-12;

/** Parts of X: bounds, means within them (Simpson) and weights. The weight of the last part is the rest. */
interface Factors {
  readonly bounds: Float64Array;
  readonly means: Float64Array;
  readonly weights: Float64Array;
}

const factorsByLaw = new WeakMap<ServiceLaw, Factors>();

function drawnFactors(law: ServiceLaw, parallelBatches: number): Factors {
  const fractions = lawVariationSquared(law) < COARSE_VARIATION_SQUARED ? coarseFractions : fineFractions;
  const meanMs = lawMeanMs(law);
  const factorAt = (fraction: number): number => lawQuantileMs(law, fraction ** (1 / parallelBatches)) / meanMs;
  const count = fractions.length - 1;
  const bounds = new Float64Array(count + 1);
  const means = new Float64Array(count);
  const weights = new Float64Array(count);
  for (let j = 0; j <= count; j++) bounds[j] = factorAt(fractions[j] as number);
  for (let j = 0; j < count; j++) {
    const from = fractions[j] as number;
    const to = fractions[j + 1] as number;
    means[j] = ((bounds[j] as number) + 4 * factorAt((from + to) / 2) + (bounds[j + 1] as number)) / 6;
    weights[j] = (j === count - 1 ? 1 : to) - from;
  }
  return { bounds, means, weights };
}

function factorsOf({ law, parallelBatches }: OwnService): Factors {
  if (parallelBatches > 1) return drawnFactors(law, parallelBatches);
  const known = factorsByLaw.get(law);
  if (known !== undefined) return known;
  const drawn = drawnFactors(law, 1);
  factorsByLaw.set(law, drawn);
  return drawn;
}

/** Mean service time (ms) of the own batch, given the sojourn time of the request. */
export function ownMs(own: Omit<OwnService, 'law' | 'parallelBatches'>, sojournMs: number): number {
  const likelyMs = Math.min(own.fullMs, OWN_PART * sojournMs);
  return Math.min(sojournMs, Math.max(own.leastMs, likelyMs));
}

const lawWeights = lawFractions.map((fraction, i) => (lawFractions[i + 1] ?? 1) - fraction);

/** Position of the mean within each part (0…1), if times are linear in −ln(1 − fraction). */
const lawPlaces = lawFractions.map((_, i) => {
  const depth = i === lawFractions.length - 1 ? Math.LN10 : (lawDepths[i + 1] as number) - (lawDepths[i] as number);
  return 1 / depth - 1 / Math.expm1(depth);
});

/** Upper end of part `i`. The last part is as wide as the part before it, as for exponential tails. */
function partEndMs(law: SojournLaw, i: number): number {
  const last = law[law.length - 1] as number;
  return law[i + 1] ?? 2 * last - (law[law.length - 2] as number);
}

/** Mean sojourn time (ms). Variation only changes it if a request waits for the slowest of several batches. */
export function variedMean(law: SojournLaw, own: OwnService): number {
  const meanMs = lawMean(law);
  if (own.parallelBatches === 1) return meanMs;
  const { means, weights } = factorsOf(own);
  const factor = weights.reduce((sum, weight, j) => sum + weight * (means[j] as number), 0);
  return meanMs + Math.max(0, factor - 1) * ownMs(own, meanMs);
}

/**
 * Upper end, 1 ÷ width and weight of each part of one law. Laws share the buffer, because a planner makes thousands and
 * uses most only once.
 */
const parts = new Float64Array(3 * lawFractions.length * (fineFractions.length - 1));
let partsOf: VariedLaw | undefined;

/** Sum of parts with uniform density. Across each part, the fraction above a time falls linearly from 1 to 0. */
export class VariedLaw {
  #count = 0;
  #lowMs = Number.POSITIVE_INFINITY;
  #highMs = 0;
  readonly #law: SojournLaw;
  readonly #own: OwnService;

  constructor(law: SojournLaw, own: OwnService) {
    this.#law = law;
    this.#own = own;
  }

  #fillParts(): void {
    partsOf = this;
    this.#count = 0;
    const law = this.#law;
    const own = this.#own;
    const factors = factorsOf(own);
    let flatWeight = 0;
    for (let i = 0; i < law.length; i++) {
      const weight = flatWeight + (lawWeights[i] as number);
      // Equal consecutive parts are merged.
      const repeats = i < law.length - 1 && partEndMs(law, i + 1) <= (law[i] as number);
      if (!repeats) this.#addParts(factors, own, { index: i, weight });
      flatWeight = repeats ? weight : 0;
    }
  }

  #addParts({ bounds, means, weights }: Factors, own: OwnService, at: { index: number; weight: number }): void {
    const fromMs = this.#law[at.index] as number;
    const toMs = partEndMs(this.#law, at.index);
    const fromOwnMs = ownMs(own, fromMs);
    const place = lawPlaces[at.index] as number;
    const stepPerFactorMs = ownMs(own, toMs) - fromOwnMs;
    const ownMiddleMs = fromOwnMs + place * stepPerFactorMs;
    const waitMs = fromMs + place * (toMs - fromMs) - ownMiddleMs;
    let count = this.#count;
    for (let j = 0; j < means.length; j++) {
      const factor = means[j] as number;
      const spreadMs = ownMiddleMs * ((bounds[j + 1] as number) - (bounds[j] as number));
      const stepMs = toMs - fromMs + (factor - 1) * stepPerFactorMs;
      const middleMs = waitMs + ownMiddleMs * factor;
      const halfMs = Math.max(Math.sqrt(spreadMs * spreadMs + stepMs * stepMs) / 2, LEAST_WIDTH * middleMs);
      parts[count++] = middleMs + halfMs;
      parts[count++] = 1 / (2 * halfMs);
      parts[count++] = at.weight * (weights[j] as number);
      if (middleMs - halfMs < this.#lowMs) this.#lowMs = middleMs - halfMs;
      if (middleMs + halfMs > this.#highMs) this.#highMs = middleMs + halfMs;
    }
    this.#count = count;
  }

  #fractionAbove(ms: number): number {
    const count = this.#count;
    let above = 0;
    for (let i = 0; i < count; i += 3) {
      const left = (parts[i] as number) - ms;
      if (left > 0) above += (parts[i + 2] as number) * Math.min(1, left * (parts[i + 1] as number));
    }
    return above;
  }

  /** Time (ms) that a `fraction` (0…1) of requests does not exceed. */
  quantileMs(fraction: number): number {
    if (fraction >= 1) return Number.POSITIVE_INFINITY;
    if (partsOf !== this) this.#fillParts();
    if (fraction <= 0) return this.#lowMs;
    const target = Math.log1p(-fraction);
    const near = Math.min(this.#highMs, Math.max(this.#lowMs, lawQuantile(this.#law, fraction)));
    return fallingRoot((ms) => Math.log(this.#fractionAbove(ms) + LEAST_FRACTION) - target, {
      low: this.#lowMs,
      lowValue: -target,
      near,
      high: this.#highMs,
      highValue: Math.log(LEAST_FRACTION) - target,
    });
  }

  law(): SojournLaw {
    return Float64Array.from(lawFractions, (fraction) => this.quantileMs(fraction));
  }
}

interface Bracket {
  readonly low: number;
  readonly lowValue: number;
  readonly near: number;
  readonly high: number;
  readonly highValue: number;
}

/** Root of a falling function. Starts at `near`; Illinois variant of regula falsi. */
function fallingRoot(valueAt: (x: number) => number, bracket: Bracket): number {
  let { low: a, lowValue: fa, near: x, high: b, highValue: fb } = bracket;
  let kept = 0;
  for (let step = 0; step < MOST_STEPS && b - a > WITHIN * b; step++) {
    const value = valueAt(x);
    if (Math.abs(value) < WITHIN) return x;
    if (value > 0) {
      a = x;
      fa = value;
      if (kept > 0) fb /= 2;
    } else {
      b = x;
      fb = value;
      if (kept < 0) fa /= 2;
    }
    kept = value > 0 ? 1 : -1;
    x = (a * fb - b * fa) / (fb - fa);
  }
  return x;
}
