/**
 * Results of combinations of branches, fan-outs and joins. An end reads "time output output…"; `-` is a skipped output.
 */
import { describe, expect, it } from 'vitest';
import { type StageId, stageId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../model/pipeline-spec.js';
import { graphSpec, type WalkScript, walkThrough, way, when } from './walk-bench.test-support.js';

type Case = [what: string, edges: readonly EdgeSpec[], script: WalkScript, end: string, runs?: string];

const take =
  (...edges: string[]): NonNullable<WalkScript['takes']> =>
  (edge) =>
    edges.includes(edge);
const FAN_OUT = { fanOut: { expected: 2 } };
const ALL = { join: 'all' } as const;
const ANY = { join: 'any' } as const;
const quorum = (count: number) => ({ join: { quorum: count } });

const branches: Case[] = [
  ['a branch that is taken', [when('a>b')], { takes: take('a>b') }, '2 xab'],
  ['a branch that is not: its output is left out', [when('a>b')], {}, '1 -'],
  ['a skip that goes on to the end', [when('a>b'), way('b>c'), way('c>d')], {}, '1 -'],
  [
    'the first branch that holds, in the order of the file',
    [when('a>b'), when('a>c'), when('a>d')],
    { takes: take('a>c', 'a>d') },
    '2 - xac -',
  ],
  ['a plain edge beside branches', [when('a>b'), way('a>c'), when('a>d')], { takes: take('a>d') }, '2 - xac xad'],
  [
    'alternatives that meet again: one input, the other place empty',
    [when('a>b'), when('a>c'), way('b>d'), way('c>d')],
    { takes: take('a>c') },
    '3 {|xac}d',
  ],
  [
    'alternatives none of which holds: the meeting point is skipped',
    [when('a>b'), when('a>c'), way('b>d'), way('c>d')],
    {},
    '1 -',
  ],
  ['a detour that is not taken', [when('a>b'), way('b>c'), way('a>c')], {}, '2 {|xa}c'],
  ['a detour that is taken', [when('a>b'), way('b>c'), way('a>c')], { takes: take('a>b') }, '3 {xab|xa}c'],
  [
    'nested branches, the inner one not taken',
    [when('a>b'), when('b>c'), way('c>d'), way('a>d')],
    { takes: take('a>b') },
    '3 {|xa}d',
  ],
];

const INPUTS = { inputs: [{ name: 'crop', output: 'box' }] };

const inputs: Case[] = [
  ['the inputs of a plain edge are selected', [way('a>b', INPUTS), way('b>c')], {}, '3 xa<crop of 0>bc'],
  [
    'the inputs of one edge of several',
    [way('a>b', INPUTS), way('a>c'), way('b>d', INPUTS), way('c>d')],
    {},
    '3 {xa<crop of 0>b<crop of 0>|xac}d',
  ],
  [
    'a fan-out and a join select by themselves',
    [way('a>b', { ...FAN_OUT, ...INPUTS }), way('b>c', { ...ALL, ...INPUTS })],
    {},
    '4 [xa0b xa1b]c',
  ],
  [
    'a condition reads the whole output',
    [when('a>b', INPUTS)],
    { takes: (_, output) => output === 'xa' },
    '2 xa<crop of 0>b',
  ],
];

const groups: Case[] = [
  [
    'items that go on and items that do not: what came back, in order',
    [way('a>b', FAN_OUT), when('b>c'), way('c>d', ALL)],
    { items: () => 4, takes: (_, output) => /[13]b/.test(output) },
    '7 [xa1bc xa3bc]d',
  ],
  [
    'no item that goes on: the join goes on with none',
    [way('a>b', FAN_OUT), when('b>c'), way('c>d', ALL)],
    {},
    '4 []d',
  ],
  [
    'a condition on the join itself',
    [way('a>b', FAN_OUT), when('b>c', ALL)],
    { items: () => 3, takes: (_, output) => output.includes('1') },
    '5 [xa1b]c',
  ],
  [
    'a fan-out that is not taken: all of its region and the join are skipped',
    [when('a>b', FAN_OUT), way('b>c', FAN_OUT), way('c>d', ALL), way('d>e', ALL)],
    {},
    '1 -',
  ],
  [
    'a fan-out that is not taken beside another way',
    [when('a>b', FAN_OUT), way('b>c', ALL), way('a>c')],
    {},
    '2 {|xa}c',
  ],
  [
    'an output inside a fan-out of which some items are filtered',
    [way('a>b', FAN_OUT), when('b>c')],
    { items: () => 3, takes: (_, output) => output.includes('2') },
    '5 [xa2bc]',
  ],
  ['an output inside a fan-out that is not taken', [when('a>b', FAN_OUT), way('b>c', FAN_OUT)], {}, '1 -'],
  [
    'alternatives inside a fan-out, item by item',
    [way('a>b', FAN_OUT), when('b>c'), when('b>d'), way('c>e'), way('d>e'), way('e>f', ALL)],
    { takes: (edge, output) => edge === (output.includes('0') ? 'b>c' : 'b>d') },
    '6 [{xa0bc}e {|xa1bd}e]f',
  ],
  ['no items at all through an early join', [way('a>b', FAN_OUT), way('b>c', ANY)], { items: () => 0 }, '2 []c'],
];

const early: Case[] = [
  [
    'any: the first of two branches; the other one runs to its end and is ignored',
    [way('a>b'), way('a>c'), way('b>d', ANY), way('c>d', ANY)],
    { serviceMs: { b: 9 } },
    '3 {|xac}d',
    'a(x) b(xa) c(xa) d({|xac})',
  ],
  [
    'any: what the other branch would have done next is not begun',
    [way('a>b'), way('b>e'), way('a>c'), way('e>d', ANY), way('c>d', ANY)],
    { serviceMs: { b: 3, d: 9 } },
    '11 {|xac}d',
    'a(x) b(xa) c(xa) d({|xac})',
  ],
  [
    'any: queued work of the other branch is taken out of the queue',
    [way('a>b'), way('a>c'), way('b>d', ANY), way('c>d', ANY)],
    { replicas: { b: 0 }, serviceMs: { d: 5 } },
    '7 {|xac}d',
    'a(x) c(xa) d({|xac})',
  ],
  ['any of which one cannot come', [when('a>b'), way('a>c'), way('b>d', ANY), way('c>d', ANY)], {}, '3 {|xac}d'],
  ['any of which none can come', [when('a>b'), when('a>c'), way('b>d', ANY), way('c>d', ANY)], {}, '1 -'],
  [
    'quorum 2 of 3',
    [way('a>d', quorum(2)), way('b>d', quorum(2)), way('c>d', quorum(2))],
    { serviceMs: { a: 5, b: 3, c: 9 } },
    '6 {xa|xb}d',
  ],
  [
    'quorum 2 of 3 of which one cannot come',
    [way('a>b'), way('a>c'), when('a>e'), way('b>d', quorum(2)), way('c>d', quorum(2)), way('e>d', quorum(2))],
    { serviceMs: { b: 4 } },
    '6 {xab|xac}d',
  ],
  [
    'quorum 2 of 3 of which only one can come: it goes on with that',
    [way('a>b'), when('a>c'), when('a>e'), way('b>d', quorum(2)), way('c>d', quorum(2)), way('e>d', quorum(2))],
    {},
    '3 {xab}d',
  ],
  [
    'any closes a fan-out with its first item; queued siblings are taken out',
    [way('a>b', FAN_OUT), way('b>c', ANY)],
    { items: () => 3 },
    '3 [xa0b]c',
    'a(x) b(xa0) c([xa0b])',
  ],
  [
    'a quorum closes a fan-out with its first items, in their order',
    [way('a>b', FAN_OUT), way('b>c', quorum(2))],
    { items: () => 3, serviceMs: { b: 2 } },
    '6 [xa0b xa1b]c',
  ],
  [
    'a quorum larger than the group waits for the group',
    [way('a>b', FAN_OUT), way('b>c', quorum(5))],
    { items: () => 2 },
    '4 [xa0b xa1b]c',
  ],
  [
    'a quorum of filtered items waits for those that are left',
    [way('a>b', FAN_OUT), when('b>c', quorum(2))],
    { items: () => 3, takes: (_, output) => output.includes('2') },
    '5 [xa2b]c',
  ],
  [
    'any inside a fan-out, item by item',
    [way('a>b', FAN_OUT), way('a>c', FAN_OUT), way('b>d', ALL), way('c>d', ALL)],
    {},
    '4 {[xa0b xa1b]|[xa0c xa1c]}d',
  ],
  [
    'a hedge inside a fan-out',
    [way('a>b', FAN_OUT), way('b>c'), way('b>d'), way('c>e', ANY), way('d>e', ANY), way('e>f', ALL)],
    { serviceMs: { c: 20 } },
    '6 [{|xa0bd}e {|xa1bd}e]f',
  ],
  [
    'an early join inside a fan-out whose outer join is early, too',
    [way('a>b', FAN_OUT), way('b>c', FAN_OUT), way('c>d', ANY), way('d>e', ANY)],
    { serviceMs: { b: 3 } },
    '7 [[xa0b0c]d]e',
  ],
  [
    'work that another way needs goes on',
    [way('a>b'), way('a>c'), way('b>d', ANY), way('c>d', ANY), way('b>e')],
    { serviceMs: { b: 6 } },
    '8 {|xac}d xabe',
  ],
];

const losses: Case[] = [
  [
    'a branch that fails before the join has gone on: the other one answers',
    [way('a>b'), way('a>c'), way('b>d', ANY), way('c>d', ANY)],
    { fails: (_, stage) => stage === 'b', serviceMs: { c: 5 } },
    '7 {|xac}d',
  ],
  [
    'a branch that fails after the join has gone on',
    [way('a>b'), way('a>c'), way('b>d', ANY), way('c>d', ANY)],
    { fails: (_, stage) => stage === 'b', serviceMs: { b: 2, d: 5 } },
    '7 {|xac}d',
  ],
  [
    'both branches fail',
    [way('a>b'), way('a>c'), way('b>d', ANY), way('c>d', ANY)],
    { fails: (_, stage) => stage !== 'a', serviceMs: { c: 5 } },
    '6 c failed',
  ],
  [
    'a quorum that cannot be filled any more fails the request at once',
    [way('a>d', quorum(2)), way('b>d', quorum(2)), way('c>d', quorum(2))],
    { fails: (_, stage) => stage !== 'a', serviceMs: { a: 9, b: 1, c: 2 } },
    '2 c failed',
  ],
  [
    'a lost item is missed where a skipped one is not: quorum 2 with one lost, one skipped, one there',
    [way('a>b'), way('a>c'), when('a>e'), way('b>d', quorum(2)), way('c>d', quorum(2)), way('e>d', quorum(2))],
    { fails: (_, stage) => stage === 'b' },
    '2 b failed',
  ],
  [
    'a failed item of a group that an early join can do without',
    [way('a>b', FAN_OUT), way('b>c', ANY)],
    { fails: (input) => input.endsWith('0') },
    '4 [xa1b]c',
  ],
  [
    'a failed item inside a branch, behind a fan-out and its join',
    [way('a>b', FAN_OUT), way('b>e', ALL), way('a>c'), way('e>d', ANY), way('c>d', ANY)],
    { fails: (_, stage) => stage === 'b', serviceMs: { c: 9 } },
    '11 {|xac}d',
  ],
  [
    'a failed item that no early join stands behind',
    [way('a>b'), way('a>c'), way('b>d'), way('c>d')],
    { fails: (_, stage) => stage === 'b', serviceMs: { c: 5 } },
    '2 b failed',
  ],
  [
    'a branch that cannot make the deadline is given up alone',
    [way('a>b'), way('a>c'), way('b>d', ANY), way('c>d', ANY)],
    { expectedMs: { b: 1000 }, serviceMs: { c: 9 } },
    '11 {|xac}d',
    'a(x) c(xa) d({|xac})',
  ],
  [
    'no branch that can make it',
    [way('a>b'), way('a>c'), way('b>d', ANY), way('c>d', ANY)],
    { expectedMs: { b: 1000, c: 1000 } },
    '1 deadline-unreachable',
  ],
];

const PARTIAL = { onMissing: 'partial' } as const;

/** The last word of an end names the missing parts: stage and place. */
const partials: Case[] = [
  [
    'a group without the item that failed',
    [way('a>b', FAN_OUT), way('b>c', { ...ALL, ...PARTIAL })],
    { fails: (input) => input.endsWith('0'), items: () => 3 },
    '5 [xa1b xa2b]c without b[0]',
  ],
  [
    'a group of which nothing comes ends the request',
    [way('a>b', FAN_OUT), way('b>c', { ...ALL, ...PARTIAL })],
    { fails: (_, stage) => stage === 'b' },
    '3 b failed',
  ],
  [
    'a group that is empty is no loss',
    [way('a>b', FAN_OUT), way('b>c', { ...ALL, ...PARTIAL })],
    { items: () => 0 },
    '2 []c',
  ],
  [
    'a loss behind the failing stage, in an item of an item',
    [way('a>b', FAN_OUT), way('b>c', FAN_OUT), way('c>d'), way('d>e', { ...ALL, ...PARTIAL }), way('e>f', ALL)],
    { fails: (input) => input === 'xa1b0' },
    '9 [[xa0b0cd xa0b1cd]e [xa1b1cd]e]f without d[1][0]',
  ],
  [
    'an input of a stage that has others',
    [way('a>b'), way('a>c'), way('b>d', PARTIAL), way('c>d', PARTIAL)],
    { fails: (_, stage) => stage === 'b', serviceMs: { c: 5 } },
    '7 {|xac}d without b',
  ],
  [
    'an input that must not be missing beside one that may',
    [way('a>b'), way('a>c'), way('b>d', PARTIAL), way('c>d')],
    { fails: (_, stage) => stage === 'c' },
    '2 c failed',
  ],
  [
    'all inputs are lost',
    [way('a>b'), way('a>c'), way('b>d', PARTIAL), way('c>d', PARTIAL)],
    { fails: (_, stage) => stage !== 'a', serviceMs: { c: 5 } },
    '6 c failed',
  ],
  [
    'an input that cannot make the deadline is given up alone',
    [way('a>b'), way('a>c'), way('b>d', PARTIAL), way('c>d', PARTIAL)],
    { expectedMs: { b: 1000 }, serviceMs: { c: 9 } },
    '11 {|xac}d without b',
    'a(x) c(xa) d({|xac})',
  ],
  [
    'a stage that answers itself cannot be missed',
    [way('a>b'), way('a>c'), way('a>e'), way('b>d', PARTIAL), way('c>d', PARTIAL)],
    { fails: (_, stage) => stage === 'e' },
    '2 e failed',
  ],
];

/** Stage `m` combines. Its answer is its merged or joined input. */
const combines: Case[] = [
  [
    'members answer, and the combine stage at once; it never runs',
    [way('a>b'), way('a>c'), way('b>m'), way('c>m')],
    { serviceMs: { c: 5 } },
    '6 {xab|xac}',
    'a(x) b(xa) c(xa)',
  ],
  [
    'a stage behind takes its answer',
    [way('a>m'), way('b>m'), way('m>c'), way('b>c')],
    { serviceMs: { a: 3 } },
    '4 {{xa|xb}|xb}c',
  ],
  ['a cascade behind', [way('a>m'), way('b>m'), when('m>c')], { takes: take('m>c') }, '2 {xa|xb}c'],
  [
    'a quorum goes on without the slow member, whose later answer is ignored',
    [way('a>m', quorum(2)), way('b>m', quorum(2)), way('c>m', quorum(2)), way('m>d')],
    { serviceMs: { a: 5, b: 3, c: 9, d: 9 } },
    '14 {xa|xb}d',
  ],
  [
    'queued work of members that are not needed is taken out of the queue',
    [way('a>b'), way('a>c'), way('b>m', ANY), way('c>m', ANY)],
    { replicas: { b: 0 } },
    '2 {|xac}',
    'a(x) c(xa)',
  ],
  [
    'combine stages in a row; the first is not needed any more',
    [way('a>m', ANY), way('b>m', ANY), way('c>n', ANY), way('m>n', ANY), way('n>d')],
    { serviceMs: { c: 1, a: 4, b: 6, d: 9 } },
    '10 {xc}d',
  ],
  ['items of a fan-out', [way('a>b', FAN_OUT), way('b>m', ALL), way('m>c')], { items: () => 2 }, '4 [xa0b xa1b]c'],
  [
    'a fan-out without items: the combine stage is skipped',
    [way('a>b', FAN_OUT), way('b>m', ALL)],
    { items: () => 0 },
    '1 -',
  ],
  [
    'what is behind it is skipped, too: conditions, inputs, and a stage with another input',
    [way('a>b', FAN_OUT), way('b>m', ALL), when('m>c'), way('m>d', INPUTS), way('m>e'), way('a>e')],
    { items: () => 0, takes: take('m>c') },
    '2 - - {|xa}e',
    'a(x) e({|xa})',
  ],
  [
    'items all of which are skipped',
    [way('a>b', FAN_OUT), when('b>c'), way('c>m', ALL), way('m>d')],
    {},
    '3 -',
    'a(x) b(xa0) b(xa1)',
  ],
  [
    'a fan-out without items as one member of two',
    [way('a>b', FAN_OUT), way('b>m', ALL), way('a>m'), way('m>c')],
    { items: () => 0 },
    '2 {|xa}c',
  ],
  [
    'a fan-out without items inside another: the outer join omits that item',
    [way('a>b', FAN_OUT), way('b>c', FAN_OUT), way('c>m', ALL), way('m>d', ALL)],
    { items: (output) => (output === 'xa0b' ? 0 : 2) },
    '6 [[xa1b0c xa1b1c]]d',
  ],
  [
    'a member that fails ends the request',
    [way('a>m'), way('b>m')],
    { fails: (_, stage) => stage === 'b', serviceMs: { a: 5 } },
    '1 b failed',
  ],
  [
    'a member that may be missing does not',
    [way('a>m', { onMissing: 'partial' }), way('b>m', { onMissing: 'partial' })],
    { fails: (_, stage) => stage === 'b', serviceMs: { a: 5 } },
    '5 {xa} without b',
  ],
  [
    'a member that may be missing and fails last: its failure completes the request',
    [way('a>m', { onMissing: 'partial' }), way('b>m', { onMissing: 'partial' })],
    { fails: (_, stage) => stage === 'b', serviceMs: { b: 5 } },
    '5 {xa} without b',
  ],
  [
    'a member that is dropped last',
    [way('a>m', { onMissing: 'partial' }), way('b>m', { onMissing: 'partial' })],
    { replicas: { b: 0 }, expectedMs: { a: 1, b: 1 } },
    '399 {xa} without b',
  ],
  [
    'a member that fails last, before a branch that is not taken',
    [way('a>m', { onMissing: 'partial' }), way('b>m', { onMissing: 'partial' }), when('m>c')],
    { fails: (_, stage) => stage === 'b', serviceMs: { b: 5 } },
    '5 - without b',
  ],
  [
    'an omitted member, with the stage that leads to it alone',
    [way('a>p'), way('p>b'), way('a>c'), way('b>m'), way('c>m')],
    { omits: ['p', 'b'] },
    '2 {|xac}',
    'a(x) c(xa)',
  ],
  [
    'an omitted entry',
    [way('a>m', quorum(2)), way('b>m', quorum(2)), way('c>m', quorum(2))],
    { omits: ['a'], serviceMs: { c: 4 } },
    '4 {|xb|xc}',
  ],
  [
    'a quorum of which too few are left',
    [way('a>m', quorum(2)), way('b>m', quorum(2)), way('c>m', quorum(2))],
    { omits: ['a', 'b'] },
    '1 {||xc}',
  ],
  [
    'an omitted member behind a fan-out and its join',
    [way('a>b', FAN_OUT), way('b>d', ALL), way('d>m'), way('a>c'), way('c>m')],
    { omits: ['b', 'd'], serviceMs: { c: 3 } },
    '4 {|xac}',
    'a(x) c(xa)',
  ],
  ['members that are skipped', [when('a>b'), way('a>c'), way('b>m'), way('c>m')], {}, '2 {|xac}'],
];

/** The stages `m` and `n` of a case combine. */
function combining(edges: readonly EdgeSpec[]): PipelineSpec {
  const spec = graphSpec(edges);
  const isCombine = ({ id }: { readonly id: StageId }) => id === 'm' || id === 'n';
  const combine = { method: 'vote', tensor: 'label', output: 'label' } as const;
  return {
    ...spec,
    stages: spec.stages.filter((stage) => !isCombine(stage)),
    combines: spec.stages.filter(isCombine).map(({ id }) => ({ id, ...combine })),
  };
}

describe.each<[string, Case[]]>([
  ['branches', branches],
  ['inputs of edges', inputs],
  ['groups', groups],
  ['early joins', early],
  ['losses', losses],
  ['partial results', partials],
  ['combine stages', combines],
])('%s', (_, cases) => {
  it.each(cases)('%s', (_what, edges, script, end, runs) => {
    const result = walkThrough(combining(edges), script);
    expect(result.ends).toEqual([end]);
    expect(result.endsPerRequest).toEqual([1]);
    expect(result.scheduler.inFlight).toBe(0);
    if (runs !== undefined) expect(result.runs.join(' ')).toBe(runs);
  });
});

describe('outputs', () => {
  const cascade = graphSpec([when('a>b')], { outputs: [{ from: stageId('a') }, { from: stageId('b') }] });

  it('a cascade answers from the stages that ran', () => {
    expect(walkThrough(cascade, {}).ends).toEqual(['1 xa -']);
    expect(walkThrough(cascade, { takes: take('a>b') }).ends).toEqual(['2 xa xab']);
  });

  it('keep their slots when a later one comes first', () => {
    const spec = graphSpec([way('a>b')], { outputs: [{ from: stageId('b') }, { from: stageId('a') }] });
    expect(walkThrough(spec, {}).ends).toEqual(['2 xab xa']);
  });

  it('counts how often branches were taken and how many items fan-outs gave', () => {
    const spec = graphSpec([when('a>b'), when('a>c'), way('b>d', FAN_OUT), way('d>e', ALL)]);
    const script: WalkScript = {
      takes: (edge, output) => (edge === 'a>b' ? output.startsWith('x') : output.startsWith('y')),
      items: () => 3,
    };
    const { scheduler } = walkThrough(spec, script, 3);
    const counts = scheduler.edgeCounts.all.map(({ offered, taken, fanOuts, items }) => [
      offered,
      taken,
      fanOuts,
      items,
    ]);
    expect(counts).toEqual([
      [3, 1, 0, 0],
      [3, 1, 0, 0],
      [0, 0, 1, 3],
      [0, 0, 0, 0],
    ]);
  });
});

it('counts the parts of several sources after the edges, for whom takes counts', () => {
  const spec = graphSpec([way('a>c'), way('b>c')], {
    sources: ['left', 'right'].map((name, i) => ({ name, to: [stageId('ab'[i] ?? '')], tensors: [] })),
  });
  const { scheduler } = walkThrough(spec, {}, 3);
  expect(scheduler.edgeCounts.all).toHaveLength(2);
  expect(scheduler.edgeCounts.take().map(({ offered, taken }) => [offered, taken])).toEqual([
    [0, 0],
    [0, 0],
    [3, 3],
    [3, 3],
  ]);
});

describe('several sources', () => {
  const sources = (to: Readonly<Record<string, readonly string[]>>) =>
    Object.entries(to).map(([name, stages]) => ({ name, to: stages.map(stageId), tensors: [] }));
  const meeting = [way('a>c'), way('b>c'), way('c>d')];
  const left: [string, readonly EdgeSpec[], Readonly<Record<string, readonly string[]>>, readonly number[], string][] =
    [
      ['send their parts to their stages, which meet', meeting, { l: ['a'], r: ['b'] }, [], '3 {x.0a|x.1b}cd'],
      ['send one part to several stages', meeting, { l: ['a', 'b'], r: ['b'] }, [], '3 {x.0a|{x.0|x.1}b}cd'],
      ['meet an edge', [way('a>b'), way('b>c')], { l: ['a'], r: ['c'] }, [], '3 {x.1|x.0ab}c'],
      ['skip the stages of a missing part', meeting, { l: ['a'], r: ['b'] }, [1], '3 {x.0a}cd without r'],
      [
        'skip all stages that only it reaches',
        [way('a>b'), way('b>c'), way('d>c')],
        { l: ['a'], r: ['d'] },
        [0],
        '2 {|x.1d}c without l',
      ],
      ['name a missing part once', meeting, { l: ['a', 'b'], r: ['b'] }, [0], '3 {|{|x.1}b}cd without l'],
      [
        'leave out the answer of a missing part',
        [way('a>b'), way('c>d')],
        { l: ['a'], r: ['c'] },
        [0],
        '2 - x.1cd without l',
      ],
    ];
  it('complete a request of which the plan and the client leave nothing', () => {
    const edges = [way('a>c'), way('b>c', { onMissing: 'partial' })];
    const spec = graphSpec(edges, { sources: sources({ l: ['a'], r: ['b'] }) });
    const result = walkThrough(spec, { lacks: [0], omits: ['b'] });
    expect(result.ends).toEqual(['0 - without l']);
    expect(result.scheduler.inFlight).toBe(0);
  });

  it.each(left)('%s', (_, edges, to, lacks, end) => {
    const result = walkThrough(graphSpec(edges, { sources: sources(to) }), { lacks });
    expect(result.ends).toEqual([end]);
    expect(result.endsPerRequest).toEqual([1]);
    expect(result.scheduler.inFlight).toBe(0);
  });
});

describe('a graph that cannot be walked', () => {
  it.each<[string, readonly EdgeSpec[], RegExp, object?]>([
    ['a join without a fan-out', [way('a>b', ALL)], /join at stage b cannot be served: there is no fan-out/],
    ['any on one edge without a fan-out', [way('a>b', ANY)], /join at stage b cannot be served: there is no fan-out/],
    ['any beside a plain edge', [way('a>c', ANY), way('b>c')], /all or none have `join: any`/],
    ['any beside a quorum', [way('a>c', ANY), way('b>c', quorum(2))], /the same quorum/],
    ['a quorum larger than the edges', [way('a>c', quorum(3)), way('b>c', quorum(3))], /quorum is 3, but 2 edges/],
    [
      'any where a source enters',
      [way('a>c', ANY), way('b>c', ANY)],
      /source enters/,
      { sources: [{ name: 'in', to: ['a', 'b', 'c'].map(stageId), tensors: [] }] },
    ],
  ])('%s is refused', (_, edges, message, more = {}) => {
    expect(() => walkThrough(graphSpec(edges, more))).toThrow(message);
  });
});
