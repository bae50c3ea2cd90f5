import { describe, expect, it } from 'vitest';
import { type StageId, stageId, variantId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec, SourceSpec } from '../model/pipeline-spec.js';
import { pipelineAccuracy } from './pas.js';
import { modelStage, pipeline } from './pipeline.test-support.js';
import { stageLoads } from './stage-load.js';
import { visitScenarios } from './visit-scenarios.js';

const names = ['a', 'b', 'c', 'd'] as const;

function branching(probabilities: Readonly<Record<string, number>>): PipelineSpec {
  const spec = pipeline(names.map(modelStage), ['a->b', 'a->c', 'b->d', 'c->d'], ['d']);
  const edges = spec.edges.map((edge): EdgeSpec => {
    const probability = probabilities[`${edge.from}${edge.to}`];
    return probability === undefined ? edge : { ...edge, when: { condition: 'x', probability } };
  });
  return { ...spec, edges };
}

const choice = Object.fromEntries(names.map((name) => [stageId(name), variantId('v')]));

describe('visit scenarios', () => {
  it('is a single one without when', () => {
    expect(visitScenarios(branching({}))).toEqual([{ probability: 1, visited: new Set(names) }]);
  });

  it('takes at most one of the branches of a stage', () => {
    const scenarios = visitScenarios(branching({ ab: 0.2, ac: 0.5 }));
    const byVisit = Object.fromEntries(
      scenarios.map(({ probability, visited }) => [[...visited].join(''), probability]),
    );
    expect(byVisit['abd']).toBeCloseTo(0.2, 12);
    expect(byVisit['acd']).toBeCloseTo(0.5, 12);
    expect(byVisit['a']).toBeCloseTo(0.3, 12);
  });

  it('parts a long cascade only where a request still is', () => {
    const stages = Array.from({ length: 14 }, (_, i) => `s${i}`);
    const spec = pipeline(
      stages.map(modelStage),
      stages.slice(1).map((to, i) => `s${i}->${to}`),
      ['s13'],
    );
    const edges = spec.edges.map((edge): EdgeSpec => ({ ...edge, when: { condition: 'x', probability: 0.5 } }));
    const scenarios = visitScenarios({ ...spec, edges });
    expect(scenarios).toHaveLength(14);
    for (const { probability, visited } of scenarios)
      expect(probability).toBeCloseTo(0.5 ** Math.min(13, visited.size), 12);
  });

  it('weighs PAS and load by the visits', () => {
    const spec = branching({ ab: 0.25 });
    expect(pipelineAccuracy(spec, choice).pas).toBeCloseTo(0.9 ** 3 * (0.25 * 0.9 + 0.75), 12);
    expect(stageLoads(spec, 8).get(stageId('b'))?.arrivalRps).toBeCloseTo(2, 12);
    expect(stageLoads(spec, 8).get(stageId('d'))?.arrivalRps).toBeCloseTo(8, 12);
  });

  it('goes on behind a join whether or not items came through, unless the fan-out was not entered', () => {
    const spec = branching({});
    const [ab, , bd] = spec.edges as [EdgeSpec, EdgeSpec, EdgeSpec];
    const when = { condition: 'x', probability: 0.25 };
    const chain = (...edges: EdgeSpec[]) => ({ ...spec, stages: spec.stages.filter(({ id }) => id !== 'c'), edges });
    const fanOut = { expected: 2 };
    const visits = (of: PipelineSpec) =>
      visitScenarios(of).map(({ probability, visited }) => `${[...visited].join('')} ${probability}`);
    const middle = { ...ab, from: stageId('b'), to: stageId('c') };
    const end = { ...bd, from: stageId('c') };
    const filtered = {
      ...spec,
      edges: [
        { ...ab, fanOut },
        { ...middle, when },
        { ...end, join: 'all' as const },
      ],
    };
    expect(visits(filtered)).toEqual(['abcd 0.25', 'abd 0.75']);
    expect(stageLoads(filtered, 8).get(stageId('d'))?.arrivalRps).toBe(8);
    const entered = chain({ ...ab, fanOut, when }, { ...bd, join: 'any' as const });
    expect(visits(entered)).toEqual(['abd 0.25', 'a 0.75']);
    expect(stageLoads(entered, 8).get(stageId('d'))).toMatchObject({ arrivalRps: 2, joined: true });
  });

  it('refuses impossible probabilities', () => {
    expect(() => visitScenarios(branching({ ab: 0.7, ac: 0.5 }))).toThrow(/sum to at most 1/);
    expect(() => visitScenarios(branching({ ab: -0.1 }))).toThrow(/at least 0/);
  });
});

describe('sources that may be missing', () => {
  const [a, b, c] = ['a', 'b', 'c'].map(stageId) as [StageId, StageId, StageId];
  const source = (name: string, to: readonly StageId[], share?: number): SourceSpec => ({
    name,
    to,
    tensors: [],
    ...(share !== undefined && { onMissing: 'partial' as const, share }),
  });
  const visits = (sources: readonly SourceSpec[]) => {
    const spec = { ...pipeline([a, b, c].map(modelStage), ['a->c', 'b->c'], ['c']), sources };
    return [...stageLoads(spec, 1).entries()].map(([id, load]) => [id, load.visits]);
  };

  it('give their stages their share of the load', () => {
    expect(visits([source('l', [a]), source('r', [b], 0.25)])).toEqual([
      [a, 1],
      [b, 0.25],
      [c, 1],
    ]);
  });

  it('are independent, and a stage runs with any of its parts', () => {
    const sources = [source('l', [a], 0.5), source('r', [b], 0.25), source('m', [b, c], 0.5)];
    expect(new Map(visits(sources) as [StageId, number][])).toEqual(
      new Map([
        [a, 0.5],
        [b, 1 - 0.75 * 0.5],
        [c, 1 - 0.5 * 0.75 * 0.5],
      ]),
    );
  });
});
