/** What a solver answers: the best choice it found with what is proven of it. */
import type { SurrogateOption } from './surrogate.js';

/** One option per stage in the order of the pipeline file; no `choice` means that none exists (if `optimal`) or none was found. */
export interface Solution {
  readonly choice?: readonly SurrogateOption[];
  readonly optimal: boolean;
  /** How far, as a fraction of the objective, any other choice could be better; 0 when optimal. */
  readonly gapFraction: number;
  readonly solver: string;
  readonly labels: number;
}
