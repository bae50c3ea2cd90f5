import { fileURLToPath } from 'node:url';
import { AppError, type PipelineSpec, type StageSpec, stageId } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { toYaml } from '../../api/to-yaml.js';
import { engineFor } from '../engine.js';
import { renderPlan } from '../render-plan.js';
import { EVERY_KIND, requestFor, specOf } from '../render-request.test-support.js';
import { simpleCondition } from './engine-conditions.js';
import { graphCase, graphCaseNames, graphRequest } from './graph-pipelines.test-support.js';
import { graphTree, longestPath } from './graph-tree.js';
import type { InferenceGraph } from './kserve-graph.js';
import { splitOf, withSplit } from './kserve-graph.js';
import { experimentShare, seldonExperiment } from './seldon-pipeline.js';
import type { RenderTarget } from './targets.js';

const targets = ['seldon-v2:theirs', 'seldon-v1:theirs', 'kserve:theirs'] as const;

/** Objects as YAML, or the refusal. */
function rendered(name: string, target: RenderTarget): string {
  try {
    return toYaml(renderPlan(graphRequest(name, target)));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return `${error.message.replaceAll(/^/gm, '# refused: ')}\n`;
  }
}

describe.each(targets)('%s', (target) => {
  it.each(graphCaseNames)('renders, or refuses with reasons: %s', async (name) => {
    const text = rendered(name, target);
    const file = `../golden/${target.replace(':', '-')}/${name}.yaml`;
    await expect(text).toMatchFileSnapshot(fileURLToPath(new URL(file, import.meta.url)));
    expect(rendered(name, target)).toBe(text);
  });

  it('has no router of ours', () => {
    const kinds = new Set(renderPlan(graphRequest('chain', target)).map(({ kind }) => kind));
    expect(kinds.has('Deployment')).toBe(false);
  });

  it('refuses in render with the words of its limits', () => {
    const spec = specOf(EVERY_KIND);
    const { refused } = engineFor(target).limits(spec);
    expect(refused.length).toBeGreaterThan(0);
    expect(() => renderPlan(requestFor(target, { spec }))).toThrow(refused.map(({ message }) => message).join('\n'));
  });

  it('names the functions of our router that it lacks', () => {
    const { without } = engineFor(target).limits(graphCase('chain', target));
    expect(without.map((each) => each.split(':')[0])).toEqual([
      'deadlines',
      'early drops',
      'one queue per stage',
      'priorities',
      ...(target === 'seldon-v1:theirs' ? ['canaries'] : []),
    ]);
  });
});

it('runs these of the ten pipelines', () => {
  const runs = (target: RenderTarget) =>
    graphCaseNames.filter((name) => !rendered(name, target).startsWith('# refused'));
  const all = graphCaseNames;
  expect(runs('seldon-v2:theirs')).toEqual(all.filter((name) => name !== 'cascade'));
  expect(runs('kserve:theirs')).toEqual(all.filter((name) => name !== 'cross-edge'));
  const trees = ['fork', 'switch', 'cascade', 'cross-edge'];
  expect(runs('seldon-v1:theirs')).toEqual(all.filter((name) => !trees.includes(name)));
});

describe('limits', () => {
  const base = graphCase('chain', 'kserve:theirs');
  const [edge] = base.edges as [PipelineSpec['edges'][number]];
  const withEdge = (more: Partial<PipelineSpec['edges'][number]>): PipelineSpec => ({
    ...base,
    edges: [{ ...edge, ...more }],
  });
  const classify = stageId('classify');

  it.each<[string, PipelineSpec, RegExp]>([
    [
      'fan-out by item',
      withEdge({ fanOut: { expected: 3 } }),
      /^KServe has no fan-out by item \(edge detect → classify\)/,
    ],
    ['item-wise join', withEdge({ join: 'all' }), /no join by item/],
    ['quorum', withEdge({ join: { quorum: 2 } }), /no join by item/],
    ['partial join', withEdge({ onMissing: 'partial' }), /no partial joins/],
    ['edge input mapping', withEdge({ inputs: [{ name: 'a', output: 'b' }] }), /does not choose or rename tensors/],
    [
      'another condition',
      withEdge({ when: { condition: 'size(output.a) > 2', probability: 1 } }),
      /compares one tensor/,
    ],
    ['several sources', { ...base, sources: [...base.sources, ...base.sources] }, /no join of several sources/],
    [
      'optional member',
      { ...base, stages: base.stages.map((stage) => ({ ...stage, optional: true as const })) },
      /cannot omit a member/,
    ],
    [
      'combine stage',
      { ...base, combines: [{ id: stageId('vote'), method: 'vote', tensor: 'label', output: 'label' }] },
      /does not run combine stages, and vote is one/,
    ],
    [
      'chosen outputs',
      { ...base, outputs: [{ from: classify, tensors: ['a'] }] },
      /answers with all tensors of the last stage \(output classify\)/,
    ],
    ['an early output', { ...base, outputs: [...base.outputs, { from: stageId('detect') }] }, /detect is none/],
  ])('refuse %s', (_, spec, words) => {
    const [first] = engineFor('kserve:theirs').limits(spec).refused;
    expect(first?.message).toMatch(words);
    expect(first?.message).toContain('Use --target kserve, where Equipoise walks the graph');
  });

  it('name the edge that makes the graph no tree', () => {
    const ofCase = graphCase('cross-edge', 'kserve:theirs');
    const withEdges = (...pairs: readonly (readonly [string, string])[]): PipelineSpec => ({
      ...ofCase,
      edges: pairs.map(([from, to]) => ({ from: stageId(from), to: stageId(to) })),
    });
    const messageOf = (spec: PipelineSpec) => engineFor('kserve:theirs').limits(spec).refused[0]?.message;
    const chain = [
      ['embed', 'label'],
      ['label', 'rank'],
      ['rank', 'merge'],
    ] as const;
    const skipping = withEdges(...chain, ['embed', 'rank'], ['embed', 'merge']);
    expect(messageOf(skipping)).toContain('this graph has an edge between branches (embed → rank). Use');
    const crossing = withEdges(['embed', 'rank'], ['embed', 'merge'], ['label', 'merge']);
    expect(messageOf(crossing)).toMatch(/edge between branches \(\w+ → \w+\)\. Use/);
  });

  it('are problems of the pipeline, not a state that will change', () => {
    expect(() => renderPlan(graphRequest('cross-edge', 'kserve:theirs'))).toThrow(
      expect.objectContaining({ code: 'INVALID_PIPELINE', message: expect.stringContaining('edge embed → label') }),
    );
  });

  it('do not exist where our router walks the graph', () => {
    expect(engineFor('kserve').limits(specOf(EVERY_KIND))).toEqual({ refused: [], without: [] });
  });
});

