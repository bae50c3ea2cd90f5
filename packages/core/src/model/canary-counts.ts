/** Outcomes of one side of a canary. `missed`: late, dropped or failed. `failed`: by this side's fault. */
export interface SideCount {
  readonly ended: number;
  readonly missed: number;
  readonly failed?: number;
}

/**
 * Slowness of a canary: service time ÷ profiled time. `measured`: over all batches. `tooSlow`: least slowness at which
 * the plan cannot carry `itemsPerSecond`. `evidence`: likelihood ratio for at least `tooSlow`; `slower`: for more than
 * 1.1.
 */
export interface SlownessEvidence {
  readonly measured: number;
  readonly tooSlow: number;
  readonly itemsPerSecond: number;
  readonly slower: number;
  readonly evidence: number;
}

export interface CanaryCounts {
  readonly before: SideCount;
  readonly after: SideCount;
  /** Absent without signs of slowness. */
  readonly slowness?: SlownessEvidence;
}
