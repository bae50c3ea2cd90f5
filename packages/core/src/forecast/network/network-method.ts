import { SeededRng } from '../../kernel/rng.js';
import type { Fitting, ForecastMethod } from '../forecast-method.js';
import { fullWindow, remember, type TrainingPeaks } from '../peak-series.js';
import { type Network, OUTPUTS } from './network.js';
import { HALF_REQUEST_RPS, type LevelSpread, levelSpread, writeInputs } from './relative-lags.js';
import {
  type AdamState,
  adamStep,
  forecastOfOutputs,
  type LossScale,
  shuffledOrder,
  writeLossGradient,
} from './training.js';

/** Forecast method that wraps a network: relative inputs and loss, mini-batches with Adam. */

export interface NetworkWeights extends LevelSpread {
  readonly lags: number;
  readonly parameters: readonly number[];
}

export interface NetworkFit extends Fitting<NetworkWeights> {
  readonly seed: number;
  readonly lossScale: LossScale;
  readonly mean: readonly number[];
  readonly square: readonly number[];
}

export interface NetworkRule {
  readonly name: string;
  networkFor(lags: number): Network;
  readonly batches: number;
  readonly batchSize: number;
  readonly rate: number;
}

interface UnpackedNetwork {
  readonly network: Network;
  readonly parameters: Float64Array;
  readonly inputs: Float64Array;
}

const BATCHES_PER_STEP = 50;

/** Batches in which the rate rises, because Adam's first estimates are rough. */
const WARM_UP_BATCHES = 100;

const MOST_EPOCHS = 50;

/** Without examples it predicts the level of the lags. */
export function networkMethod(rule: NetworkRule): ForecastMethod<NetworkWeights, readonly number[], NetworkFit> {
  // New typed arrays per forecast would cause collector pauses of tens of ms.
  const unpacked = new WeakMap<NetworkWeights, UnpackedNetwork>();
  const unpack = (weights: NetworkWeights): UnpackedNetwork => {
    const known = unpacked.get(weights);
    if (known !== undefined) return known;
    const made = {
      network: rule.networkFor(weights.lags),
      parameters: Float64Array.from(weights.parameters),
      inputs: new Float64Array(weights.lags + 1),
    };
    unpacked.set(weights, made);
    return made;
  };
  return {
    name: rule.name,
    beginFit: (training, seed) => beginNetworkFit(rule, training, seed),
    fitStep: (fit, training) => runBatches(rule, fit, training),
    begin: () => [],
    observe: ({ lags }, memory, maximumRps) => remember(memory, maximumRps, lags),
    predict: (weights, memory) => {
      const window = fullWindow(memory, weights.lags);
      if (window === undefined) return { pointRps: 0, upperRps: 0 };
      const { network, parameters, inputs } = unpack(weights);
      const level = writeInputs(inputs, { maximaRps: window, at: 0 }, weights);
      return forecastOfOutputs(network.forward(parameters, inputs), level);
    },
  };
}

function beginNetworkFit(rule: NetworkRule, { task, maximaRps, targetsRps }: TrainingPeaks, seed: number): NetworkFit {
  const { lags, upperFraction } = task;
  const rng = new SeededRng(seed).fork(rule.name);
  const parameters = Array.from(rule.networkFor(lags).initialParameters(rng));
  const zeros = new Array<number>(parameters.length).fill(0);
  const meanTarget = targetsRps.reduce((sum, target) => sum + target, 0) / Math.max(1, targetsRps.length);
  return {
    doneSteps: 0,
    totalSteps: Math.ceil(batchesFor(rule, examplesOf(targetsRps, lags)) / BATCHES_PER_STEP),
    weights: { ...levelSpread(maximaRps, lags), lags, parameters },
    lossScale: { upperFraction, meanTarget: meanTarget + HALF_REQUEST_RPS },
    seed,
    mean: zeros,
    square: zeros,
  };
}

const examplesOf = (targetsRps: Float64Array, lags: number): number => Math.max(0, targetsRps.length - lags);

const batchesFor = ({ batches, batchSize }: NetworkRule, examples: number): number =>
  Math.min(batches, Math.ceil((MOST_EPOCHS * examples) / batchSize));

function runBatches(rule: NetworkRule, fit: NetworkFit, training: TrainingPeaks): NetworkFit {
  const { weights, doneSteps, seed } = fit;
  const state: AdamState = {
    parameters: Float64Array.from(weights.parameters),
    mean: Float64Array.from(fit.mean),
    square: Float64Array.from(fit.square),
  };
  const examples = examplesOf(training.targetsRps, weights.lags);
  const batches = batchesFor(rule, examples);
  const addGradient = gradientOf(rule.networkFor(weights.lags), fit, training);
  const orderAt = shuffledOrder(examples, seed);
  const gradient = new Float64Array(state.parameters.length);
  const first = doneSteps * BATCHES_PER_STEP;
  for (let batch = first; batch < Math.min(batches, first + BATCHES_PER_STEP); batch++) {
    gradient.fill(0);
    for (let k = 0; k < rule.batchSize; k++) {
      addGradient(orderAt(batch * rule.batchSize + k), state.parameters, gradient);
    }
    for (let k = 0; k < gradient.length; k++) gradient[k] = (gradient[k] as number) / rule.batchSize;
    adamStep(state, gradient, { step: batch + 1, rate: rateAt(rule.rate, batch, batches) });
  }
  return {
    ...fit,
    doneSteps: doneSteps + 1,
    weights: { ...weights, parameters: Array.from(state.parameters) },
    mean: Array.from(state.mean),
    square: Array.from(state.square),
  };
}

/** Linear warm-up, then a cosine to 0 (Loshchilov and Hutter 2017). */
function rateAt(rate: number, batch: number, batches: number): number {
  const warm = Math.min(1, (batch + 1) / WARM_UP_BATCHES);
  return (warm * rate * (1 + Math.cos((Math.PI * batch) / batches))) / 2;
}

type AddGradient = (example: number, parameters: Float64Array, gradient: Float64Array) => void;

function gradientOf(network: Network, { weights, lossScale }: NetworkFit, training: TrainingPeaks): AddGradient {
  const { maximaRps, targetsRps } = training;
  const inputs = new Float64Array(weights.lags + 1);
  const outputGradient = new Float64Array(OUTPUTS);
  return (example, parameters, gradient) => {
    const level = writeInputs(inputs, { maximaRps, at: example }, weights);
    const target = (targetsRps[example + weights.lags] as number) + HALF_REQUEST_RPS;
    const outputs = network.forward(parameters, inputs);
    writeLossGradient(outputGradient, outputs, { level, target, ...lossScale });
    network.backward(parameters, inputs, { outputGradient, gradient });
  };
}
