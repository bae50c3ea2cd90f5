/** One side of a canary: `missed` were late, dropped or failed; `failed` by a fault of the side. */
export interface SideCount {
  readonly ended: number;
  readonly missed: number;
  readonly failed?: number;
}
