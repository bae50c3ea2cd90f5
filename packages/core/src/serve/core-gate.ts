/**
 * Limits the replica threads that compute at once on one host: CPU shares only limit the mean use. The pipeline
 * scheduler starts waiting replicas by earliest deadline.
 */

/** `cores` is Infinity if the replicas run elsewhere. */
export class CoreGate {
  /** Lowering it stops no running threads. */
  cores: number;
  #busyThreads = 0;

  constructor(cores: number) {
    this.cores = cores;
  }

  /** One replica may always run, even with more threads than cores. */
  admits(threads: number): boolean {
    return this.#busyThreads === 0 || this.#busyThreads + threads <= this.cores;
  }

  enter(threads: number): void {
    this.#busyThreads += threads;
  }

  leave(threads: number): void {
    this.#busyThreads -= threads;
  }
}
