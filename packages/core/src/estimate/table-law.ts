/**
 * Sojourn law of one stage at one steady arrival rate, from the sojourn table.
 *
 * 1. Each affine bound of the service curve (affine-bounds) gets the law of its table point, at the load factor that it has itself.
 * 2. The least over the upper bounds is too much, the greatest over the lower ones too little; their weighted geometric mean, two parts
 *    to one, leans to the safe side. Both are monotone in the rate, and so is the mean.
 * 3. The table was made with constant service times. Their spread lengthens waits by 1 + cv² (Pollaczek and Khinchine) and adds the
 *    deviation of the own batch, independent of the wait: deviations add in squares around the median.
 *
 * A share f < 1 is bounded from above by the stretched curve s(k) ÷ f, less s(1)·(1 ÷ f − 1): a full bucket lets one item through at
 * full speed.
 */
import type { ServiceCurve } from '../profile/service-curve.js';
import { lawMeanMs, lawQuantileMs, lawVariationSquared, type ServiceLaw } from '../profile/service-law.js';
import { type AffineBounds, type AffineCurve, affineBounds } from './affine-bounds.js';
import { disturbedFractions } from './sojourn-cell.js';
import { lawDepths, lawFractions, MEDIAN, type SojournLaw } from './sojourn-law.js';
import { lookUp } from './sojourn-table.js';

/** A stage and the company in which its items arrive (see sojourn-table); `itemsPerRequest` of a group make a request. */
export interface StageShape {
  readonly curve: ServiceCurve;
  readonly replicas: number;
  readonly maxBatchSize: number;
  readonly groupSize: number;
  readonly itemsPerRequest: number;
  readonly dispersion: number;
}

/** A law with the mean number of items in a batch. */
export interface TableLaw {
  readonly law: SojournLaw;
  readonly meanBatchSize: number;
}

/** Weight of the upper bounds in the geometric mean. */
const UPPER_PART = 2 / 3;
/** Where the chance of being disturbed is small, a percentile that falls just beside the jump is better taken as disturbed. */
const DISTURBED_MARGIN = 0.2;
const HIGHEST_LOAD = 0.999;

const cellDepths = Float64Array.from(disturbedFractions, (fraction) => -Math.log1p(-fraction));
const boundsByCurve = new WeakMap<ServiceCurve, Map<number, AffineBounds>>();

function boundsOf(curve: ServiceCurve, cap: number): AffineBounds {
  const known = boundsByCurve.get(curve) ?? new Map<number, AffineBounds>();
  boundsByCurve.set(curve, known);
  const bounds = known.get(cap) ?? affineBounds(curve, cap);
  known.set(cap, bounds);
  return bounds;
}

/** Times given disturbed at the depths of the table, in ms. */
function timesAt(depth: number, baseMs: number, times: Float64Array): number {
  const last = cellDepths.length - 1;
  const first = cellDepths[0] as number;
  if (depth <= first) return baseMs + (((times[0] as number) - baseMs) * depth) / first;
  let i = 0;
  while (i < last - 1 && depth > (cellDepths[i + 1] as number)) i++;
  const [from, to] = [cellDepths[i] as number, cellDepths[i + 1] as number];
  return (times[i] as number) + (((times[i + 1] as number) - (times[i] as number)) * (depth - from)) / (to - from);
}

