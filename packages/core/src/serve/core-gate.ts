/**
 * Limits the replica threads that compute at once on one host, because CPU shares only limit mean use. The pipeline
 * scheduler starts waiting replicas by earliest deadline.
 */

/** `cores` is Infinity if the replicas run elsewhere. */
export class CoreGate {
  /** A lower value stops no running threads. */
  cores: number;
  #busyThreads = 0;

  constructor(cores: number) {
    this.cores = cores;
  }

  /** A replica may run alone even if it has more threads than `cores`, and always if it has none. */
  admits(threads: number): boolean {
    return threads === 0 || this.#busyThreads === 0 || this.#busyThreads + threads <= this.cores;
  }

  enter(threads: number): void {
    this.#busyThreads += threads;
  }

  leave(threads: number): void {
    this.#busyThreads -= threads;
  }
}
