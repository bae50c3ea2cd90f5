/** How urgent requests are: priorities 1, 2, … as clients state them, 1 the most urgent; inside, levels 0, 1, … in the same order. */

/** The priorities of a pipeline. */
export interface PrioritySpec {
  /**
   * By priority, most urgent first: the least fraction (0…1) of the items that start at a stage which goes to this priority while it and
   * others wait there. The sum is at most 1; what is left over goes to the most urgent that waits.
   */
  readonly shares: readonly number[];
  /** Priority of requests that state none. */
  readonly default: number;
}

/** Three priorities, the middle one for whoever states none: under a flood of urgent requests it keeps a fifth, the last a twentieth. */
export const defaultPriorities: PrioritySpec = { shares: [0, 0.2, 0.05], default: 2 };

/** The level of a stated priority; 0 stands for none, as clients of Triton say it, and numbers beyond the last mean the last. */
export function priorityLevel({ shares, default: unstated }: PrioritySpec, priority = 0): number {
  const meant = priority === 0 ? unstated : priority;
  return Math.min(Math.max(meant, 1), shares.length) - 1;
}
