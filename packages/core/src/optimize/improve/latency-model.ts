/**
 * Learns from simulations by Bayesian linear regression: log(simulated ÷ expected latency), and the log of the evidence
 * per unit of work. Each stage has three effects: variant, shape (cores and batch size) and exact option. Their weight
 * is the stage's fraction of the latency.
 */

/** Effects on a choice, by position: name, weight, and prior standard deviation. */
export interface Effects {
  readonly keys: readonly string[];
  readonly weights: Float64Array;
  readonly deviations: Float64Array;
}

export interface Predicted {
  readonly mean: number;
  readonly deviation: number;
}

/** `ratio`: log(simulated ÷ expected latency). `evidence`: log of the evidence; undefined if unknown. */
export interface Prediction {
  readonly ratio: Predicted;
  readonly evidence: Predicted | undefined;
}

/**
 * Prediction for one choice, kept between observations. An observation changes the moments of a sum of effects by one
 * product of the gain with the weights, which costs less than their covariance.
 */
export class TrackedSum {
  readonly effects: Effects;
  /** Positions of the effects in the model; −1 if unknown. */
  readonly indices: Int32Array;
  /** Number of observations and of effects of the model that the moments include; −1 before the first prediction. */
  observations = -1;
  size = -1;
  ratio = 0;
  evidence = 0;
  variance = 0;

  constructor(effects: Effects) {
    this.effects = effects;
    this.indices = new Int32Array(effects.keys.length).fill(-1);
  }
}

/** An observation, as it changes the effects. */
interface Update {
  readonly gain: Float64Array;
  readonly variance: number;
  readonly ratioStep: number;
  readonly evidenceStep: number;
}

/** Maximum number of learned effects. An update costs the square of that number. */
const MOST_EFFECTS = 1000;
/**
 * `TRUSTED`: weight of the prior, in observations. `MOST_SURPRISE`: upper bound of squared prediction error ÷ variance.
 */
const TRUSTED = 4;
const MOST_SURPRISE = 25;
/** Deviations of the log of the evidence, relative to those of the latency. */
const EVIDENCE_SPREAD = 4;

/** One learned quantity. The covariance of its effects is common to all quantities. */
class Quantity {
  readonly means: number[] = [];
  #squares = TRUSTED;
  #observations = TRUSTED;

  get isKnown(): boolean {
    return this.#observations > TRUSTED;
  }

  /** Observed ÷ expected size of prediction errors. It scales all deviations. */
  get scale(): number {
    return Math.sqrt(this.#squares / this.#observations);
  }

  observe(surprise: number, variance: number, gain: Float64Array): void {
    this.#squares += Math.min(MOST_SURPRISE, surprise ** 2 / variance);
    this.#observations += 1;
    for (let i = 0; i < gain.length; i++)
      this.means[i] = (this.means[i] as number) + ((gain[i] as number) * surprise) / variance;
  }
}

export interface Observed {
  readonly logRatio: number;
  readonly logEvidence: number | undefined;
  readonly noise: number;
}

export class LatencyModel {
  readonly #indices = new Map<string, number>();
  readonly #ratio = new Quantity();
  readonly #evidence = new Quantity();
  readonly #covariance: Float64Array[] = [];
  readonly #firstDeviations: number[] = [];
  readonly #updates: Update[] = [];
  #capacity = 0;

  get size(): number {
    return this.#covariance.length;
  }

  indexOf(key: string): number {
    return this.#indices.get(key) ?? -1;
  }

  meanOf(key: string): number {
    return this.#ratio.means[this.indexOf(key)] ?? 0;
  }

