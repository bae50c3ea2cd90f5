/**
 * Sojourn law of a stage at a steady rate, from the sojourn table. Each affine bound of the service curve gives the law
 * of one table point. The minimum over upper bounds is too high, the maximum over lower bounds too low. Their geometric
 * mean, weighted 2 : 1, errs on the safe side. Service variation shifts the table values (spread-table). The own batch
 * counts at its mean; own-service adds its variation.
 */
import { quotaLagMs } from '../profile/cpu-quota.js';
import type { ServiceCurve } from '../profile/service-curves.js';
import { lawVariationSquared } from '../profile/service-law.js';
import { type AffineBounds, type AffineCurve, affineBounds } from './affine-bounds.js';
import { lawDepths, lawFractions, type SojournLaw } from './sojourn-law.js';
import { disturbedFractions } from './tables/sojourn-grid.js';
import { ANSWER_NUMBERS, lookUp, type TablePoint } from './tables/sojourn-table.js';
import { addSpread } from './tables/spread-table.js';

/** A group has requests of `itemsPerRequest` items. */
export interface StageShape {
  readonly curve: ServiceCurve;
  readonly replicas: number;
  readonly maxBatchSize: number;
  readonly groupSize: number;
  readonly itemsPerRequest: number;
  readonly dispersion: number;
}

export interface TableLaw {
  readonly law: SojournLaw;
  readonly meanBatchSize: number;
}

const UPPER_PART = 2 / 3;
/**
 * Quantiles jump at the fraction of undisturbed requests. Percentiles near it count as disturbed, unless service
 * variation fills the jump.
 */
const DISTURBED_MARGIN = 0.25;
const FILLING_VARIATION_SQUARED = 0.02;
const HIGHEST_LOAD = 0.999;

const cellDepths = Float64Array.from(disturbedFractions, (fraction) => -Math.log1p(-fraction));
const answer = new Float64Array(ANSWER_NUMBERS);
/** Shifts by service variation, added to each answer of the table. */
const shifts = new Float64Array(ANSWER_NUMBERS);
const times = new Float64Array(cellDepths.length);
const edgeLaw = new Float64Array(lawFractions.length);
const boundsByCurve = new WeakMap<ServiceCurve, Map<number, AffineBounds>>();

function boundsOf(curve: ServiceCurve, cap: number): AffineBounds {
  let known = boundsByCurve.get(curve);
  if (known === undefined) {
    known = new Map();
    boundsByCurve.set(curve, known);
  }
  let bounds = known.get(cap);
  if (bounds === undefined) {
    bounds = affineBounds(curve, cap);
    known.set(cap, bounds);
  }
  return bounds;
}

function timeAt(depth: number, baseMs: number): number {
  const first = cellDepths[0] as number;
  if (depth <= first) return baseMs + (((times[0] as number) - baseMs) * depth) / first;
  let i = 0;
  while (i < cellDepths.length - 2 && depth > (cellDepths[i + 1] as number)) i++;
  const [from, to] = [cellDepths[i] as number, cellDepths[i + 1] as number];
  return (times[i] as number) + (((times[i + 1] as number) - (times[i] as number)) * (depth - from)) / (to - from);
}

/** Fills in the law. Returns the mean batch size. */
function fillAffine(
  law: SojournLaw,
  shape: StageShape,
  at: { readonly affine: AffineCurve; readonly loadFactor: number; readonly variationSquared: number },
): number {
  const { maxBatchSize: cap, groupSize, itemsPerRequest } = shape;
  const { oneMs, fullMs } = at.affine;
  const scaling = cap === 1 ? 0 : 1 - Math.log(fullMs / oneMs) / Math.log(cap);
  const wholeness = groupSize > 1 ? (itemsPerRequest - 1) / (groupSize - 1) : 0;
  const { replicas, dispersion } = shape;
  lookUp({ replicas, cap, scaling, loadFactor: at.loadFactor, groupSize, dispersion, wholeness }, answer);
  for (let i = 1; i < answer.length; i++) answer[i] = (answer[i] as number) + (shifts[i] as number);
  const baseMs = cap === 1 ? oneMs : oneMs + ((fullMs - oneMs) * (Math.min(cap, groupSize) - 1)) / (cap - 1);
  const meanBatchSize = Math.max(1, Math.min(cap, Math.exp(answer[0] as number)));
  let reachedMs = baseMs;
  for (let i = 0; i < times.length; i++) {
    reachedMs = Math.max(reachedMs, oneMs * Math.exp(answer[2 + i] as number));
    times[i] = reachedMs;
  }
  const disturbed = 1 / (1 + Math.exp(-(answer[1] as number)));
  const margin = DISTURBED_MARGIN * Math.exp(-at.variationSquared / FILLING_VARIATION_SQUARED);
  const lift = Math.log(disturbed * (1 + margin * (1 - disturbed)));
  for (let i = 0; i < law.length; i++) {
    const depth = (lawDepths[i] as number) + lift;
    law[i] = depth <= 0 ? baseMs : timeAt(depth, baseMs);
  }
  return meanBatchSize;
}

