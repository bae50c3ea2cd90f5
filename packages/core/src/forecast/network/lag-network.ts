import { type AffineMap, applyBackward, applyMap, endOf, spreadWeights } from './affine-map.js';
import { type Network, OUTPUTS } from './network.js';
import { networkMethod } from './network-method.js';

const HIDDEN_UNITS = 16;

/** Two hidden layers of 16 units; trained on at most 256,000 examples. */
export const lagNetwork = networkMethod({
  name: 'lag-network',
  networkFor: (lags) => denseNetwork(lags + 1, HIDDEN_UNITS),
  batches: 8000,
  batchSize: 32,
  rate: 3e-3,
});

export function denseNetwork(inputs: number, hidden: number): Network {
  const first: AffineMap = { at: 0, inputs, outputs: hidden };
  const second: AffineMap = { at: endOf(first), inputs: hidden, outputs: hidden };
  const last: AffineMap = { at: endOf(second), inputs: hidden, outputs: OUTPUTS };
  const [h1, h2, g1, g2] = [0, 1, 2, 3].map(() => new Float64Array(hidden)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const outputs = new Float64Array(OUTPUTS);
  return {
    initialParameters: (rng) => {
      const parameters = new Float64Array(endOf(last));
      spreadWeights(first, parameters, rng);
      spreadWeights(second, parameters, rng);
      return parameters;
    },
    forward: (parameters, input) => {
      applyMap(first, parameters, { input, output: h1 });
      squash(h1);
      applyMap(second, parameters, { input: h1, output: h2 });
      squash(h2);
      applyMap(last, parameters, { input: h2, output: outputs });
      return outputs;
    },
    backward: (parameters, input, { outputGradient, gradient }) => {
      const flat = { parameters, gradient };
      g2.fill(0);
      applyBackward(last, flat, { input: h2, outputGradient, inputGradient: g2 });
      throughTanh(h2, g2);
      g1.fill(0);
      applyBackward(second, flat, { input: h1, outputGradient: g2, inputGradient: g1 });
      throughTanh(h1, g1);
      applyBackward(first, flat, { input, outputGradient: g1 });
    },
  };
}

function squash(values: Float64Array): void {
  for (let k = 0; k < values.length; k++) values[k] = Math.tanh(values[k] as number);
}

function throughTanh(values: Float64Array, gradient: Float64Array): void {
  for (let k = 0; k < values.length; k++) {
    const value = values[k] as number;
    gradient[k] = (gradient[k] as number) * (1 - value * value);
  }
}
