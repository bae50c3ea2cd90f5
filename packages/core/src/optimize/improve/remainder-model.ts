/**
 * Learns how far similar choices lie apart, beyond what the effects of their options explain. All simulations have the
 * same arrivals, so similar choices are lucky together, and the longest runs show it. The posterior is kept on a grid.
 */

/** Grid of standard deviations of the log of the latency. Each is half of the one before. */
const LARGEST = 0.1;
const COUNT = 6;
/** Degrees of freedom of the errors (Student's t): some are much larger than expected. */
const DEGREES = 4;
/** Prior standard deviation of the shift. Larger changes than `MOST_CHANGE` count as that. */
const USUAL_SHIFT = 0.02;
const MOST_CHANGE = 0.1;

export class RemainderModel {
  readonly #deviations = Array.from({ length: COUNT }, (_, i) => LARGEST / 2 ** i);
  readonly #logs = this.#deviations.map(() => 0);
  #changes = 0;
  #precision = 1 / USUAL_SHIFT ** 2;
  /** Standard deviation between similar choices. */
  deviation = 0;

  constructor() {
    this.#summarize();
  }

  /** Mean change of the log of the latency from shorter runs to the longest ones. */
  get shift(): number {
    return this.#changes / this.#precision;
  }

  /** `error`: log(observed ÷ predicted latency). `known`: standard deviation of the prediction and of the run. */
  observe(error: number, known: number): void {
    this.#deviations.forEach((deviation, i) => {
      const variance = deviation ** 2 + known ** 2;
      const surprise = ((DEGREES + 1) / 2) * Math.log1p(error ** 2 / (DEGREES * variance));
      this.#logs[i] = (this.#logs[i] as number) - 0.5 * Math.log(variance) - surprise;
    });
    this.#summarize();
  }

  /** `change`: log(latency of a longest run ÷ prediction by shorter ones). `known`: its standard deviation. */
  observeLongest(change: number, known: number): void {
    this.#changes += Math.max(-MOST_CHANGE, Math.min(MOST_CHANGE, change)) / known ** 2;
    this.#precision += 1 / known ** 2;
  }

  #summarize(): void {
    const most = Math.max(...this.#logs);
    const weights = this.#logs.map((log) => Math.exp(log - most));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const squares = this.#deviations.reduce((sum, each, i) => sum + (weights[i] as number) * each ** 2, 0);
    this.deviation = Math.sqrt(squares / total);
  }
}
