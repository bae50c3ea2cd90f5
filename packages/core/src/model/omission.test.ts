import { describe, expect, it } from 'vitest';
import { type Rng, SeededRng } from '../kernel/rng.js';
import { type StageId, stageId } from './ids.js';
import { omittedNodes } from './omission.js';
import type { EdgeSpec, PipelineSpec } from './pipeline-spec.js';

type Graph = Pick<PipelineSpec, 'sources' | 'stages' | 'combines' | 'edges' | 'outputs'>;

const KINDS: Readonly<Record<string, Partial<EdgeSpec>>> = {
  '>': {},
  '?': { when: { condition: 'output.x > 0', probability: 0.3 } },
  ':': { when: { condition: 'true', probability: 0.3 } },
  '*': { fanOut: { expected: 2 } },
  '<': { join: 'all' },
};

const isCombine = (id: string): boolean => id === id.toUpperCase();

/** Graph of edges such as `a>b` or, with a condition, `a?b`. Names in capitals are combine stages. */
function graphOf(ways: string): Graph {
  const edges = ways.split(' ').map(([from = '', kind = '', to = '']): EdgeSpec => {
    return { from: stageId(from), to: stageId(to), ...KINDS[kind] };
  });
  const ids = [...new Set(edges.flatMap(({ from, to }) => [from, to]))];
  const entries = ids.filter((id) => !edges.some(({ to }) => to === id));
  return {
    sources: [{ name: 'in', to: entries, tensors: [] }],
    stages: ids.filter((id) => !isCombine(id)).map((id) => ({ id })) as unknown as Graph['stages'],
    combines: ids.filter(isCombine).map((id) => ({ id, method: 'vote', tensor: 'label', output: 'label' })),
    edges,
    outputs: ids.filter((id) => !edges.some(({ from }) => from === id)).map((from) => ({ from })),
  };
}

const goneOf = (graph: Graph, omitted: string): string | undefined => {
  const gone = omittedNodes(graph, omitted.split(' ').map(stageId));
  return gone && [...gone].sort().join(' ');
};

describe('a stage may be omitted', () => {
  it.each([
    ['if a member is left that always answers', 's>a s?b a>V b>V', 'b', 'b'],
    ['together with those that only lead to it', 's>a s>p p>b a>V b>V', 'b', 'b p'],
    ['if a member is left under the same condition', 's?t t>a t>b a>V b>V', 'a', 'a'],
    ['if a member is left under fewer conditions', 's?t t>a t?b a>V b>V', 'b', 'b'],
    ['if the members that are left answer by turns', 's>m s?a s:b m>V a>V b>V', 'm', 'm'],
    ['if a join of items is left, which runs without items, too', 's>m s*x x?y y<z m>V z>V', 'm', 'm'],
    ['inside of a fan-out', 's*x x>a x>b a>V b>V V<z', 'a', 'a'],
  ])('%s', (_, ways, omitted, gone) => {
    expect(goneOf(graphOf(ways), omitted)).toBe(gone);
  });

  it.each([
    ['if only a member behind a condition is left', 's>a s?b a>V b>V', 'a'],
    ['if a stage before it is all that always answers', 's>p p>a s?b a>V b>V', 'p'],
    ['if the member that is left has another condition', 's?a s?b a>V b>V', 'a'],
    ['if the member that is left has one more condition', 's?t t>a t?b a>V b>V', 'a'],
    ['if the members that are left leave requests to none', 's>m s?a s?b m>V a>V b>V', 'm'],
    ['if only a vote of items is left, of which there may be none', 's>m s*x x<I m>V I>V', 'm'],
    ['if only a condition is left for each item', 's*x x>a x?b a>V b>V V<z', 'a'],
    ['if no member is left', 's>a s>b a>V b>V', 'a b'],
  ])('but not %s', (_, ways, omitted) => {
    expect(goneOf(graphOf(ways), omitted)).toBeUndefined();
  });

  it('if the source of the other member is not optional', () => {
    const graph = graphOf('a>V b>V');
    const source = { name: 'always', to: [stageId('a')], tensors: [] };
    const optional = { name: 'at times', to: [stageId('b')], tensors: [], onMissing: 'partial' } as const;
    const joined = { ...graph, sources: [source, optional] };
    expect([goneOf(joined, 'a'), goneOf(joined, 'b')]).toEqual([undefined, 'b']);
  });
});

