/**
 * LSTM (Hochreiter and Schmidhuber 1997, forget gate of Gers et al. 2000) over the lags, oldest first. A step computes
 * i, f, o = σ(…), g = tanh(…) of W·[lag, last, h] + b; c ← f·c + i·g; h ← o·tanh(c).
 */

import { type AffineMap, applyBackward, applyMap, endOf, spreadWeights } from './affine-map.js';
import { type Network, OUTPUTS } from './network.js';
import { networkMethod } from './network-method.js';

const CELLS = 16;

export const lstm = networkMethod({
  name: 'lstm',
  networkFor: (lags) => lstmNetwork(lags, CELLS),
  batches: 6000,
  batchSize: 32,
  rate: 4e-3,
});

interface Step {
  /** [lag, last input, previous hidden state]. */
  readonly input: Float64Array;
  /** i, f, o and g, with `hidden` values each. */
  readonly gates: Float64Array;
  readonly cell: Float64Array;
  readonly squashedCell: Float64Array;
}

const STEP_INPUTS = 2;
/** With this bias, long ranges are learned sooner (Jozefowicz et al. 2015). */
const FORGET_BIAS = 1;

/** Network with `hidden` cells, for `lags` lags and one more input. */
export function lstmNetwork(lags: number, hidden: number): Network {
  const gateMap: AffineMap = { at: 0, inputs: STEP_INPUTS + hidden, outputs: 4 * hidden };
  const last: AffineMap = { at: endOf(gateMap), inputs: hidden, outputs: OUTPUTS };
  const steps = Array.from({ length: lags }, () => newStep(hidden));
  const state = new Float64Array(hidden);
  const outputs = new Float64Array(OUTPUTS);
  const gradients = newGradients(hidden);
  return {
    initialParameters: (rng) => {
      const parameters = new Float64Array(endOf(last));
      spreadWeights(gateMap, parameters, rng);
      for (let unit = hidden; unit < 2 * hidden; unit++) {
        parameters[unit * (gateMap.inputs + 1) + gateMap.inputs] = FORGET_BIAS;
      }
      return parameters;
    },
    forward: (parameters, inputs) => {
      state.fill(0);
      let before: Float64Array | undefined;
      steps.forEach((step, lag) => {
        step.input[0] = inputs[lag] as number;
        step.input[1] = inputs[lags] as number;
        step.input.set(state, STEP_INPUTS);
        applyMap(gateMap, parameters, { input: step.input, output: step.gates });
        stepForward(step, before, state);
        before = step.cell;
      });
      applyMap(last, parameters, { input: state, output: outputs });
      return outputs;
    },
    backward: (parameters, _inputs, { outputGradient, gradient }) => {
      const flat = { parameters, gradient };
      const { hiddenState, cell, gates, input } = gradients;
      hiddenState.fill(0);
      cell.fill(0);
      applyBackward(last, flat, { input: state, outputGradient, inputGradient: hiddenState });
      for (let lag = lags - 1; lag >= 0; lag--) {
        const step = steps[lag] as Step;
        stepBackward(step, steps[lag - 1]?.cell, gradients);
        input.fill(0);
        applyBackward(gateMap, flat, { input: step.input, outputGradient: gates, inputGradient: input });
        hiddenState.set(input.subarray(STEP_INPUTS));
      }
    },
  };
}

const newStep = (hidden: number): Step => ({
  input: new Float64Array(STEP_INPUTS + hidden),
  gates: new Float64Array(4 * hidden),
  cell: new Float64Array(hidden),
  squashedCell: new Float64Array(hidden),
});

interface LstmGradients {
  readonly hiddenState: Float64Array;
  readonly cell: Float64Array;
  readonly gates: Float64Array;
  readonly input: Float64Array;
}

const newGradients = (hidden: number): LstmGradients => ({
  hiddenState: new Float64Array(hidden),
  cell: new Float64Array(hidden),
  gates: new Float64Array(4 * hidden),
  input: new Float64Array(STEP_INPUTS + hidden),
});

const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));

function stepForward({ gates, cell, squashedCell }: Step, before: Float64Array | undefined, state: Float64Array): void {
  const hidden = cell.length;
  for (let unit = 0; unit < 3 * hidden; unit++) gates[unit] = sigmoid(gates[unit] as number);
  for (let unit = 0; unit < hidden; unit++) {
    const candidate = Math.tanh(gates[3 * hidden + unit] as number);
    gates[3 * hidden + unit] = candidate;
    const kept = (gates[hidden + unit] as number) * (before?.[unit] ?? 0);
    const value = kept + (gates[unit] as number) * candidate;
    cell[unit] = value;
    squashedCell[unit] = Math.tanh(value);
    state[unit] = (gates[2 * hidden + unit] as number) * (squashedCell[unit] as number);
  }
}

function stepBackward(step: Step, before: Float64Array | undefined, slopes: LstmGradients): void {
  const hidden = step.cell.length;
  for (let unit = 0; unit < hidden; unit++) {
    const [i, f, o, g] = [0, 1, 2, 3].map((gate) => step.gates[gate * hidden + unit]) as [
      number,
      number,
      number,
      number,
    ];
    const squashed = step.squashedCell[unit] as number;
    const hiddenSlope = slopes.hiddenState[unit] as number;
    const cellSlope = (slopes.cell[unit] as number) + hiddenSlope * o * (1 - squashed * squashed);
    slopes.gates[unit] = cellSlope * g * i * (1 - i);
    slopes.gates[hidden + unit] = cellSlope * (before?.[unit] ?? 0) * f * (1 - f);
    slopes.gates[2 * hidden + unit] = hiddenSlope * squashed * o * (1 - o);
    slopes.gates[3 * hidden + unit] = cellSlope * i * (1 - g * g);
    slopes.cell[unit] = cellSlope * f;
  }
}
