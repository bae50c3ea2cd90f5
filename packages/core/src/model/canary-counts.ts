/** One side of a canary. `missed`: late, dropped or failed. `failed`: by a fault of this side. */
export interface SideCount {
  readonly ended: number;
  readonly missed: number;
  readonly failed?: number;
}

/**
 * Service times of a canary. `measured`: time ÷ profiled time. `tooSlow`: ratio from which the plan does not carry the
 * stage's items. `evidence`: likelihood ratio against any smaller slowness; `slower`: against times as profiled, within
 * a tenth.
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