  predict(sum: TrackedSum): Prediction {
    this.#refresh(sum);
    const deviation = Math.sqrt(Math.max(0, sum.variance));
    return {
      ratio: { mean: sum.ratio, deviation: this.#ratio.scale * deviation },
      evidence: this.#evidence.isKnown
        ? { mean: EVIDENCE_SPREAD * sum.evidence, deviation: EVIDENCE_SPREAD * this.#evidence.scale * deviation }
        : undefined,
    };
  }

  /** True if no observation had one of the effects. */
  hasUnknown(sum: TrackedSum): boolean {
    this.#index(sum);
    return sum.indices.some((index) => index < 0);
  }

  #refresh(sum: TrackedSum): void {
    this.#index(sum);
    const behind = this.#updates.length - sum.observations;
    if (behind === 0) return;
    // Each missed observation costs one product with the weights, and the whole covariance one for each weight.
    if (sum.observations < 0 || behind > sum.indices.length) this.#sum(sum);
    else for (let at = sum.observations; at < this.#updates.length; at++) apply(this.#updates[at] as Update, sum);
    sum.observations = this.#updates.length;
  }

  /** Finds effects that became known. Until an observation has them, their variance is that of the prior. */
  #index(sum: TrackedSum): void {
    if (sum.size === this.size) return;
    const { indices, effects } = sum;
    for (let i = 0; i < indices.length; i++) {
      if ((indices[i] as number) >= 0) continue;
      const index = this.indexOf(effects.keys[i] as string);
      indices[i] = index;
      if (index < 0) continue;
      const weight = effects.weights[i] as number;
      const [own, first] = [effects.deviations[i] as number, this.#firstDeviations[index] as number];
      sum.variance += weight ** 2 * (first ** 2 - own ** 2);
    }
    sum.size = this.size;
  }

  #sum(sum: TrackedSum): void {
    const { indices } = sum;
    const { weights, deviations } = sum.effects;
    let ratio = 0;
    let evidence = 0;
    let variance = 0;
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i] as number;
      const weight = weights[i] as number;
      if (index < 0) {
        variance += (weight * (deviations[i] as number)) ** 2;
        continue;
      }
      ratio += weight * (this.#ratio.means[index] as number);
      evidence += weight * (this.#evidence.means[index] as number);
      const row = this.#covariance[index] as Float64Array;
      for (let j = 0; j < indices.length; j++) {
        const other = indices[j] as number;
        if (other >= 0) variance += weight * (weights[j] as number) * (row[other] as number);
      }
    }
    Object.assign(sum, { ratio, evidence, variance });
  }

  /** One Kalman update. `noise`: standard deviation of the observed log ratio. `logEvidence` may be unknown. */
  observe({ keys, weights, deviations }: Effects, { logRatio, logEvidence, noise }: Observed): void {
    const known: { index: number; weight: number }[] = [];
    let unknown = noise ** 2;
    keys.forEach((key, i) => {
      const index = this.#indexFor(key, deviations[i] as number);
      const weight = weights[i] as number;
      if (index >= 0) known.push({ index, weight });
      else unknown += (weight * (deviations[i] as number)) ** 2;
    });
    const count = this.size;
    const gain = new Float64Array(count);
    for (const { index, weight } of known) {
      const row = this.#covariance[index] as Float64Array;
      for (let j = 0; j < count; j++) gain[j] = (gain[j] as number) + weight * (row[j] as number);
    }
    let variance = unknown;
    let ratio = logRatio;
    let evidence = (logEvidence ?? 0) / EVIDENCE_SPREAD;
    for (const { index, weight } of known) {
      variance += weight * (gain[index] as number);
      ratio -= weight * (this.#ratio.means[index] as number);
      evidence -= weight * (this.#evidence.means[index] as number);
    }
    this.#ratio.observe(ratio, variance, gain);
    if (logEvidence !== undefined) this.#evidence.observe(evidence, variance, gain);
    const evidenceStep = logEvidence === undefined ? 0 : evidence / variance;
    this.#updates.push({ gain, variance, ratioStep: ratio / variance, evidenceStep });
    for (let i = 0; i < count; i++) {
      const part = (gain[i] as number) / variance;
      if (part === 0) continue;
      const row = this.#covariance[i] as Float64Array;
      for (let j = 0; j < count; j++) row[j] = (row[j] as number) - part * (gain[j] as number);
    }
  }

  #indexFor(key: string, deviation: number): number {
    const before = this.#indices.get(key);
    if (before !== undefined) return before;
    const index = this.size;
    if (index >= MOST_EFFECTS) return -1;
    if (index >= this.#capacity) this.#grow();
    this.#indices.set(key, index);
    this.#ratio.means.push(0);
    this.#evidence.means.push(0);
    this.#firstDeviations.push(deviation);
    const row = new Float64Array(this.#capacity);
    row[index] = deviation ** 2;
    this.#covariance.push(row);
    return index;
  }

  #grow(): void {
    this.#capacity = Math.max(64, 2 * this.#capacity);
    this.#covariance.forEach((row, i) => {
      const larger = new Float64Array(this.#capacity);
      larger.set(row);
      this.#covariance[i] = larger;
    });
  }
}

function apply({ gain, variance, ratioStep, evidenceStep }: Update, sum: TrackedSum): void {
  const { indices } = sum;
  const { weights } = sum.effects;
  let shared = 0;
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i] as number;
    // Later observations may have brought more effects.
    if (index >= 0 && index < gain.length) shared += (weights[i] as number) * (gain[index] as number);
  }
  sum.ratio += shared * ratioStep;
  sum.evidence += shared * evidenceStep;
  sum.variance -= (shared * shared) / variance;
}
