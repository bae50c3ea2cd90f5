/**
 * Learns the margin below the SLO that a latency needs for a conclusive full verification. Intervals are wide because
 * few requests lie beyond the percentile. Keeps a posterior on a grid of margins.
 */

/** Grid of margins: log ratios of latency to SLO. */
const LEAST = -0.7;
const STEP = 0.02;
const USUAL = -0.015;
const PRIOR_DEVIATION = 0.1;
/** Width around the margin within which a verdict is open, and fraction of verdicts that no margin explains. */
const WIDTH = 0.03;
const ODD = 0.05;

const logistic = (z: number): number => 1 / (1 + Math.exp(-z));

export class MarginModel {
  readonly #margins = Array.from({ length: Math.round(-LEAST / STEP) + 1 }, (_, i) => LEAST + i * STEP);
  readonly #logs = this.#margins.map((margin) => -0.5 * ((margin - USUAL) / PRIOR_DEVIATION) ** 2);
  mean = 0;
  /** Combined standard deviation of the margin and of verdicts near it. */
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
