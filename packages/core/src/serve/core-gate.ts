/**
 * Bounds the replica threads that compute at once on one host, because CPU shares bound only the mean use. The pipeline
 * scheduler starts waiting replicas by earliest deadline.
 */

/** `cores` is Infinity if the replicas are not on this host. */
export class CoreGate {
  /** A lower value stops no running threads. */
  cores: number;
  #busyThreads = 0;

  constructor(cores: number) {
    this.cores = cores;
  }

  /** A single replica may always run, even with more threads than cores. */
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
