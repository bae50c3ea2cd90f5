/**
 * Measures what a batch costs the CPU share of its replica: CPU time, but no waits for a core that other processes hold.
 * The handling of messages counts for the next batch.
 */
import { openSync, readSync } from 'node:fs';

export class CpuMeter {
  readonly #cpuMs: () => number | undefined;
  readonly #idleMs: () => number;
  #cpuAtMs: number | undefined;
  #idleAtMs = 0;

  /** `idleMs`: time so far in which the event loop waited. The wait during a batch counts like CPU time. */
  constructor(cpuMs: () => number | undefined, idleMs: () => number = () => 0) {
    this.#cpuMs = cpuMs;
    this.#idleMs = idleMs;
  }

  batchStarted(): void {
    this.#cpuAtMs ??= this.#cpuMs();
    this.#idleAtMs = this.#idleMs();
  }

  /** Cost in ms of the batch; undefined if the system does not report CPU times. */
  batchEnded(): number | undefined {
    const beforeMs = this.#cpuAtMs;
    this.#cpuAtMs = this.#cpuMs();
    if (beforeMs === undefined || this.#cpuAtMs === undefined) return undefined;
    return this.#cpuAtMs - beforeMs + this.#idleMs() - this.#idleAtMs;
  }
}

/** A batch of a thread may wait for helper threads, whose CPU time the system does not attribute to it. */
export function threadCpuMeter(): CpuMeter {
  return new CpuMeter(threadCpuMs, () => performance.eventLoopUtilization().idle);
}

export function processCpuMeter(): CpuMeter {
  return new CpuMeter(() => milliseconds(process.cpuUsage()));
}

const statistics = Buffer.alloc(128);
let descriptor: number | undefined;

/** CPU time of this thread so far, in ms; undefined if neither Node nor the kernel reports it. */
export function threadCpuMs(): number | undefined {
  const { threadCpuUsage } = process as { readonly threadCpuUsage?: () => NodeJS.CpuUsage };
  if (threadCpuUsage !== undefined) return milliseconds(threadCpuUsage());
  try {
    descriptor ??= openSync('/proc/thread-self/schedstat', 'r');
    const length = readSync(descriptor, statistics, 0, statistics.length, 0);
    const [nanoseconds] = statistics.toString('latin1', 0, length).split(' ');
    // A kernel without scheduler statistics reports 0.
    return Number(nanoseconds) / 1e6 || undefined;
  } catch {
    return undefined;
  }
}

const milliseconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1000;
