/**
 * Corrects expected latencies by Bayesian linear regression of log(simulated ÷ expected). Each stage has three effects:
 * variant, shape (cores and batch size) and exact option. Their weight is the stage's fraction of the latency. Choices
 * with common effects learn from each other; an unobserved effect keeps its prior (hierarchical shrinkage).
 */

/** Effects on a choice, by position: name, weight, and prior standard deviation. */
export interface Effects {
  readonly keys: readonly string[];
  readonly weights: Float64Array;
  readonly deviations: Float64Array;
}

export interface LogRatio {
  readonly mean: number;
  readonly deviation: number;
}

/** Maximum number of learned effects. An update costs the square of that number. */
const MOST_EFFECTS = 1000;
/**
 * `TRUSTED`: weight of the prior, in observations. `MOST_SURPRISE`: upper bound of squared prediction error ÷ variance.
 */
const TRUSTED = 4;
const MOST_SURPRISE = 25;

export class LatencyModel {
  readonly #indices = new Map<string, number>();
  readonly #means: number[] = [];
  readonly #covariance: Float64Array[] = [];
  #capacity = 0;
  #squares = TRUSTED;
  #observations = TRUSTED;

  /** Observed ÷ expected size of prediction errors. It scales all deviations. */
  get #scale(): number {
    return Math.sqrt(this.#squares / this.#observations);
  }

  get size(): number {
    return this.#means.length;
  }

  indexOf(key: string): number {
    return this.#indices.get(key) ?? -1;
  }

  meanOf(key: string): number {
    return this.#means[this.indexOf(key)] ?? 0;
  }

  /** `indices`: positions of the effects; −1 if unknown. */
  predict({ weights, deviations }: Effects, indices: Int32Array): LogRatio {
    let mean = 0;
    let variance = 0;
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i] as number;
      const weight = weights[i] as number;
      if (index < 0) {
        variance += (weight * (deviations[i] as number)) ** 2;
        continue;
      }
      mean += weight * (this.#means[index] as number);
      const row = this.#covariance[index] as Float64Array;
      for (let j = 0; j < indices.length; j++) {
        const other = indices[j] as number;
        if (other >= 0) variance += weight * (weights[j] as number) * (row[other] as number);
      }
    }
    return { mean, deviation: this.#scale * Math.sqrt(Math.max(0, variance)) };
  }

  /** One Kalman update. `noise`: standard deviation of the observed log ratio. */
  observe({ keys, weights, deviations }: Effects, logRatio: number, noise: number): void {
    const known: { index: number; weight: number }[] = [];
    let unknown = noise ** 2;
    keys.forEach((key, i) => {
      const index = this.#indexFor(key, deviations[i] as number);
      const weight = weights[i] as number;
      if (index >= 0) known.push({ index, weight });
      else unknown += (weight * (deviations[i] as number)) ** 2;
    });
    const count = this.#means.length;
    const gain = new Float64Array(count);
    for (const { index, weight } of known) {
      const row = this.#covariance[index] as Float64Array;
      for (let j = 0; j < count; j++) gain[j] = (gain[j] as number) + weight * (row[j] as number);
    }
    let variance = unknown;
    let surprise = logRatio;
    for (const { index, weight } of known) {
      variance += weight * (gain[index] as number);
      surprise -= weight * (this.#means[index] as number);
    }
    this.#squares += Math.min(MOST_SURPRISE, surprise ** 2 / variance);
    this.#observations += 1;
    for (let i = 0; i < count; i++) {
      const part = (gain[i] as number) / variance;
      if (part === 0) continue;
      this.#means[i] = (this.#means[i] as number) + part * surprise;
      const row = this.#covariance[i] as Float64Array;
      for (let j = 0; j < count; j++) row[j] = (row[j] as number) - part * (gain[j] as number);
    }
  }

  #indexFor(key: string, deviation: number): number {
    const before = this.#indices.get(key);
    if (before !== undefined) return before;
    const index = this.#means.length;
    if (index >= MOST_EFFECTS) return -1;
    if (index >= this.#capacity) this.#grow();
    this.#indices.set(key, index);
    this.#means.push(0);
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
