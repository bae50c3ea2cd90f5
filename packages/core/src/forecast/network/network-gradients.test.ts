import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { pinballLoss, symmetricError } from '../forecast-errors.js';
import { denseNetwork } from './lag-network.js';
import { lstmNetwork } from './lstm-network.js';
import type { Network } from './network.js';
import { writeLossGradient } from './training.js';

const STEP = 1e-5;

/** Random parameters, none of them 0. */
function randomParameters(network: Network, seed: number): Float64Array {
  const rng = new SeededRng(seed);
  return network.initialParameters(rng).map((value) => value + 0.4 * (rng.next() - 0.5));
}

/** Loss whose slopes in the two outputs differ. */
const lossOf = (outputs: Float64Array) => 0.7 * (outputs[0] as number) - 1.3 * (outputs[1] as number);
const OUTPUT_GRADIENT = Float64Array.of(0.7, -1.3);

describe.each([
  ['dense', denseNetwork(5, 4)],
  ['LSTM', lstmNetwork(4, 3)],
])('%s network', (_name, network) => {
  const inputs = Float64Array.of(0.4, -1.2, 0.9, 0.1, 0.6);

  it('has the gradient of finite differences in every parameter', () => {
    const parameters = randomParameters(network, 11);
    network.forward(parameters, inputs);
    const gradient = new Float64Array(parameters.length);
    network.backward(parameters, inputs, { outputGradient: OUTPUT_GRADIENT, gradient });
    const differences = parameters.map((_, k) => {
      const lossAt = (shift: number) =>
        lossOf(
          network.forward(
            parameters.map((value, j) => (j === k ? value + shift : value)),
            inputs,
          ),
        );
      return (lossAt(STEP) - lossAt(-STEP)) / (2 * STEP);
    });
    expect(Array.from(gradient)).toEqual(Array.from(differences, (slope) => expect.closeTo(slope, 7)));
    expect(Math.min(...gradient.map(Math.abs))).toBeGreaterThan(0);
  });

  it('adds to a gradient and keeps nothing from one example to the next', () => {
    const parameters = randomParameters(network, 12);
    const gradient = new Float64Array(parameters.length);
    const add = () => {
      network.forward(parameters, inputs);
      network.backward(parameters, inputs, { outputGradient: OUTPUT_GRADIENT, gradient });
    };
    add();
    const once = Array.from(gradient);
    network.forward(
      parameters,
      inputs.map((value) => -value),
    );
    add();
    expect(Array.from(gradient)).toEqual(once.map((slope) => expect.closeTo(2 * slope, 12)));
  });

  it('answers 0 before it is fitted', () => {
    const outputs = network.forward(network.initialParameters(new SeededRng(1)), inputs);
    expect(Array.from(outputs)).toEqual([0, 0]);
  });
});

describe('LSTM network', () => {
  it('sees the order of the lags', () => {
    const network = lstmNetwork(3, 3);
    const parameters = randomParameters(network, 13);
    const answer = (...inputs: number[]) => Array.from(network.forward(parameters, Float64Array.from(inputs)));
    expect(answer(1, 0, 0, 0.5)).not.toEqual(answer(0, 0, 1, 0.5));
  });

  it('is a step by hand', () => {
    // One cell, one lag. Gates are in the order i, f, o, g; each has weights for lag, last input and state, then a
    // bias.
    const network = lstmNetwork(1, 1);
    const parameters = Float64Array.from(
      [
        [1, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 1, 0, 0],
        [2, 0, 0, 0],
        [1, 0],
        [3, 1],
      ].flat(),
    );
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    const state = sigmoid(-0.2) * Math.tanh(sigmoid(0.5) * Math.tanh(1));
    const outputs = network.forward(parameters, Float64Array.of(0.5, -0.2));
    expect(Array.from(outputs)).toEqual([expect.closeTo(state, 12), expect.closeTo(3 * state + 1, 12)]);
  });
});

describe('writeLossGradient', () => {
  const scale = { upperFraction: 0.95, meanTarget: 12 };

  it.each([
    [0.1, 0.4, 9],
    [0.1, 0.4, 30],
    [-0.5, 0.2, 12.2],
  ])('has the slopes of symmetric error and pinball loss at outputs %f, %f and target %f', (point, upper, target) => {
    const level = 10;
    const lossAt = (a: number, c: number) =>
      symmetricError(target, level * Math.exp(a)) + pinballLoss(target, level * Math.exp(c), 0.95) / scale.meanTarget;
    const gradient = new Float64Array(2);
    writeLossGradient(gradient, Float64Array.of(point, upper), { level, target, ...scale });
    const slope = (at: (shift: number) => number) => (at(STEP) - at(-STEP)) / (2 * STEP);
    expect(Array.from(gradient)).toEqual([
      expect.closeTo(
        slope((shift) => lossAt(point + shift, upper)),
        6,
      ),
      expect.closeTo(
        slope((shift) => lossAt(point, upper + shift)),
        6,
      ),
    ]);
  });
});
