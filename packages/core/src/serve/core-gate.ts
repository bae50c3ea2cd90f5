/**
 * Bounds the replica threads that compute at once on one host. Shares below one core bound the mean use, not the
 * moment. Waiting replicas start by earliest deadline (see the pipeline scheduler).
 */

/** Counts running threads; `cores` is Infinity if the replicas are not on this host. */
export class CoreGate {
  /** May change at any time; running threads stay. */
  cores: number;
  #busyThreads = 0;

  constructor(cores: number) {
    this.cores = cores;
  }

  /** Allows `threads` more threads; a single replica may always run, even with more threads than cores. */
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
