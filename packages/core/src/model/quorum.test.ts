import { describe, expect, it } from 'vitest';
import { type StageId, stageId, type VariantId, variantId } from './ids.js';
import type { EdgeSpec, PipelineSpec } from './pipeline-spec.js';
import type { Plan, StagePlan } from './plan.js';
import { atQuorum, quorumChoices, quorumOfChoice, withoutQuorum } from './quorum.js';
import { quorumsOfPlan, specOfPlan, variantChoice, withKnownChoices } from './resolved-spec.js';
import { chainSpec, planOf } from './spec-builders.test-support.js';
import { atThreshold, thresholdOfChoice, variantOfChoice } from './threshold.js';

const [a, b, c, vote] = ['a', 'b', 'c', 'vote'].map(stageId) as [StageId, StageId, StageId, StageId];
const listed = { join: { quorum: 2, quorums: [2, 3] } } as const;
const into = (from: StageId, to: StageId = vote): EdgeSpec => ({ from, to, ...listed });
const measured = (choice: string, last: string, accuracy: number) => ({
  variants: { [a]: choice as VariantId, [b]: variantId('v'), [c]: last as VariantId } as Readonly<
    Record<StageId, VariantId>
  >,
  accuracy,
});

/** A vote of `a`, `b` and the optional `c`. */
const spec: PipelineSpec = (() => {
  const members = chainSpec({ a: [], b: [], c: [] });
  return {
    ...members,
    stages: members.stages.map((stage) => (stage.id === c ? { ...stage, optional: true as const } : stage)),
    combines: [{ id: vote, method: 'vote', tensor: 'label', output: 'label' }],
    edges: [into(a), into(b), into(c)],
    outputs: [{ from: vote }],
    accuracyTable: {
      combinations: [
        measured('v with quorum 2', 'v', 0.7),
        measured('v with quorum 3', 'v', 0.9),
        measured('v with quorum 3', 'omitted', 0.6),
      ],
    },
  };
})();

function planWith(quorum: number | undefined, lastReplicas = 1): Plan['stages'] {
  const { stages } = planOf(spec, { maxBatchSize: 1, replicas: 1 });
  const [first] = stages[a] as [StagePlan];
  const [last] = stages[c] as [StagePlan];
  return {
    ...stages,
    [a]: [quorum === undefined ? first : { ...first, quorum }],
    [c]: [{ ...last, replicas: lastReplicas }],
  };
}

describe('the choice of a stage', () => {
  it.each([
    ['v', undefined, undefined],
    ['v', undefined, 2],
    ['v', 0.8, 12],
    ['a@0.5/b', -1e-7, 3],
  ] as const)('is the variant %s at the threshold %s with the quorum %s', (name, threshold, quorum) => {
    const choice = atQuorum(atThreshold(variantId(name), threshold), quorum);
    expect([variantOfChoice(choice), thresholdOfChoice(choice), quorumOfChoice(choice)]).toEqual([
      name,
      threshold,
      quorum,
    ]);
    expect(withoutQuorum(choice)).toBe(atThreshold(variantId(name), threshold));
  });
});

describe('the carrier of a choice', () => {
  const carriers = (more: Partial<PipelineSpec>) =>
    quorumChoices({ ...spec, ...more }).map(({ carrier, join }) => `${carrier} of ${join}`);
  const optional = (...ids: readonly StageId[]) =>
    spec.stages.map((stage) => (ids.includes(stage.id) ? { ...stage, optional: true as const } : stage));

  it('is the stage that joins, or the first member of a combine stage that a plan cannot omit', () => {
    expect(carriers({})).toEqual(['a of vote']);
    expect(carriers({ stages: optional(a, c) })).toEqual(['b of vote']);
    expect(carriers({ stages: optional(a, b, c) })).toEqual([]);
    expect(carriers({ edges: [into(a, c), into(b, c)] })).toEqual(['c of c']);
  });

  it('is another stage for each join', () => {
    const second = stageId('second');
    expect(carriers({ edges: [into(a), into(b), into(a, second), into(b, second)] })).toEqual([
      'a of vote',
      'b of second',
    ]);
    const behind = [into(a, b), into(c, b), into(b), into(a)];
    expect(carriers({ edges: behind })).toEqual(['b of b', 'a of vote']);
  });

  it('does not exist for a fixed quorum', () => {
    const fixed = spec.edges.map((edge) => ({ ...edge, join: { quorum: 2 } }));
    expect(carriers({ edges: fixed })).toEqual([]);
  });
});

describe('the spec of a plan', () => {
  it('has its quorum, with the accuracy measured there', () => {
    const { edges, accuracyTable } = specOfPlan(spec, planWith(3));
    expect(edges.map(({ join }) => join)).toEqual([{ quorum: 3 }, { quorum: 3 }, { quorum: 3 }]);
    expect(accuracyTable?.combinations).toContainEqual({ variants: { a: 'v', b: 'v', c: 'v' }, accuracy: 0.9 });
    expect(accuracyTable?.combinations.every(({ variants }) => variants[a] === 'v')).toBe(true);
  });

  it('has the first quorum if the plan names none', () => {
    expect(quorumsOfPlan(spec, planWith(undefined)).get(a)).toBe(2);
    const known = withKnownChoices(spec, planWith(undefined));
    expect(known[a]?.[0]?.quorum).toBe(2);
    expect(known[b]?.[0]?.quorum).toBeUndefined();
    expect(variantChoice(known)).toEqual({ a: 'v with quorum 2', b: 'v', c: 'v' });
  });

  it('waits for at most the members that are left', () => {
    const { edges, accuracyTable } = specOfPlan(spec, planWith(3, 0));
    expect(edges.map(({ join }) => join)).toEqual([{ quorum: 2 }, { quorum: 2 }]);
    expect(accuracyTable?.combinations).toEqual([{ variants: { a: 'v', b: 'v' }, accuracy: 0.6 }]);
  });
});
