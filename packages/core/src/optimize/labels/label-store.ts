import { sortByKey } from './pareto-filter.js';
import type { BoundedProblem } from './step-terms.js';

/** Labels of one cut in flat arrays: slots, then amounts, then the negated score of each class (see cut-layout). */
export class LabelStore {
  readonly dims: number;
  coordinates: Float64Array;
  /** See `collectedWorth`. */
  collected: Float64Array;
  relaxedScore: Float64Array;
  /** Index of the parent label in the previous cut. */
  parent: Int32Array;
  option: Int32Array;
  count = 0;

  constructor(dims: number, room: number) {
    this.dims = dims;
    this.coordinates = new Float64Array(dims * room);
    this.collected = new Float64Array(room);
    this.relaxedScore = new Float64Array(room);
    this.parent = new Int32Array(room);
    this.option = new Int32Array(room);
  }

  reserve(): void {
    if (this.count < this.parent.length) return;
    const larger = new LabelStore(this.dims, this.parent.length * 2);
    larger.copyFrom(this);
    this.coordinates = larger.coordinates;
    this.collected = larger.collected;
    this.relaxedScore = larger.relaxedScore;
    this.parent = larger.parent;
    this.option = larger.option;
  }

  copyFrom(other: LabelStore): void {
    this.coordinates.set(other.coordinates);
    this.collected.set(other.collected);
    this.relaxedScore.set(other.relaxedScore);
    this.parent.set(other.parent);
    this.option.set(other.option);
    this.count = other.count;
  }

  pick(indices: Uint32Array): LabelStore {
    const { dims } = this;
    const out = new LabelStore(dims, Math.max(1, indices.length));
    out.count = indices.length;
    for (let i = 0; i < indices.length; i++) {
      const from = indices[i] as number;
      for (let d = 0; d < dims; d++) out.coordinates[i * dims + d] = this.coordinates[from * dims + d] as number;
      out.collected[i] = this.collected[from] as number;
      out.relaxedScore[i] = this.relaxedScore[from] as number;
      out.parent[i] = this.parent[from] as number;
      out.option[i] = this.option[from] as number;
    }
    return out;
  }

  byWorth(): Uint32Array {
    let most = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < this.count; i++) most = Math.max(most, this.collected[i] as number);
    const missing = new Float64Array(this.count);
    for (let i = 0; i < this.count; i++) missing[i] = most - (this.collected[i] as number);
    return sortByKey(missing, this.count, { stride: 1, offset: 0 });
  }
}

/** The single label before the first node. */
export function rootLabels({
  problem,
  layout,
  relaxed,
}: Pick<BoundedProblem, 'problem' | 'layout' | 'relaxed'>): LabelStore {
  const amounts = problem.amounts.length;
  const root = new LabelStore(amounts + layout.firstClasses.length, 1);
  root.count = 1;
  layout.firstClasses.forEach((probability, c) => {
    root.coordinates[amounts + c] = -Math.log(probability);
  });
  root.relaxedScore[0] = relaxed.constant;
  return root;
}