/** Law of a stage with an affine curve and constant service times, `waitFactor` applied to all beyond the undisturbed time. */
function affineLaw(shape: StageShape, affine: AffineCurve, at: { loadFactor: number; waitFactor: number }): TableLaw {
  const { maxBatchSize: cap, groupSize, itemsPerRequest } = shape;
  const stretch = affine.fullMs / affine.oneMs;
  const answer = lookUp({
    replicas: shape.replicas,
    cap,
    scaling: cap === 1 ? 0 : 1 - Math.log(stretch) / Math.log(cap),
    loadFactor: at.loadFactor,
    groupSize,
    dispersion: shape.dispersion,
    wholeness: groupSize > 1 ? (itemsPerRequest - 1) / (groupSize - 1) : 0,
  });
  const together = Math.min(cap, groupSize);
  const baseMs =
    cap === 1 ? affine.oneMs : affine.oneMs + ((affine.fullMs - affine.oneMs) * (together - 1)) / (cap - 1);
  const times = new Float64Array(cellDepths.length);
  for (let i = 0; i < times.length; i++) {
    const ms = Math.max(baseMs, affine.oneMs * Math.exp(answer[2 + i] as number));
    times[i] = Math.max(i === 0 ? 0 : (times[i - 1] as number), baseMs + (ms - baseMs) * at.waitFactor);
  }
  const disturbed = 1 / (1 + Math.exp(-(answer[1] as number)));
  const margin = Math.log(disturbed * (1 + DISTURBED_MARGIN * (1 - disturbed)));
  const law = new Float64Array(lawFractions.length);
  for (let i = 0; i < law.length; i++) {
    const depth = (lawDepths[i] as number) + margin;
    law[i] = depth <= 0 ? baseMs : timesAt(depth, baseMs, times);
  }
  return { law, meanBatchSize: Math.max(1, Math.min(cap, Math.exp(answer[0] as number))) };
}

/** Between the bounds; see the head of the file. */
function boundedLaw(shape: StageShape, itemsPerMs: number, waitFactor: number): TableLaw {
  const bounds = boundsOf(shape.curve, shape.maxBatchSize);
  const loadOf = (affine: AffineCurve): number => (itemsPerMs * affine.fullMs) / (shape.replicas * shape.maxBatchSize);
  const lawOf = (affine: AffineCurve): TableLaw =>
    affineLaw(shape, affine, { loadFactor: Math.min(HIGHEST_LOAD, loadOf(affine)), waitFactor });
  const [first, ...others] = bounds.upper
    .filter((affine, i, all) => i === all.length - 1 || loadOf(affine) < 1)
    .map(lawOf);
  const upper = first as TableLaw;
  for (const { law } of others)
    for (let i = 0; i < law.length; i++) upper.law[i] = Math.min(upper.law[i] as number, law[i] as number);
  const meanBatchSize = (others.at(-1) ?? upper).meanBatchSize;
  if (bounds.lower.length === 0) return { law: upper.law, meanBatchSize };
  const lower = new Float64Array(upper.law.length);
  for (const { law } of bounds.lower.map(lawOf))
    for (let i = 0; i < law.length; i++) lower[i] = Math.max(lower[i] as number, law[i] as number);
  const law = upper.law.map((ms, i) => ms ** UPPER_PART * Math.min(ms, lower[i] as number) ** (1 - UPPER_PART));
  return { law, meanBatchSize };
}

/** Adds the spread of the own batch's service time. */
function spread(law: SojournLaw, service: ServiceLaw): SojournLaw {
  if (service.kind === 'constant') return law;
  const meanMs = lawMeanMs(service);
  const median = (law[MEDIAN] as number) + lawQuantileMs(service, 0.5) - meanMs;
  const ownMedian = lawQuantileMs(service, 0.5);
  return law.map((ms, i) => {
    const wait = ms - (law[MEDIAN] as number);
    const own = lawQuantileMs(service, lawFractions[i] as number) - ownMedian;
    return Math.max(0, median + Math.sign(i - MEDIAN) * Math.sqrt(wait * wait + own * own));
  });
}

/** The law of the stage at `itemsPerMs` items per ms, which must leave it stable. */
export function tableLaw(shape: StageShape, itemsPerMs: number): TableLaw {
  const { curve, maxBatchSize } = shape;
  const share = curve.shareFraction;
  const waitFactor = 1 + lawVariationSquared(curve.law(maxBatchSize));
  const steady = boundedLaw(shape, itemsPerMs / share, waitFactor);
  const own = curve.law(Math.round(Math.max(steady.meanBatchSize, Math.min(maxBatchSize, shape.groupSize))));
  const throughMs = curve.meanMs(1) * (1 / share - 1);
  const unstretched = share < 1 ? steady.law.map((ms) => ms / share - throughMs) : steady.law;
  return { law: spread(unstretched, own), meanBatchSize: steady.meanBatchSize };
}
