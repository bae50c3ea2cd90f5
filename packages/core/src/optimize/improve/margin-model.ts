/**
 * Learns how far a latency must be below the SLO for a conclusive full verification. Few requests exceed the
 * percentile, so intervals are wide. The posterior is kept on a grid of margins.
 */

/** Grid of margins, in log(latency ÷ SLO). */
const LEAST = -0.7;
const STEP = 0.02;
const USUAL = -0.015;
const PRIOR_DEVIATION = 0.1;
/**
 * `WIDTH`: distance from the margin within which verdicts vary. `ODD`: fraction of verdicts that no margin explains.
 */
const WIDTH = 0.03;
const ODD = 0.05;

const logistic = (z: number): number => 1 / (1 + Math.exp(-z));

export class MarginModel {
  readonly #margins = Array.from({ length: Math.round(-LEAST / STEP) + 1 }, (_, i) => LEAST + i * STEP);
  readonly #logs = this.#margins.map((margin) => -0.5 * ((margin - USUAL) / PRIOR_DEVIATION) ** 2);
  mean = 0;
  /** Combines the standard deviation of the margin with `WIDTH`. */
  deviation = 0;

  constructor() {
    this.#summarize();
  }

  observe(logRatio: number, holds: boolean): void {
    this.#margins.forEach((margin, i) => {
      const below = logistic((margin - logRatio) / WIDTH);
      this.#logs[i] = (this.#logs[i] as number) + Math.log(ODD / 2 + (1 - ODD) * (holds ? below : 1 - below));
    });
    this.#summarize();
  }

  #summarize(): void {
    const most = Math.max(...this.#logs);
    const weights = this.#logs.map((log) => Math.exp(log - most));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const average = (of: (margin: number) => number): number =>
      this.#margins.reduce((sum, margin, i) => sum + (weights[i] as number) * of(margin), 0) / total;
    this.mean = average((margin) => margin);
    this.deviation = Math.hypot(WIDTH, Math.sqrt(average((margin) => (margin - this.mean) ** 2)));
  }
}
