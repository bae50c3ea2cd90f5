/**
 * Quantile regression by gradient-boosted trees (Friedman 2001), grown leaf by leaf on histograms (Ke et al. 2017).
 * Lags and target are relative to the level. Splits follow the gradient of the pinball loss; a leaf holds the
 * quantile of its residuals times the learning rate.
 */
import type { Fitting, ForecastMethod } from '../forecast-method.js';
import { HALF_REQUEST_RPS, levelOf } from '../network/relative-lags.js';
import { fullWindow, remember, type TrainingPeaks } from '../peak-series.js';

/** Feature, largest value that goes left, left child, right child. Child c ≥ 0 is split c, c < 0 is leaf −1 − c. */
type Split = readonly [number, number, number, number];

export interface Tree {
  /** The root first; empty if leaf 0 is the whole tree. */
  readonly splits: readonly Split[];
  readonly leaves: readonly number[];
}

/** Sum of a constant and trees: a quantile of peak ÷ level. */
export interface TreeSum {
  readonly fraction: number;
  readonly base: number;
  readonly trees: readonly Tree[];
}

export interface BoostedWeights {
  readonly lags: number;
  readonly point: TreeSum;
  readonly upper: TreeSum;
}

const TREES = 40;
const TREES_PER_STEP = 2;
const MOST_LEAVES = 16;
const FEWEST_EXAMPLES = 50;
const RATE = 0.2;
const BINS = 256;
/** Maximum values sampled for a feature's bins. */
const MOST_SAMPLED = 10_000;
const POINT_FRACTION = 0.5;

export const boostedTrees: ForecastMethod<BoostedWeights, readonly number[]> = {
  name: 'boosted-trees',
  beginFit: (training) => {
    const { targets } = examplesOf(training);
    const beginSum = (fraction: number): TreeSum => ({ fraction, base: quantileOf(targets, fraction) ?? 1, trees: [] });
    return {
      doneSteps: 0,
      totalSteps: targets.length === 0 ? 0 : TREES / TREES_PER_STEP,
      weights: {
        lags: training.task.lags,
        point: beginSum(POINT_FRACTION),
        upper: beginSum(training.task.upperFraction),
      },
    };
  },
  fitStep: ({ doneSteps, totalSteps, weights }, training): Fitting<BoostedWeights> => {
    const binned = binnedExamples(examplesOf(training));
    const { lags, point, upper } = weights;
    return {
      doneSteps: doneSteps + 1,
      totalSteps,
      weights: { lags, point: withMoreTrees(point, binned), upper: withMoreTrees(upper, binned) },
    };
  },
  begin: () => [],
  observe: ({ lags }, memory, maximumRps) => remember(memory, maximumRps, lags),
  predict: ({ lags, point, upper }, memory) => {
    const window = fullWindow(memory, lags);
    if (window === undefined) return { pointRps: 0, upperRps: 0 };
    const inputs = new Float64Array(lags + 1);
    const level = writeFeatures(inputs, 0, { maximaRps: window, from: 0, lags });
    const peakOf = (sum: TreeSum): number => level * sumAt(sum, inputs, 0) - HALF_REQUEST_RPS;
    const pointRps = Math.max(0, peakOf(point));
    return { pointRps, upperRps: Math.max(pointRps, peakOf(upper)) };
  },
};

interface Window {
  readonly maximaRps: Float64Array;
  readonly from: number;
  readonly lags: number;
}

function writeFeatures(values: Float64Array, at: number, { maximaRps, from, lags }: Window): number {
  const level = levelOf(maximaRps, from, lags);
  for (let k = 0; k < lags; k++) values[at + k] = ((maximaRps[from + k] as number) + HALF_REQUEST_RPS) / level;
  values[at + lags] = level;
  return level;
}

interface Examples {
  readonly width: number;
  readonly values: Float64Array;
  readonly targets: Float64Array;
}

