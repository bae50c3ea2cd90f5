/** Progress and remaining time on stderr. */

const MINUTE_MS = 60_000;

export class RunProgress {
  readonly #runs: number;
  readonly #startedAtMs = performance.now();
  #done = 0;
  #runMs = 0;

  constructor(runs: number) {
    this.#runs = runs;
  }

  /** Mean time of finished runs; 0 before the first. */
  get expectedRunMs(): number {
    return this.#runMs;
  }

  step(what: string): void {
    const leftMin = Math.ceil(((this.#runs - this.#done) * this.#runMs) / MINUTE_MS);
    const left = this.#done === 0 ? '' : `, about ${leftMin} min left`;
    process.stderr.write(`[${this.#done} of ${this.#runs} done${left}] ${what}\n`);
  }

  runDone(): void {
    this.#done += 1;
    this.#runMs = (performance.now() - this.#startedAtMs) / this.#done;
  }
}
