import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Processors that this process may use; from the system if it tells, else 0 and up. */
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

/** Assigns to each server the processors with the fewest servers. */
export class ProcessorPool {
  readonly #servers: Map<number, number>;

  constructor(processors: readonly number[]) {
    this.#servers = new Map(processors.map((processor) => [processor, 0]));
  }

  /** Returns `cpuCores` (rounded up) processors; undefined if that is all of them. */
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
