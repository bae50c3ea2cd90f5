/** A choice of one option per stage, in the order of the pipeline file. */
import type { SurrogateOption } from './surrogate.js';

/** Options per stage. */
export type SurrogateChoice = readonly SurrogateOption[];

/** The same text for the same plan. */
export const choiceKey = (choice: SurrogateChoice): string =>
  choice.map(({ option: o }) => [o.variantIndex, o.resources.cpuCores, o.maxBatchSize, o.replicas].join('/')).join(' ');
