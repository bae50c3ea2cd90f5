/** Odd shapes: an engine that walks the graph serves them as our router does, or refuses them. */
import { describe, expect, it } from 'vitest';
import { engineFor } from '../engine.js';
import { planFor, requestFor } from '../render-request.test-support.js';
import { chainOf, shape } from './graph-shapes.test-support.js';
import type { InferenceGraph } from './kserve-graph.js';
import type { SeldonPipeline } from './seldon-pipeline.js';
import type { RenderTarget } from './targets.js';

const when = (condition: string): string => `when: { condition: '${condition}', probability: 0.3 }`;
const isSure = when('output.sure < 0.8');
const otherwise = when('true');

function refusals(spec: ReturnType<typeof shape>, target: RenderTarget): string {
  return engineFor(target)
    .limits(spec)
    .refused.map(({ message }) => message)
    .join('\n');
}

const rendered = (spec: ReturnType<typeof shape>, target: RenderTarget) =>
  engineFor(target).render(requestFor(target, { spec, plan: planFor(spec) }));

describe('KServe', () => {
  it.each<[string, ReturnType<typeof shape>]>([
    ['a join behind it', shape([`b d ${isSure}`, 'c d'], ['b, unless: d', 'd'])],
    [
      'several stages of one branch',
      shape([`a x ${isSure}`, `a y ${when('output.sure < 0.9')}`, `a w ${otherwise}`, 'x z', 'y z'], ['z', 'w']),
    ],
  ])('refuses a condition with %s', (_, spec) => {
    expect(refusals(spec, 'kserve:theirs')).toMatch(/^KServe /);
  });

  it('has one node for each part, whatever the names of its stages are', () => {
    const long = (end: string) => `stage-with-a-name-that-uses-all-the-characters-there-are-in-${end}`;
    const branches = [long('b1'), long('b2')];
    const spec = shape(
      branches.flatMap((name, index) => [`${name} end${index}`, `a ${name}`, `end${index} z`]),
      ['z'],
    );
    const graph = rendered(spec, 'kserve:theirs').find(({ kind }) => kind === 'InferenceGraph') as InferenceGraph;
    const steps = Object.values(graph.spec.nodes).flatMap((node) => node.steps);
    const urls = steps.flatMap(({ serviceUrl }) => serviceUrl ?? []);
    expect(new Set(urls).size).toBe(spec.stages.length);
    for (const { nodeName } of steps) if (nodeName !== undefined) expect(graph.spec.nodes).toHaveProperty([nodeName]);
  });
});

describe('Seldon Core 2', () => {
  const hasDog = when('has(output.dog)');
  const hasCat = when('has(output.cat)');
  const seldon = (edges: readonly string[], outputs: readonly string[]) => shape(edges, outputs, 'm');
  const outputOf = (spec: ReturnType<typeof shape>) =>
    (rendered(spec, 'seldon-v2:theirs').find(({ kind }) => kind === 'Pipeline') as SeldonPipeline).spec.output;

  it('answers with all branches, also if a part of the graph has conditions', () => {
    const spec = seldon([`a x ${hasDog}`, `a y ${hasCat}`, 'b p', 'b q'], ['p', 'q']);
    expect(outputOf(spec).stepsJoin).toBe('inner');
  });

  it('answers with one of several branches', () => {
    const spec = seldon([`a x ${hasDog}`, `a y ${hasCat}`, 'x z'], ['z', 'y']);
    expect(outputOf(spec).stepsJoin).toBe('any');
  });

  it('gates a stage by a tensor that is not its input', () => {
    const spec = seldon([`a b inputs: [{ name: image, from: picture }], ${hasDog}`], ['b']);
    const objects = rendered(spec, 'seldon-v2:theirs');
    const [, step] = (objects.find(({ kind }) => kind === 'Pipeline') as SeldonPipeline).spec.steps;
    expect(step).toMatchObject({ inputs: ['odd--a--v.outputs.picture'], triggers: ['odd--a--v.outputs.dog'] });
  });

  it('refuses outputs of which some always answer and others may not', () => {
    expect(refusals(seldon(['a b', `a c ${hasDog}`], ['b', 'c']), 'seldon-v2:theirs')).toMatch(/^Seldon Core 2 /);
  });
});

it('Seldon Core 1 refuses two stages with the same model, because a model is found by its name', () => {
  expect(refusals(shape(['a b'], ['b'], 'm'), 'seldon-v1:theirs')).toMatch(/^Seldon Core 1 .* m\b/);
});

describe('Seldon Core 1', () => {
  it('refuses more stages in a row than its definition has levels of children', () => {
    expect(refusals(chainOf(10), 'seldon-v1:theirs')).toBe('');
    expect(refusals(chainOf(11), 'seldon-v1:theirs')).toMatch(
      /^Seldon Core 1 has room for 10 stages in a row, and the longest path has 11\. Use --target seldon-v1/,
    );
  });
});