const pick = <T>(rng: Rng, values: readonly T[]): T => values[Math.floor(rng.next() * values.length)] as T;

/** Ways of a random graph. A stage has at most one edge with the condition `true`, which is its last one. */
function randomWays(rng: Rng): string {
  const names = ['a'];
  const ways: string[] = [];
  for (const letter of 'bcdefg'.slice(0, 2 + Math.floor(rng.next() * 5))) {
    const froms = new Set([pick(rng, names), pick(rng, names)]);
    const name = froms.size > 1 ? letter.toUpperCase() : letter;
    for (const from of froms) ways.push(from + pick(rng, [...'>>??:']) + name);
    names.push(name);
  }
  const ends = names.filter((name) => !ways.some(([from]) => from === name));
  ways.push(...ends.map((name) => `${name}>Z`));
  const elses = new Map(ways.filter(([, kind]) => kind === ':').map((way) => [way[0], way]));
  const others = ways.filter((way) => elses.get(way[0]) !== way).map((way) => way.replace(':', '?'));
  return [...others, ...elses.values()].join(' ');
}

/** All nodes that go with `omitted`, by repeated removal of those without use or without input. */
function removed({ edges }: Graph, omitted: readonly StageId[]): ReadonlySet<StageId> {
  const gone = new Set(omitted);
  const ids = new Set(edges.flatMap(({ from, to }) => [from, to]));
  for (const _ of ids)
    for (const id of ids) {
      const [into, behind] = [edges.filter(({ to }) => to === id), edges.filter(({ from }) => from === id)];
      if (into.length > 0 && into.every(({ from }) => gone.has(from))) gone.add(id);
      if (behind.length > 0 && behind.every(({ to }) => gone.has(to))) gone.add(id);
    }
  return gone;
}

type Branches = ReadonlyMap<StageId, EdgeSpec | undefined>;

/** All choices of one `when` edge, or none, at each node. */
function branchings({ edges }: Graph): readonly Branches[] {
  let all: readonly Branches[] = [new Map()];
  for (const id of new Set(edges.map(({ from }) => from))) {
    const branches = edges.filter(({ from, when }) => from === id && when !== undefined);
    if (branches.length === 0) continue;
    const hasElse = branches.some(({ when }) => when?.condition === 'true');
    const options = hasElse ? branches : [...branches, undefined];
    all = all.flatMap((before) => options.map((option) => new Map(before).set(id, option)));
  }
  return all;
}

function visited({ edges }: Graph, branches: Branches, gone: ReadonlySet<StageId>): ReadonlySet<StageId> {
  const nodes = new Set([stageId('a')].filter((id) => !gone.has(id)));
  for (let before = -1; before < nodes.size; ) {
    before = nodes.size;
    for (const edge of edges) {
      const isTaken = edge.when === undefined || branches.get(edge.from) === edge;
      if (isTaken && nodes.has(edge.from) && !gone.has(edge.to)) nodes.add(edge.to);
    }
  }
  return nodes;
}

it('may be omitted if and only if no outcome of the conditions takes a part away from a join (1,000 random graphs)', () => {
  const counts = { kept: 0, lost: 0 };
  for (let seed = 0; seed < 1_000; seed++) {
    const rng = new SeededRng(seed).fork('omission');
    const ways = randomWays(rng);
    const graph = graphOf(ways);
    const omitted = new Set([pick(rng, graph.stages).id, pick(rng, graph.stages).id]);
    const gone = removed(graph, [...omitted]);
    const loses = branchings(graph).some((branches) => {
      const left = visited(graph, branches, gone);
      return [...visited(graph, branches, new Set())].some((id) => !gone.has(id) && !left.has(id));
    });
    const isEnd = gone.has(stageId('Z'));
    const expected = loses || isEnd ? undefined : [...gone].sort().join(' ');
    expect(goneOf(graph, [...omitted].join(' ')), `seed ${seed}: ${ways} without ${[...omitted]}`).toBe(expected);
    if (!isEnd) counts[loses ? 'lost' : 'kept'] += 1;
  }
  expect(counts.kept).toBeGreaterThan(100);
  expect(counts.lost).toBeGreaterThan(50);
});