describe('the estimate of an engine', () => {
  it('takes its hops off the SLO', () => {
    const spec = graphCase('long-chain', 'seldon-v2:theirs');
    expect(longestPath(spec, () => 1)).toBe(3);
    expect(engineFor('seldon-v2:theirs').planningSpec(spec).slo.latencyMs).toBe(400 - 4 * 10);
    expect(engineFor('kserve:theirs').overheadMs(spec)).toBe(8);
    expect(engineFor('kserve').planningSpec(spec)).toBe(spec);
  });

  it('has no hop into a stage whose network time is measured', () => {
    const spec = graphCase('long-chain', 'seldon-v2:theirs');
    const [first, ...others] = spec.stages;
    const measured = { ...spec, stages: [{ ...(first as StageSpec), networkMs: 1 }, ...others] };
    expect(engineFor('seldon-v2:theirs').overheadMs(measured)).toBe(30);
  });

  it('refuses an SLO that the hops use up', () => {
    const spec = graphCase('chain', 'seldon-v2:theirs');
    const tight = { ...spec, slo: { ...spec.slo, latencyMs: 30 } };
    expect(() => engineFor('seldon-v2:theirs').planningSpec(tight)).toThrow('adds 30 ms to each request');
  });
});

it('a graph is a tree of sequences and branches, or is none', () => {
  const text = (name: string) =>
    JSON.stringify(graphTree(graphCase(name, 'kserve:theirs')), (_key, value) => {
      if (value?.kind === 'stage') return value.id;
      return value?.parts === undefined ? value : { [value.kind]: value.parts };
    }).replaceAll('"', '');
  expect(text('long-chain')).toBe('{sequence:[crop,detect,classify]}');
  expect(text('join')).toBe('{sequence:[embed,{parallel:[label,rank]},merge]}');
  expect(text('entry-join')).toBe('{sequence:[{parallel:[audio,video]},merge,answer]}');
  expect(graphTree(graphCase('cross-edge', 'seldon-v2:theirs'))).toBeUndefined();
});

it.each([
  ['output.sure < 0.8', { kind: 'compare', tensor: 'sure', operator: '<', literal: '0.8', isAny: false }],
  ['output.kind[0] == "dog"', { kind: 'compare', tensor: 'kind', operator: '==', literal: '"dog"', isAny: false }],
  [
    'output.scores.exists(s, s > 0.9)',
    { kind: 'compare', tensor: 'scores', operator: '>', literal: '0.9', isAny: true },
  ],
  ['output.sure < threshold', { kind: 'compare', tensor: 'sure', operator: '<', literal: '0.5', isAny: false }],
  ['has(output.dog)', { kind: 'has', tensor: 'dog' }],
  ['true', { kind: 'always' }],
  ['output.scores.exists(s, t > 0.9)', undefined],
  ['output.a < 1 || output.b < 2', undefined],
  ['output.kind == "a\\"b"', undefined],
])('the condition %s in simple terms', (condition, expected) => {
  expect(simpleCondition(condition, 0.5)).toEqual(expected);
});

it('a split gives a graph of KServe a share, and takes it back', () => {
  const graph = renderPlan(graphRequest('join', 'kserve:theirs')).at(-1) as InferenceGraph;
  const split = withSplit(graph, { url: 'http://join--next', fraction: 0.1 });
  expect([splitOf(graph), splitOf(split)]).toEqual([0, 0.1]);
  expect(split.spec.nodes['root']).toMatchObject({ routerType: 'Splitter', steps: [{ weight: 90 }, { weight: 10 }] });
  expect(withSplit(split, { url: 'http://join--next', fraction: 0 })).toEqual(graph);
});

it('an Experiment has the weights of the serving pipeline and of the next one', () => {
  const experiment = seldonExperiment('join', 0.1);
  expect(experiment.spec).toEqual({
    default: 'join',
    resourceType: 'pipeline',
    candidates: [
      { name: 'join', weight: 90 },
      { name: 'join--next', weight: 10 },
    ],
  });
  expect(experimentShare(experiment)).toBe(0.1);
});
