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

  /** `indices`: positions of the effects; −1 if unknown. */
  predict({ weights, deviations }: Effects, indices: Int32Array): Prediction {
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
    const deviation = Math.sqrt(Math.max(0, variance));
    return {
      ratio: { mean: ratio, deviation: this.#ratio.scale * deviation },
      evidence: this.#evidence.isKnown
        ? { mean: EVIDENCE_SPREAD * evidence, deviation: EVIDENCE_SPREAD * this.#evidence.scale * deviation }
        : undefined,
    };
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
