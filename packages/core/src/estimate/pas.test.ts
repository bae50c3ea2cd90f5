import { expect, it } from 'vitest';
import { variantId } from '../model/ids.js';
import { pipelineAccuracy } from './pas.js';
import { modelStage, pipeline } from './pipeline.test-support.js';

const transform = { ...modelStage('t'), kind: 'transform' as const };
const spec = pipeline([modelStage('a'), transform, modelStage('b')], ['a->t*4', 't->b!'], ['b']);
const choice = { a: variantId('v'), t: variantId('v'), b: variantId('v') };

it('multiplies the models visited, each once whatever the fan-out; transforms count 1', () => {
  expect(pipelineAccuracy(spec, choice)).toEqual({ pas: 0.9 * 0.9 });
});

it('lets a measurement win', () => {
  const entry = { variants: { a: variantId('v') }, accuracy: 0.77 };
  const measured = { ...spec, accuracyTable: { combinations: [entry] } };
  expect(pipelineAccuracy(measured, choice)).toEqual({ pas: 0.77, entry });
});
