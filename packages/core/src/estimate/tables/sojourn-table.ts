import {
  CELL_BYTES,
  CELL_NUMBERS,
  capGrid,
  companies,
  decodeBatch,
  decodeCell,
  loadGrid,
  replicaGrid,
  rowCount,
  rowIndex,
  scalingGrid,
} from './sojourn-grid.js';
import { sojournTableTexts } from './sojourn-table.gen.js';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Decodes base64 (RFC 4648); core uses no platform API. */
export function bytesOfBase64(text: string): Uint8Array {
  const digitOf = new Uint8Array(128);
  for (let i = 0; i < ALPHABET.length; i++) digitOf[ALPHABET.charCodeAt(i)] = i;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let i = 0, out = 0; i < text.length; i += 4) {
    const high = ((digitOf[text.charCodeAt(i)] as number) << 6) | (digitOf[text.charCodeAt(i + 1)] as number);
    const low = ((digitOf[text.charCodeAt(i + 2)] as number) << 6) | (digitOf[text.charCodeAt(i + 3)] as number);
    const word = (high << 12) | low;
    bytes[out++] = word >> 16;
    bytes[out++] = (word >> 8) & 255;
    bytes[out++] = word & 255;
  }
  return bytes;
}

export interface TablePoint {
  readonly replicas: number;
  readonly cap: number;
  readonly scaling: number;
  readonly loadFactor: number;
  readonly groupSize: number;
  /** Squared CV of the gaps between groups; 1 is Poisson. */
  readonly dispersion: number;
  /** Share of its group in a request: 0 is one item, 1 all items. */
  readonly wholeness: number;
}

/** Logarithm of the mean batch size, then the numbers of a cell (see sojourn-grid). */
export type TableAnswer = Float64Array;
export const ANSWER_NUMBERS = 1 + CELL_NUMBERS;

interface Company {
  readonly laws: number;
  readonly cellNumbers: number;
  readonly numbers: Float32Array;
}

const decoded = new Map<number, Company>();

function decode(index: number): Company {
  const laws = (companies[index]?.groupSize ?? 1) > 1 ? 2 : 1;
  const bytes = bytesOfBase64(sojournTableTexts[index] as string);
  const cellNumbers = 1 + laws * CELL_NUMBERS;
  const cellBytes = 1 + laws * CELL_BYTES;
  const numbers = new Float32Array(rowCount * loadGrid.length * cellNumbers);
  for (let cell = 0; cell < rowCount * loadGrid.length; cell++) {
    numbers[cell * cellNumbers] = decodeBatch(bytes[cell * cellBytes] as number);
    for (let law = 0; law < laws; law++) {
      const into = cell * cellNumbers + 1 + law * CELL_NUMBERS;
      decodeCell(bytes, cell * cellBytes + 1 + law * CELL_BYTES, { numbers, into });
    }
  }
  return { laws, cellNumbers, numbers };
}

function companyAt(index: number): Company {
  const known = decoded.get(index) ?? decode(index);
  decoded.set(index, known);
  return known;
}

/** Index of the lower neighbour on an axis, and weight of the upper one. */
export interface Place {
  index: number;
  weight: number;
}

export function putPlace(place: Place, axis: Float64Array, x: number): void {
  let index = 0;
  while (index < axis.length - 2 && x > (axis[index + 1] as number)) index++;
  const low = axis[index] as number;
  place.index = index;
  place.weight = (x - low) / ((axis[index + 1] as number) - low);
}

/** Divides `share` among the corners: bit i of a corner's index chooses the upper neighbour of place i. */
export function putCornerWeights(weights: Float64Array, places: readonly Place[], share: number): void {
  weights[0] = share;
  let count = 1;
  for (let p = 0; count < weights.length; p++) {
    const upper = (places[p] as Place).weight;
    for (let i = 0; i < count; i++) {
      const weight = weights[i] as number;
      weights[i] = weight * (1 - upper);
      weights[i + count] = weight * upper;
    }
    count *= 2;
  }
}

export const axisOf = (grid: readonly number[]): Float64Array => Float64Array.from(grid, Math.log);