function examplesOf({ task: { lags }, maximaRps, targetsRps }: TrainingPeaks): Examples {
  const count = Math.max(0, targetsRps.length - lags);
  const width = lags + 1;
  const values = new Float64Array(count * width);
  const targets = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const level = writeFeatures(values, i * width, { maximaRps, from: i, lags });
    targets[i] = ((targetsRps[i + lags] as number) + HALF_REQUEST_RPS) / level;
  }
  return { width, values, targets };
}

interface BinnedExamples extends Examples {
  /** Largest value of each bin but the last, per feature. */
  readonly edges: readonly Float64Array[];
  readonly bins: Uint8Array;
}

function binnedExamples(examples: Examples): BinnedExamples {
  const { width, values, targets } = examples;
  const edges = Array.from({ length: width }, (_, feature) => edgesOf(examples, feature));
  const bins = new Uint8Array(values.length);
  for (let i = 0; i < targets.length; i++) {
    for (let feature = 0; feature < width; feature++) {
      const at = i * width + feature;
      bins[at] = binOf(edges[feature] as Float64Array, values[at] as number);
    }
  }
  return { ...examples, edges, bins };
}

function edgesOf({ width, values, targets }: Examples, feature: number): Float64Array {
  const stride = Math.ceil(targets.length / MOST_SAMPLED);
  const sorted = new Float64Array(Math.ceil(targets.length / stride));
  for (let i = 0; i < sorted.length; i++) sorted[i] = values[i * stride * width + feature] as number;
  sorted.sort();
  const found = Array.from({ length: BINS - 1 }, (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / BINS)] ?? 0);
  return Float64Array.from(new Set(found));
}

