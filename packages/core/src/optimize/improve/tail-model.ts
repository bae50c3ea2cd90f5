/**
 * Learns how many requests are late at a latency. Near the SLO, log(late ÷ allowed fraction) is roughly proportional to
 * log(latency ÷ SLO). Both are 0 if the percentile is at the SLO.
 */

const USUAL = 5;
const PRIOR_DEVIATION = 3;
const LEAST = 1;
const MOST = 50;
/** Runs count within this log(latency ÷ SLO). */
const FAR = 0.3;

export class TailModel {
  #products = USUAL / PRIOR_DEVIATION ** 2;
  #squares = 1 / PRIOR_DEVIATION ** 2;

  /** Change of the log of the late fraction per change of the log of the latency. */
  get slope(): number {
    return Math.max(LEAST, Math.min(MOST, this.#products / this.#squares));
  }

  /** Relative standard deviation of the slope. */
  get uncertainty(): number {
    return 1 / (Math.sqrt(this.#squares) * this.slope);
  }

  /** `logLate`: log(late ÷ allowed fraction), from this many late requests. */
  observe(logLatency: number, logLate: number, late: number): void {
    if (late < 1 || Math.abs(logLatency) > FAR) return;
    this.#products += late * logLatency * logLate;
    this.#squares += late * logLatency ** 2;
  }
}
