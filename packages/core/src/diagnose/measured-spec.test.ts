import { describe, expect, it } from 'vitest';
import { visitScenarios } from '../estimate/visit-scenarios.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { specWithEdges } from './measured-spec.js';

describe('a spec with measured shares', () => {
  const chain = chainSpec({ sort: [], decode: [], mood: [], rest: [] });
  const [sort, ...others] = chain.stages.map(({ id }) => id);
  const edges = others.map((to, i) => ({
    from: sort as typeof to,
    to,
    when: { condition: 'x', probability: [0.5, 0.3, 0.2][i] as number },
  }));
  const spec = { ...chain, edges, outputs: others.map((from) => ({ from })) };
  const sharesOf = (measured: readonly (readonly [number, number])[]) => {
    const found = specWithEdges(spec, new Map(measured));
    expect(() => visitScenarios(found)).not.toThrow();
    return found.edges.map(({ when }) => when?.probability);
  };

  it('keeps a measured share, and the others divide what it leaves', () => {
    expect(sharesOf([[0, 0.96]])).toEqual([0.96, expect.closeTo(0.024), expect.closeTo(0.016)]);
    expect(sharesOf([[0, 1]])).toEqual([1, 0, 0]);
  });

  it('keeps the other shares where there is room', () => {
    expect(sharesOf([[0, 0.2]])).toEqual([0.2, 0.3, 0.2]);
  });

  it('keeps thresholds and changes the shares of all choices in proportion to the one that was measured', () => {
    const byVariant = { 'x at 0.6': 0.2, 'x at 0.9': 0.4 } as never;
    const when = { condition: 'output.p < threshold', thresholds: [0.6, 0.9], probability: 0.3, byVariant };
    const open = { ...spec, edges: [{ from: sort as never, to: others[0] as never, when }] };
    const running = [{ ...open.edges[0], when: { ...when, probability: 0.4 } }] as never;
    const [edge] = specWithEdges(open, new Map([[0, 0.6]]), running).edges;
    expect(edge?.when).toMatchObject({ thresholds: [0.6, 0.9], condition: when.condition });
    expect(edge?.when?.byVariant).toEqual({ 'x at 0.6': expect.closeTo(0.3), 'x at 0.9': expect.closeTo(0.6) });
  });

  it('scales measured shares that sum to more than 1', () => {
    const shares = sharesOf([
      [0, 0.8],
      [1, 0.8],
    ]);
    expect(shares).toEqual([expect.closeTo(0.5), expect.closeTo(0.5), 0]);
    const all = sharesOf([
      [0, 1],
      [1, 0.6],
      [2, 0],
    ]);
    expect(all).toEqual([0.625, 0.375, 0]);
  });
});