function binOf(edges: Float64Array, value: number): number {
  let [low, high] = [0, edges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((edges[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function sumAt({ base, trees }: TreeSum, values: Float64Array, at: number): number {
  let sum = base;
  for (const tree of trees) sum += treeAt(tree, values, at);
  return sum;
}

function treeAt({ splits, leaves }: Tree, values: Float64Array, at: number): number {
  let node = splits.length === 0 ? -1 : 0;
  while (node >= 0) {
    const split = splits[node] as Split;
    node = (values[at + split[0]] as number) <= split[1] ? split[2] : split[3];
  }
  return leaves[-1 - node] as number;
}

function withMoreTrees(sum: TreeSum, examples: BinnedExamples): TreeSum {
  const { width, values, targets } = examples;
  const trees = [...sum.trees];
  const residuals = new Float64Array(targets.length);
  for (let i = 0; i < residuals.length; i++) residuals[i] = (targets[i] as number) - sumAt(sum, values, i * width);
  for (let added = 0; added < TREES_PER_STEP; added++) {
    const tree = grownTree(residuals, sum.fraction, examples);
    trees.push(tree);
    for (let i = 0; i < residuals.length; i++)
      residuals[i] = (residuals[i] as number) - treeAt(tree, values, i * width);
  }
  return { ...sum, trees };
}

/** A bin has two counts: examples, and those with a positive residual. */
interface Leaf {
  readonly examples: Int32Array;
  readonly histogram: Int32Array;
  readonly best: BestSplit | undefined;
  /** Undefined for the root. */
  readonly parent: { readonly split: number; readonly side: 2 | 3 } | undefined;
}

interface BestSplit {
  readonly feature: number;
  readonly bin: number;
  readonly gain: number;
  readonly left: number;
}

function grownTree(residuals: Float64Array, fraction: number, binned: BinnedExamples): Tree {
  const all = new Int32Array(residuals.length);
  for (let i = 0; i < all.length; i++) all[i] = i;
  const leafOf = (examples: Int32Array, histogram: Int32Array, parent: Leaf['parent']): Leaf => ({
    ...{ examples, histogram, parent },
    best: bestSplit(histogram, examples.length, fraction),
  });
  const leaves = [leafOf(all, histogramOf(all, residuals, binned), undefined)];
  const splits: [number, number, number, number][] = [];
  while (leaves.length < MOST_LEAVES) {
    const widest = leaves.reduce((most, leaf) => ((leaf.best?.gain ?? 0) > (most.best?.gain ?? 0) ? leaf : most));
    if (widest.best === undefined) break;
    const { feature, bin } = widest.best;
    const parts = partition(widest.examples, widest.best, binned);
    const smaller = parts[0].length <= parts[1].length ? 0 : 1;
    const histogram = histogramOf(parts[smaller], residuals, binned);
    const rest = widest.histogram.map((count, k) => count - (histogram[k] as number));
    const split = splits.push([feature, (binned.edges[feature] as Float64Array)[bin] as number, 0, 0]) - 1;
    if (widest.parent !== undefined) (splits[widest.parent.split] as number[])[widest.parent.side] = split;
    leaves.splice(
      leaves.indexOf(widest),
      1,
      leafOf(parts[0], smaller === 0 ? histogram : rest, { split, side: 2 }),
      leafOf(parts[1], smaller === 1 ? histogram : rest, { split, side: 3 }),
    );
  }
  for (const [place, { parent }] of leaves.entries())
    if (parent !== undefined) (splits[parent.split] as number[])[parent.side] = -1 - place;
  const leafValue = ({ examples }: Leaf): number => {
    const own = new Float64Array(examples.length);
    for (let k = 0; k < own.length; k++) own[k] = residuals[examples[k] as number] as number;
    return RATE * (quantileOf(own, fraction) ?? 0);
  };
  return { splits, leaves: leaves.map(leafValue) };
}

function partition(examples: Int32Array, { feature, bin, left }: BestSplit, { width, bins }: BinnedExamples) {
  const parts = [new Int32Array(left), new Int32Array(examples.length - left)] as const;
  let [atLeft, atRight] = [0, 0];
  for (let k = 0; k < examples.length; k++) {
    const i = examples[k] as number;
    if ((bins[i * width + feature] as number) <= bin) parts[0][atLeft++] = i;
    else parts[1][atRight++] = i;
  }
  return parts;
}

function histogramOf(examples: Int32Array, residuals: Float64Array, { width, bins }: BinnedExamples): Int32Array {
  const histogram = new Int32Array(2 * BINS * width);
  for (let k = 0; k < examples.length; k++) {
    const i = examples[k] as number;
    const positive = (residuals[i] as number) > 0 ? 1 : 0;
    for (let feature = 0; feature < width; feature++) {
      const at = 2 * (BINS * feature + (bins[i * width + feature] as number));
      histogram[at] = (histogram[at] as number) + 1;
      histogram[at + 1] = (histogram[at + 1] as number) + positive;
    }
  }
  return histogram;
}

/** Undefined if no split lowers the loss. */
function bestSplit(histogram: Int32Array, count: number, fraction: number): BestSplit | undefined {
  // The gradient of an example is 1 − fraction, and 1 less if its residual is positive.
  const score = (number: number, positive: number): number => ((1 - fraction) * number - positive) ** 2 / number;
  let best: BestSplit | undefined;
  for (let feature = 0; feature < histogram.length / (2 * BINS); feature++) {
    const at = 2 * BINS * feature;
    let positive = 0;
    for (let bin = 0; bin < BINS; bin++) positive += histogram[at + 2 * bin + 1] as number;
    const whole = score(count, positive);
    let [left, leftPositive] = [0, 0];
    for (let bin = 0; bin < BINS - 1; bin++) {
      left += histogram[at + 2 * bin] as number;
      leftPositive += histogram[at + 2 * bin + 1] as number;
      if (left < FEWEST_EXAMPLES) continue;
      if (count - left < FEWEST_EXAMPLES) break;
      const gain = score(left, leftPositive) + score(count - left, positive - leftPositive) - whole;
      if (gain > (best?.gain ?? 1e-9)) best = { feature, bin, gain, left };
    }
  }
  return best;
}

/** Least value not below `fraction` of the values; undefined without values. */
function quantileOf(values: Float64Array, fraction: number): number | undefined {
  return values.toSorted()[Math.max(0, Math.ceil(fraction * values.length) - 1)];
}
