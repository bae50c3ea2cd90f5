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

it('weighs visits by the shares of the chosen variants', () => {
  const [a, b] = ['a', 'b'].map((name) => modelStage(name)) as [never, never];
  const { edges } = pipeline([a, b], ['a->b'], ['b']);
  const when = { condition: 'x', probability: 0.5, byVariant: { [variantId('v')]: 0.25 } };
  const branch = { ...pipeline([a, b], ['a->b'], ['b']), edges: edges.map((edge) => ({ ...edge, when })) };
  expect(pipelineAccuracy(branch, choice).pas).toBeCloseTo(0.75 * 0.9 + 0.25 * 0.9 * 0.9, 12);
});
