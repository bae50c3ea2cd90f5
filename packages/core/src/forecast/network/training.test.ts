import { describe, expect, it } from 'vitest';
import { levelSpread, writeInputs } from './relative-lags.js';
import { adamStep, shuffledOrder } from './training.js';

describe('adamStep', () => {
  it('first moves every parameter by the rate against its slope, however steep', () => {
    const state = { parameters: Float64Array.of(1, 1, 1), mean: new Float64Array(3), square: new Float64Array(3) };
    adamStep(state, Float64Array.of(100, -0.01, 0), { step: 1, rate: 0.1 });
    expect(Array.from(state.parameters)).toEqual([expect.closeTo(0.9, 6), expect.closeTo(1.1, 6), 1]);
  });

  it('is the recursion of the paper in its second step', () => {
    const state = { parameters: Float64Array.of(0), mean: new Float64Array(1), square: new Float64Array(1) };
    adamStep(state, Float64Array.of(1), { step: 1, rate: 0.1 });
    adamStep(state, Float64Array.of(3), { step: 2, rate: 0.1 });
    // First moment 0.9·0.1 + 0.1·3 = 0.39, ÷ (1 − 0.81). Second: 0.999·0.001 + 0.001·9 = 0.009999, ÷ (1 − 0.998001).
    const second = (0.1 * (0.39 / 0.19)) / Math.sqrt(0.009999 / 0.001999);
    expect(state.parameters[0]).toBeCloseTo(-0.1 - second, 6);
  });
});

describe('shuffledOrder', () => {
  it('shows every example once in each epoch, in another order, the same for the same seed', () => {
    const orderAt = shuffledOrder(50, 3);
    const epoch = (first: number) => Array.from({ length: 50 }, (_, k) => orderAt(first + k));
    const [one, two] = [epoch(0), epoch(50)];
    const all = Array.from({ length: 50 }, (_, example) => example);
    for (const order of [one, two]) expect(order.toSorted((a, b) => a - b)).toEqual(all);
    expect(one).not.toEqual(two);
    expect(shuffledOrder(50, 3)(73)).toBe(two[23]);
    expect(Array.from({ length: 50 }, (_, k) => shuffledOrder(50, 4)(k))).not.toEqual(one);
  });
});

describe('writeInputs', () => {
  const flat = { meanLogLevel: 0, stdLogLevel: 1 };
  const inputsOf = (...lags: number[]) => {
    const inputs = new Float64Array(lags.length + 1);
    const level = writeInputs(inputs, { maximaRps: Float64Array.from(lags), at: 0 }, flat);
    return { level, inputs: Array.from(inputs) };
  };

  it('shows a shape the same at any level, up to half a request', () => {
    const [low, high] = [inputsOf(1000, 1100, 900), inputsOf(3000, 3300, 2700)];
    expect(high.inputs.slice(0, 3)).toEqual(low.inputs.slice(0, 3).map((value) => expect.closeTo(value, 2)));
    // Level 1000, then 0.4·1100 + 0.6·1000 = 1040, then 0.4·900 + 0.6·1040 = 984, plus a half.
    expect(low.level).toBe(984.5);
    expect(low.inputs[3]).toBeCloseTo(Math.log(984.5), 12);
  });

  it('is finite where nothing arrived', () => {
    expect(inputsOf(0, 0, 0)).toEqual({ level: 0.5, inputs: [0, 0, 0, Math.log(0.5)] });
    expect(inputsOf(40, 40, 0).inputs[2]).toBe(-3);
  });

  it('spreads the log level to mean 0 and deviation 1', () => {
    const { meanLogLevel, stdLogLevel } = levelSpread(Float64Array.of(9.5, 9.5, 0.5, 0.5), 1);
    expect(meanLogLevel).toBeCloseTo(Math.log(10) / 2, 12);
    expect(stdLogLevel).toBeCloseTo(Math.log(10) / 2, 12);
    expect(levelSpread(Float64Array.of(5, 5, 5), 2)).toMatchObject({ stdLogLevel: 1 });
    expect(levelSpread(new Float64Array(0), 2)).toEqual({ meanLogLevel: 0, stdLogLevel: 1 });
  });
});
