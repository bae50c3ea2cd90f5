/** Which processors the servers on this machine may run on: each new one gets those that have the fewest servers. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Processors that this process may use, from the system where it tells, else from 0 up. */
export function usableProcessors(): readonly number[] {
  try {
    const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    const processors = list.split(',').flatMap(rangeOf);
    if (processors.length > 0) return processors;
  } catch {
    // Not Linux.
  }
  return Array.from({ length: availableParallelism() }, (_, index) => index);
}

function rangeOf(text: string): readonly number[] {
  const [first = Number.NaN, last = first] = text.split('-').map(Number);
  return Number.isNaN(first) ? [] : Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Gives out processors and takes them back. */
export class ProcessorPool {
  readonly #servers: Map<number, number>;

  constructor(processors: readonly number[]) {
    this.#servers = new Map(processors.map((processor) => [processor, 0]));
  }

  /** As many processors as `cpuCores` rounded up; undefined when that is all there are. */
  take(cpuCores: number): readonly number[] | undefined {
    const count = Math.ceil(cpuCores);
    if (count >= this.#servers.size) return undefined;
    const taken = [...this.#servers].sort(([, a], [, b]) => a - b).slice(0, count);
    for (const [processor, servers] of taken) this.#servers.set(processor, servers + 1);
    return taken.map(([processor]) => processor);
  }

  give(processors: readonly number[] | undefined): void {
    for (const processor of processors ?? []) {
      this.#servers.set(processor, (this.#servers.get(processor) ?? 1) - 1);
    }
  }
}
