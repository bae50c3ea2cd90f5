/** What the edges of a graph did: the facts from which branch probabilities and fan-out sizes are learned. In constant memory. */

/** Counts of one edge; those that its kind does not have are 0. */
export interface EdgeCount {
  /** Outputs of the stage in front of an edge with `when`, and those of them that took it. */
  readonly offered: number;
  readonly taken: number;
  /** Outputs that were fanned out, and the items they gave. */
  readonly fanOuts: number;
  readonly items: number;
}

/** Counts by edge index, in the order of the pipeline's edges. */
export class EdgeCounts {
  readonly #offered: Float64Array;
  readonly #taken: Float64Array;
  readonly #fanOuts: Float64Array;
  readonly #items: Float64Array;

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

  /** The counts so far, by edge. */
  get all(): readonly EdgeCount[] {
    return [...this.#offered].map((offered, edge) => ({
      offered,
      taken: this.#taken[edge] ?? 0,
      fanOuts: this.#fanOuts[edge] ?? 0,
      items: this.#items[edge] ?? 0,
    }));
  }
}
