/**
 * The grid of the sojourn table: for which stages the simulator was asked, in units of s(1).
 *
 * A stage is scale-free in time, so it is described by its replicas n, its cap b, its load factor ρ, the shape of its service curve and
 * the company in which items arrive. The shape of an affine curve is told by its scaling β = 1 − ln(s(b) ÷ s(1)) ÷ ln b: 0 when b items
 * take b times as long as one, 1 when they take no longer. (The fixed-cost share φ = (b − b^(1−β)) ÷ (b − 1) says the same, but crowds
 * at 1 for large b.)
 */

/** Replicas n. */
export const replicaGrid: readonly number[] = [1, 2, 3, 4, 6, 8, 12, 16];
/** Caps b. */
export const capGrid: readonly number[] = [1, 2, 4, 8, 16, 32, 64];
/** Scalings β; a cap of 1 has none. */
export const scalingGrid: readonly number[] = [0, 0.15, 0.3, 0.5, 0.75, 1];
/** Load factors ρ. */
export const loadGrid: readonly number[] = [0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.78, 0.85, 0.9, 0.94, 0.97];

/** How items arrive: groups of a fixed size at Poisson instants, or single items with gamma-distributed gaps of this squared variation. */
export interface Company {
  readonly groupSize: number;
  readonly dispersion: number;
}

/** Groups of a size, ascending, then single items by dispersion, ascending; the first is plain Poisson. */
export const companies: readonly Company[] = [
  ...[1, 2, 4, 8, 16, 32].map((groupSize) => ({ groupSize, dispersion: 1 })),
  ...[4, 16].map((dispersion) => ({ groupSize: 1, dispersion })),
];

/** Rows of a company: one for each n, b and β, with a cell for each ρ. */
export const rowCount = replicaGrid.length * (1 + (capGrid.length - 1) * scalingGrid.length);

/** Row of a grid point; `scaling` is ignored for a cap of 1 (all arguments are indices into the grids). */
export function rowIndex(replicas: number, cap: number, scaling: number): number {
  const shapes = 1 + (capGrid.length - 1) * scalingGrid.length;
  return replicas * shapes + (cap === 0 ? 0 : 1 + (cap - 1) * scalingGrid.length + scaling);
}

/** s(b) ÷ s(1) of a curve with this scaling. */
export const stretchOf = (cap: number, scaling: number): number => cap ** (1 - scaling);
