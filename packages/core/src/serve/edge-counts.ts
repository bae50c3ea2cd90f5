/** Counts branches and fan-outs of edges, in constant memory. */
import type { EdgeCount } from '../model/decision.js';

export class EdgeCounts {
  readonly #offered: Float64Array;
  readonly #taken: Float64Array;
  readonly #fanOuts: Float64Array;
  readonly #items: Float64Array;
  #reported: readonly EdgeCount[] = [];

  constructor(edgeCount: number) {
    this.#offered = new Float64Array(edgeCount);
    this.#taken = new Float64Array(edgeCount);
    this.#fanOuts = new Float64Array(edgeCount);
    this.#items = new Float64Array(edgeCount);
  }

  branched(edge: number, isTaken: boolean): void {
    this.#offered[edge] = (this.#offered[edge] ?? 0) + 1;
    if (isTaken) this.#taken[edge] = (this.#taken[edge] ?? 0) + 1;
  }

  fannedOut(edge: number, items: number): void {
    this.#fanOuts[edge] = (this.#fanOuts[edge] ?? 0) + 1;
    this.#items[edge] = (this.#items[edge] ?? 0) + items;
  }

  get all(): readonly EdgeCount[] {
    return [...this.#offered].map((offered, edge) => ({
      offered,
      taken: this.#taken[edge] ?? 0,
      fanOuts: this.#fanOuts[edge] ?? 0,
      items: this.#items[edge] ?? 0,
    }));
  }

  /** Counts since the previous call, in edge order. */
  take(): readonly EdgeCount[] {
    const { all } = this;
    const fresh = all.map((now, edge) => difference(now, this.#reported[edge]));
    this.#reported = all;
    return fresh;
  }
}

function difference(now: EdgeCount, before: EdgeCount | undefined): EdgeCount {
  if (before === undefined) return now;
  return {
    offered: now.offered - before.offered,
    taken: now.taken - before.taken,
    fanOuts: now.fanOuts - before.fanOuts,
    items: now.items - before.items,
  };
}
