import { describe, expect, it } from 'vitest';
import { type EvaluationModule, type LabelledSample, labelledSamples } from './evaluation-module.js';

const moduleOf = (...samples: unknown[]): EvaluationModule => ({
  loadSamples: () => samples as LabelledSample[],
  score: () => 1,
});

const good = { inputs: { x: { datatype: 'FP32', shape: [2], data: Float32Array.of(1, 2) } }, label: 'a' };

describe('labelledSamples', () => {
  it('takes tensors', async () => {
    expect(await labelledSamples(moduleOf(good, { inputs: {}, label: 1 }), 'data')).toHaveLength(2);
  });

  it.each([
    ['another name of the inputs', { input: good.inputs, label: 'a' }, 'has no inputs'],
    ['nothing', undefined, 'has no inputs'],
    ['a plain array', { inputs: { x: [1, 2] }, label: 'a' }, 'has an input x that is no tensor'],
    ['a null', { inputs: { x: null }, label: 'a' }, 'has an input x that is no tensor'],
    [
      'a wrong shape',
      { inputs: { x: { ...good.inputs.x, shape: [3] } }, label: 'a' },
      'has an input x with 2 elements, but its shape has 3',
    ],
  ])('names a sample with %s, and what is expected', async (_, sample, problem) => {
    await expect(labelledSamples(moduleOf(good, sample), 'data')).rejects.toMatchObject({
      code: 'MODULE_INVALID',
      message: expect.stringMatching(
        new RegExp(`^Sample 2 of the evaluation module ${problem}\\. Let loadSamples return`),
      ),
    });
  });
});