export const logit = (fraction: number): number => Math.log(fraction / (1 - fraction));
const replicaAxis = axisOf(replicaGrid);
const capAxis = axisOf(capGrid);
const scalingAxis = Float64Array.from(scalingGrid);
const loadAxis = Float64Array.from(loadGrid, logit);
const LEAST_LOGIT_LOAD = loadAxis[0] as number;
const groupIndices = companies.flatMap((company, i) => (company.dispersion === 1 ? [i] : []));
const dispersionIndices = [0, ...companies.flatMap((company, i) => (company.dispersion > 1 ? [i] : []))];
const groupAxis = Float64Array.from(groupIndices, (i) => Math.log(companies[i]?.groupSize ?? 1));
const dispersionAxis = Float64Array.from(dispersionIndices, (i) => Math.log(companies[i]?.dispersion ?? 1));

const newPlace = (): Place => ({ index: 0, weight: 0 });
const [n, b, s, load] = [newPlace(), newPlace(), newPlace(), newPlace()];
const places: readonly Place[] = [n, b, s, load];
const corners = new Float64Array(16);

function addCompany(company: Company, wholes: number, to: { answer: TableAnswer; share: number }): void {
  const parts = company.laws === 2 ? wholes : 0;
  putCornerWeights(corners, places, to.share);
  for (let corner = 0; corner < corners.length; corner++) {
    const weight = corners[corner] as number;
    if (weight === 0) continue;
    const row = rowIndex(n.index + (corner & 1), b.index + ((corner >> 1) & 1), s.index + ((corner >> 2) & 1));
    const at = (row * loadGrid.length + load.index + (corner >> 3)) * company.cellNumbers;
    const { numbers } = company;
    to.answer[0] = (to.answer[0] as number) + weight * (numbers[at] as number);
    addCell(numbers, at + 1, { answer: to.answer, weight: weight * (1 - parts) });
    if (parts > 0) addCell(numbers, at + 1 + CELL_NUMBERS, { answer: to.answer, weight: weight * parts });
  }
}

function addCell(numbers: Float32Array, at: number, to: { answer: TableAnswer; weight: number }): void {
  const { answer, weight } = to;
  for (let i = 0; i < CELL_NUMBERS; i++)
    answer[1 + i] = (answer[1 + i] as number) + weight * (numbers[at + i] as number);
}

/**
 * Writes the interpolated law to `answer`: multilinear in ln n, ln b, β, logit ρ (sojourn-grid.ts) and ln of group size
 * or dispersion. Positive weights inside the grid preserve monotonicity. Bursty groups count as larger groups. Below
 * the lowest load factor, the disturbed fraction of single items is taken as proportional to the load, an upper bound.
 * Beyond the largest group, times are extrapolated.
 */
export function lookUp(point: TablePoint, answer: TableAnswer): void {
  answer.fill(0);
  putPlace(n, replicaAxis, Math.log(point.replicas));
  putPlace(b, capAxis, Math.log(point.cap));
  putPlace(s, scalingAxis, Math.max(0, Math.min(1, point.scaling)));
  const single = point.groupSize === 1;
  const logitLoad = logit(Math.max(1e-6, Math.min(0.999, point.loadFactor)));
  putPlace(load, loadAxis, Math.max(LEAST_LOGIT_LOAD, logitLoad));
  const axis = single ? dispersionAxis : groupAxis;
  const indices = single ? dispersionIndices : groupIndices;
  const company = { index: 0, weight: 0 };
  const size = single ? Math.max(1, point.dispersion) : point.groupSize * point.dispersion;
  putPlace(company, axis, Math.log(size));
  const crowding = single ? 0 : Math.min(1, size / (point.replicas * point.cap));
  const beyondTable = Math.max(0, company.weight - 1);
  company.weight -= crowding * beyondTable;
  for (let upper = 0; upper < 2; upper++) {
    const share = upper === 1 ? company.weight : 1 - company.weight;
    if (share === 0) continue;
    addCompany(companyAt(indices[company.index + upper] as number), point.wholeness, { answer, share });
  }
  const longerLog = crowding * beyondTable * ((axis[company.index + 1] as number) - (axis[company.index] as number));
  for (let i = 2; i < answer.length; i++) answer[i] = (answer[i] as number) + longerLog;
  if (single) answer[1] = (answer[1] as number) + Math.min(0, logitLoad - LEAST_LOGIT_LOAD);
}
