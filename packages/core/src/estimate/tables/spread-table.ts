/**
 * Effect of service variation on the sojourn table, for lognormal service times: shifts of the logit of the disturbed
 * fraction, and of the ln times. The grid is coarser than that of the sojourn table, except for the load.
 */
import { CELL_NUMBERS, type Company, loadGrid } from './sojourn-grid.js';
import {
  axisOf,
  bytesOfBase64,
  logit,
  type Place,
  putCornerWeights,
  putPlace,
  type TableAnswer,
  type TablePoint,
} from './sojourn-table.js';
import { spreadTableTexts } from './spread-table.gen.js';

export const spreadReplicaGrid: readonly number[] = [1, 2, 4, 8, 16];
export const spreadCapGrid: readonly number[] = [1, 2, 4, 16, 64];
/** Scalings β. A cap of 1 has no scaling. */
export const spreadScalingGrid: readonly number[] = [0, 0.5, 1];
/** Standard deviations σ of ln service time. */
export const spreadSigmas: readonly number[] = [0.4, 0.8];
/** Poisson groups first, then dispersions. */
export const spreadCompanies: readonly Company[] = [
  ...[1, 4, 16].map((groupSize) => ({ groupSize, dispersion: 1 })),
  ...[4, 16].map((dispersion) => ({ groupSize: 1, dispersion })),
];

const SHAPES = 1 + (spreadCapGrid.length - 1) * spreadScalingGrid.length;
export const spreadRowCount = spreadReplicaGrid.length * SHAPES;

export const spreadRowIndex = (replicas: number, cap: number, scaling: number): number =>
  replicas * SHAPES + (cap === 0 ? 0 : 1 + (cap - 1) * spreadScalingGrid.length + scaling);

/** Number of laws: single items and, if groups are larger, whole groups. */
export const spreadLaws = ({ groupSize }: Company): number => (groupSize > 1 ? 2 : 1);

/** Order of shifts in a text: row, load, law, σ, number. */
export const spreadOffset = (company: Company, row: number, load: number): number =>
  (row * loadGrid.length + load) * spreadLaws(company) * spreadSigmas.length * CELL_NUMBERS;

const LEAST_SHIFT = -0.6;
const SHIFT_STEP = 0.02;

export const encodeShift = (shift: number): number =>
  Math.max(0, Math.min(255, Math.round((shift - LEAST_SHIFT) / SHIFT_STEP)));

const decoded = new Map<number, Float32Array>();

function shiftsOf(company: number): Float32Array {
  const known = decoded.get(company);
  if (known !== undefined) return known;
  const bytes = bytesOfBase64(spreadTableTexts[company] as string);
  const shifts = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) shifts[i] = (bytes[i] as number) * SHIFT_STEP + LEAST_SHIFT;
  decoded.set(company, shifts);
  return shifts;
}

const replicaAxis = axisOf(spreadReplicaGrid);
const capAxis = axisOf(spreadCapGrid);
const scalingAxis = Float64Array.from(spreadScalingGrid);
const loadAxis = Float64Array.from(loadGrid, logit);
const groupAxis = axisOf([1, 4, 16]);
const dispersionAxis = axisOf([1, 4, 16]);
const groupIndices: readonly number[] = [0, 1, 2];
const dispersionIndices: readonly number[] = [0, 3, 4];

const newPlace = (): Place => ({ index: 0, weight: 0 });
const [n, b, s, load, company] = [newPlace(), newPlace(), newPlace(), newPlace(), newPlace()];
const places: readonly Place[] = [n, b, s, load, company];
const corners = new Float64Array(16);
const [FIRST_VARIATION_SQUARED, LAST_VARIATION_SQUARED] = spreadSigmas.map((sigma) => Math.expm1(sigma * sigma)) as [
  number,
  number,
];
const sigmaWeights = new Float64Array(spreadSigmas.length);

/**
 * Weights of the σ nodes. Near saturation waits grow as 1 + b·cv², so shifts are linear in ln(1 + b·cv²). Beyond the
 * last node they grow in proportion.
 */
function putSigmaWeights(cap: number, variationSquared: number): void {
  const at = Math.log1p(cap * variationSquared);
  const first = Math.log1p(cap * FIRST_VARIATION_SQUARED);
  const last = Math.log1p(cap * LAST_VARIATION_SQUARED);
  const upper = at <= first ? 0 : at >= last ? at / last : (at - first) / (last - first);
  sigmaWeights[0] = at <= first ? at / first : Math.max(0, 1 - upper);
  sigmaWeights[1] = upper;
}

const clampPlace = (place: Place): void => {
  place.weight = Math.max(0, Math.min(1, place.weight));
};

function addShifts(index: number, wholeness: number, to: { answer: TableAnswer; share: number }): void {
  const shifts = shiftsOf(index);
  const of = spreadCompanies[index] as Company;
  const parts = spreadLaws(of) === 2 ? wholeness : 0;
  putCornerWeights(corners, places, to.share);
  for (let corner = 0; corner < corners.length; corner++) {
    const weight = corners[corner] as number;
    if (weight === 0) continue;
    const row = spreadRowIndex(n.index + (corner & 1), b.index + ((corner >> 1) & 1), s.index + ((corner >> 2) & 1));
    const at = spreadOffset(of, row, load.index + (corner >> 3));
    if (parts < 1) addLaw(shifts, at, weight * (1 - parts), to.answer);
    if (parts > 0) addLaw(shifts, at + spreadSigmas.length * CELL_NUMBERS, weight * parts, to.answer);
  }
}

function addLaw(shifts: Float32Array, at: number, weight: number, answer: TableAnswer): void {
  const first = weight * (sigmaWeights[0] as number);
  const last = weight * (sigmaWeights[1] as number);
  for (let i = 0; i < CELL_NUMBERS; i++) {
    const shift = first * (shifts[at + i] as number);
    answer[1 + i] = (answer[1 + i] as number) + shift;
  }
  if (last === 0) return;
  for (let i = 0; i < CELL_NUMBERS; i++)
    answer[1 + i] = (answer[1 + i] as number) + last * (shifts[at + CELL_NUMBERS + i] as number);
}

/** Adds, to an answer of the sojourn table, the shifts for service times of this squared variation. */
export function addSpread(point: TablePoint, variationSquared: number, answer: TableAnswer): void {
  putPlace(n, replicaAxis, Math.log(point.replicas));
  putPlace(b, capAxis, Math.log(point.cap));
  putPlace(s, scalingAxis, Math.max(0, Math.min(1, point.scaling)));
  putPlace(load, loadAxis, logit(Math.max(1e-6, Math.min(0.999, point.loadFactor))));
  putSigmaWeights(point.cap, variationSquared);
  const single = point.groupSize === 1;
  const indices = single ? dispersionIndices : groupIndices;
  const size = single ? Math.max(1, point.dispersion) : point.groupSize * point.dispersion;
  putPlace(company, single ? dispersionAxis : groupAxis, Math.log(size));
  for (const place of places) clampPlace(place);
  for (let upper = 0; upper < 2; upper++) {
    const share = upper === 1 ? company.weight : 1 - company.weight;
    if (share > 0) addShifts(indices[company.index + upper] as number, point.wholeness, { answer, share });
  }
}