interface SteadyLoad {
  readonly itemsPerMs: number;
  readonly variationSquared: number;
}

/**
 * Minimum over stable upper bounds. Returns the mean batch size at the last bound, which touches the curve at the cap.
 */
function fillUpper(law: SojournLaw, shape: StageShape, load: SteadyLoad): number {
  const { upper } = boundsOf(shape.curve, shape.maxBatchSize);
  law.fill(Number.POSITIVE_INFINITY);
  let meanBatchSize = 1;
  for (const [i, affine] of upper.entries()) {
    const loadFactor = (load.itemsPerMs * affine.fullMs) / (shape.replicas * shape.maxBatchSize);
    if (loadFactor >= HIGHEST_LOAD && i < upper.length - 1) continue;
    meanBatchSize = fillAffine(edgeLaw, shape, { affine, loadFactor, variationSquared: load.variationSquared });
    for (let j = 0; j < law.length; j++) law[j] = Math.min(law[j] as number, edgeLaw[j] as number);
  }
  return meanBatchSize;
}

function lowerToward(law: SojournLaw, shape: StageShape, load: SteadyLoad): void {
  const { lower } = boundsOf(shape.curve, shape.maxBatchSize);
  if (lower.length === 0) return;
  const least = new Float64Array(law.length);
  for (const affine of lower) {
    const loadFactor = (load.itemsPerMs * affine.fullMs) / (shape.replicas * shape.maxBatchSize);
    fillAffine(edgeLaw, shape, { affine, loadFactor, variationSquared: load.variationSquared });
    for (let j = 0; j < law.length; j++) least[j] = Math.max(least[j] as number, edgeLaw[j] as number);
  }
  for (let j = 0; j < law.length; j++) {
    const ms = law[j] as number;
    law[j] = ms * Math.min(1, (least[j] as number) / ms) ** (1 - UPPER_PART);
  }
}

/** Table point of the line through s(1) and s(b). */
function chordPoint(shape: StageShape, loadFactor: number): TablePoint {
  const { curve, replicas, maxBatchSize: cap, groupSize, itemsPerRequest, dispersion } = shape;
  const scaling = cap === 1 ? 0 : 1 - Math.log(curve.meanMs(cap) / curve.meanMs(1)) / Math.log(cap);
  const wholeness = groupSize > 1 ? (itemsPerRequest - 1) / (groupSize - 1) : 0;
  return { replicas, cap, scaling, loadFactor, groupSize, dispersion, wholeness };
}

/** Mean batch size if service times were constant. */
export function usualBatchSize(shape: StageShape, loadFactor: number): number {
  lookUp(chordPoint(shape, loadFactor), answer);
  return Math.max(1, Math.min(shape.maxBatchSize, Math.exp(answer[0] as number)));
}

/** Law at `itemsPerMs`, at which the stage must be stable. */
export function tableLaw(shape: StageShape, itemsPerMs: number): TableLaw {
  const { curve, maxBatchSize } = shape;
  const share = curve.shareFraction;
  const load = { itemsPerMs: itemsPerMs / share, variationSquared: lawVariationSquared(curve.law(maxBatchSize)) };
  const law = new Float64Array(lawFractions.length);
  const loadFactor = (load.itemsPerMs * curve.meanMs(maxBatchSize)) / (shape.replicas * maxBatchSize);
  shifts.fill(0);
  if (load.variationSquared > 0) addSpread(chordPoint(shape, loadFactor), load.variationSquared, shifts);
  const meanBatchSize = fillUpper(law, shape, load);
  lowerToward(law, shape, load);
  if (share < 1) {
    // The own batch runs at full speed in the share that the dispatch rule gives, but not in a quota.
    const throughMs =
      curve.quota === undefined ? curve.meanMs(1) * (1 / share - 1) : -quotaLagMs(share, curve.quota.periodMs);
    for (let i = 0; i < law.length; i++) law[i] = (law[i] as number) / share - throughMs;
  }
  return { law, meanBatchSize };
}
