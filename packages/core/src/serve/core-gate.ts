/**
 * How many replica threads may compute at once on one host. Shares below one core bound the mean use, not the moment; the gate
 * bounds the moment. Who waits at the gate is served earliest deadline first (by the pipeline scheduler).
 */

/** Counts the threads that run; `cores` is Infinity where the replicas are not on this host. */
export class CoreGate {
  /** May change while threads run: those that are in stay in. */
  cores: number;
  #busyThreads = 0;

  constructor(cores: number) {
    this.cores = cores;
  }

  /** Whether `threads` more may run now; one replica may always run, even if it has more threads than the host has cores. */
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
