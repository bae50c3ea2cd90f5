import { describe, expect, it } from 'vitest';
import { type StageId, stageId } from '../model/ids.js';
import { GraphWalk } from './graph-walk.js';
import { RequestState } from './request-state.js';
import { servingGraph } from './serving-graph.js';
import { graphSpec, way } from './walk-bench.test-support.js';

const listed = { join: { quorum: 2, quorums: [2, 3] } };
const graph = servingGraph(graphSpec([way('a>d', listed), way('b>d', listed), way('c>d', listed)]));
const indexOf = (id: StageId) => graph.stages.findIndex((stage) => stage.id === id);
const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => indexOf(stageId(name))) as [number, number, number, number];

/** Requests wait in `a`, `b` and `c` until they leave. `joined`: the requests that `d` got. */
function bench(of = graph) {
  const joined: number[] = [];
  const failed: number[] = [];
  const discarded: number[] = [];
  const walk = new GraphWalk<string, undefined>(
    of,
    {
      takes: () => true,
      share: (payload) => payload,
      part: () => undefined,
      items: () => 1,
      select: (_edge, output) => output,
      fanOut: () => [],
      join: (_edge, parts) => parts.join(),
      merge: (_stage, parts) => parts.join(),
    },
    {
      deliver: (request, stage) => {
        if (stage === d) joined.push(request.sequence);
      },
      admits: () => true,
      discard: (request) => discarded.push(request.sequence),
      cannotAnswer: (request) => failed.push(request.sequence),
    },
  );
  let sequence = 0;
  const enter = (): RequestState<string, undefined> => {
    const arrival = { context: undefined, arrivedAtMs: 0, deadlineAtMs: Number.POSITIVE_INFINITY };
    const request = new RequestState<string, undefined>(sequence++, arrival, 1);
    walk.enter(request, 'x');
    return request;
  };
  const leave = (request: RequestState<string, undefined>, ...stages: readonly number[]): void => {
    for (const stage of stages) walk.leave(request, { stage, scope: undefined }, 'y');
  };
  return { walk, enter, leave, joined, failed, discarded };
}

describe('a quorum that a plan chooses', () => {
  it('is the smallest one until a plan sets another', () => {
    const { enter, leave, joined, discarded } = bench();
    leave(enter(), a, c);
    expect([joined, discarded]).toEqual([[0], [0]]);
  });

  it('holds for requests that enter later; the others keep theirs', () => {
    const { walk, enter, leave, joined } = bench();
    const before = enter();
    walk.setQuorum(d, 3);
    const after = enter();
    leave(before, a, b);
    leave(after, a, b);
    expect(joined).toEqual([before.sequence]);
    walk.setQuorum(d, 2);
    leave(after, c);
    leave(enter(), b, c);
    expect(joined).toEqual([0, 1, 2]);
  });

  it('of all members tolerates no loss, a smaller one does', () => {
    const { walk, enter, leave, joined, failed } = bench();
    const tolerant = enter();
    walk.lose(tolerant, a, undefined);
    leave(tolerant, b, c);
    walk.setQuorum(d, 3);
    walk.lose(enter(), a, undefined);
    expect([joined, failed]).toEqual([[0], [1]]);
  });

  it('is set at the stage that carries it only', () => {
    const { walk, enter, leave, joined } = bench();
    walk.setQuorum(a, 3);
    leave(enter(), a, b);
    expect(joined).toEqual([0]);
    expect(graph.stages.map(({ quorumJoin }) => quorumJoin)).toEqual([undefined, undefined, undefined, d]);
  });

  it('is the smallest one for requests that skip the stage that carries it', () => {
    const votes = { join: { quorum: 2, quorums: [2, 4] } };
    const edges = [way('p>a'), ...['a', 'b', 'c', 'd'].map((member) => way(`${member}>m`, votes))];
    const drawn = graphSpec(edges);
    const ensemble = servingGraph({
      ...drawn,
      stages: drawn.stages.filter(({ id }) => id !== stageId('m')),
      combines: [{ id: stageId('m'), method: 'vote', tensor: 'label', output: 'label' }],
    });
    const at = (name: string) => ensemble.stages.findIndex(({ id }) => id === stageId(name));
    const { walk, enter, leave } = bench(ensemble);
    walk.setQuorum(at('a'), 4);
    const before = enter();
    walk.omit(at('p'), true);
    const after = enter();
    for (const request of [before, after]) leave(request, at('b'), at('c'));
    expect([before, after].map(({ missingOutputs }) => missingOutputs)).toEqual([1, 0]);
  });
});
