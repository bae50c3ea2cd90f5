/** Counts branches and fan-outs of edges, in constant memory. */
import type { EdgeCount, EdgeTally } from '../model/decision.js';
import type { VariantId } from '../model/ids.js';

class Tallies {
  readonly #offered: Float64Array;
  readonly #taken: Float64Array;
  readonly #fanOuts: Float64Array;
  readonly #items: Float64Array;
  #reported: readonly EdgeTally[] = [];

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

  get all(): readonly EdgeTally[] {
    return [...this.#offered].map((offered, edge) => ({
      offered,
      taken: this.#taken[edge] ?? 0,
      fanOuts: this.#fanOuts[edge] ?? 0,
      items: this.#items[edge] ?? 0,
    }));
  }

  take(): readonly EdgeTally[] {
    const { all } = this;
    const fresh = all.map((now, edge) => difference(now, this.#reported[edge]));
    this.#reported = all;
    return fresh;
  }
}

/** Counts by variant only what is reported with a variant. Sources count like branches of the requests. */
export class EdgeCounts {
  readonly #edgeCount: number;
  readonly #total: Tallies;
  readonly #byVariant = new Map<VariantId, Tallies>();

  constructor(edgeCount: number, sourceCount = 0) {
    this.#edgeCount = edgeCount;
    this.#total = new Tallies(edgeCount + sourceCount);
  }

  /** Counts a request with or without a part of this source. */
  entered(source: number, isThere: boolean): void {
    this.#total.branched(this.#edgeCount + source, isThere);
  }

  branched(edge: number, isTaken: boolean, variant?: VariantId): void {
    this.#total.branched(edge, isTaken);
    if (variant !== undefined) this.#of(variant).branched(edge, isTaken);
  }

  fannedOut(edge: number, items: number, variant?: VariantId): void {
    this.#total.fannedOut(edge, items);
    if (variant !== undefined) this.#of(variant).fannedOut(edge, items);
  }

  get all(): readonly EdgeCount[] {
    return this.#counts((tallies) => tallies.all).slice(0, this.#edgeCount);
  }

  /** Counts since the previous call, in the order of edges, then of sources. */
  take(): readonly EdgeCount[] {
    return this.#counts((tallies) => tallies.take());
  }

  #of(variant: VariantId): Tallies {
    const known = this.#byVariant.get(variant) ?? new Tallies(this.#edgeCount);
    this.#byVariant.set(variant, known);
    return known;
  }

  #counts(read: (tallies: Tallies) => readonly EdgeTally[]): readonly EdgeCount[] {
    const own = [...this.#byVariant].map(([variant, tallies]) => [variant, read(tallies)] as const);
    return read(this.#total).map((total, edge): EdgeCount => {
      const seen = own.flatMap(([variant, tallies]) => {
        const tally = tallies[edge];
        return tally !== undefined && tally.offered + tally.fanOuts > 0 ? [[variant, tally] as const] : [];
      });
      return seen.length === 0 ? total : { ...total, byVariant: Object.fromEntries(seen) };
    });
  }
}

function difference(now: EdgeTally, before: EdgeTally | undefined): EdgeTally {
  if (before === undefined) return now;
  return {
    offered: now.offered - before.offered,
    taken: now.taken - before.taken,
    fanOuts: now.fanOuts - before.fanOuts,
    items: now.items - before.items,
  };
}
