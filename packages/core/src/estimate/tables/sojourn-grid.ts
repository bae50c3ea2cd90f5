/**
 * Grid of the sojourn table, in units of s(1): replicas n, cap b, load factor ρ, scaling of the affine curve, and group
 * of items. The scaling is β = 1 − ln(s(b) ÷ s(1)) ÷ ln b: 0 if time is proportional to size, 1 if it is constant.
 */

export const replicaGrid: readonly number[] = [1, 2, 3, 4, 6, 8, 12, 16];
export const capGrid: readonly number[] = [1, 2, 4, 8, 16, 32, 64];
/** Scalings β. A cap of 1 has no scaling. */
export const scalingGrid: readonly number[] = [0, 0.15, 0.3, 0.5, 0.75, 1];
export const loadGrid: readonly number[] = [0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.78, 0.85, 0.9, 0.94, 0.97];

/**
 * Groups of fixed size at Poisson instants; or single items, where `dispersion` is the squared variation of gamma gaps.
 */
export interface Company {
  readonly groupSize: number;
  readonly dispersion: number;
}

/** The first: single Poisson items. */
export const companies: readonly Company[] = [
  ...[1, 2, 4, 8, 16, 32].map((groupSize) => ({ groupSize, dispersion: 1 })),
  ...[4, 16].map((dispersion) => ({ groupSize: 1, dispersion })),
];

/** One row per n, b and β, one cell per ρ. */
export const rowCount = replicaGrid.length * (1 + (capGrid.length - 1) * scalingGrid.length);

export function rowIndex(replicas: number, cap: number, scaling: number): number {
  const shapes = 1 + (capGrid.length - 1) * scalingGrid.length;
  return replicas * shapes + (cap === 0 ? 0 : 1 + (cap - 1) * scalingGrid.length + scaling);
}

/** s(b) ÷ s(1) for a scaling. */
export const stretchOf = (cap: number, scaling: number): number => cap ** (1 - scaling);

/**
 * With probability 1 − d a request finds an idle replica. Otherwise it is disturbed, with a smooth law. The fraction d
 * and the law interpolate better than quantiles, which jump where d crosses 1 − fraction. Bytes of a cell: logit d (16
 * bits), ln of the first quantile (16 bits), then steps of ln (8 bits each; rounding errors carry over).
 */

/** Fractions of disturbed requests at which quantiles are stored. */
export const disturbedFractions: readonly number[] = [0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 0.96, 0.99, 0.998];

/**
 * Cell in units of s(1). `logitDisturbed` = ln(d ÷ (1 − d)); `logTimes` = ln of the quantiles of disturbed requests.
 */
export interface SojournCell {
  readonly logitDisturbed: number;
  readonly logTimes: readonly number[];
}

export const CELL_BYTES = 4 + disturbedFractions.length - 1;
export const CELL_NUMBERS = 1 + disturbedFractions.length;

const LOGIT_BOUND = 16;
const LOGIT_STEP = (2 * LOGIT_BOUND) / 65535;
const FIRST_STEP = 0.0005;
const STEP = 0.008;
const BATCH_STEP = Math.log(64) / 255;

const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));

function putWord(bytes: Uint8Array, at: number, value: number): void {
  const word = clamp(Math.round(value), 0, 65535);
  bytes[at] = word >> 8;
  bytes[at + 1] = word & 255;
}

const wordAt = (bytes: Uint8Array, at: number): number => ((bytes[at] as number) << 8) | (bytes[at + 1] as number);

/** Times below s(1) count as s(1). */
export function encodeCell(cell: SojournCell, bytes: Uint8Array, at: number): void {
  putWord(bytes, at, (clamp(cell.logitDisturbed, -LOGIT_BOUND, LOGIT_BOUND) + LOGIT_BOUND) / LOGIT_STEP);
  const first = Math.max(0, cell.logTimes[0] as number);
  putWord(bytes, at + 2, first / FIRST_STEP);
  let reached = Math.round(first / FIRST_STEP) * FIRST_STEP;
  for (let i = 1; i < disturbedFractions.length; i++) {
    const steps = clamp(Math.round(((cell.logTimes[i] as number) - reached) / STEP), 0, 255);
    bytes[at + 3 + i] = steps;
    reached += steps * STEP;
  }
}

/** Reads the cell at `at` into CELL_NUMBERS numbers. */
export function decodeCell(bytes: Uint8Array, at: number, target: { numbers: Float32Array; into: number }): void {
  const { numbers, into } = target;
  numbers[into] = wordAt(bytes, at) * LOGIT_STEP - LOGIT_BOUND;
  let reached = wordAt(bytes, at + 2) * FIRST_STEP;
  numbers[into + 1] = reached;
  for (let i = 1; i < disturbedFractions.length; i++) {
    reached += (bytes[at + 3 + i] as number) * STEP;
    numbers[into + 1 + i] = reached;
  }
}

/** Encodes a mean batch size (1 to 64) as a byte. */
export const encodeBatch = (meanBatchSize: number): number =>
  clamp(Math.round(Math.log(meanBatchSize) / BATCH_STEP), 0, 255);

export const decodeBatch = (byte: number): number => byte * BATCH_STEP;
