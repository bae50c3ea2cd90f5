/** What the edges of a graph did, counted: the facts from which branch probabilities and fan-out sizes are learned. */
import type { StageId } from './ids.js';

/** Counts of one edge; those that its kind does not have are 0. */
export interface EdgeCount {
  /** Outputs of the stage in front of an edge with `when`, and those of them that took it. */
  readonly offered: number;
  readonly taken: number;
  /** Outputs that were fanned out, and the items they gave. */
  readonly fanOuts: number;
  readonly items: number;
}

/** What traffic has taught of an edge, which counts in place of what the pipeline file says. Plain data. */
export interface LearnedEdge {
  /** Its index in the pipeline's edges. */
  readonly edge: number;
  readonly from: StageId;
  readonly to: StageId;
  readonly kind: 'fan-out' | 'branch';
  /** Mean number of items that a fan-out gives, or the share (0…1) of the outputs that take a branch. */
  readonly value: number;
  /** The same by the pipeline file. */
  readonly stated: number;
  /** Of `value`, at the moment when it was taken over, and the outputs that it was learned from. */
  readonly standardError: number;
  readonly outputs: number;
}
