import { describe, expect, it } from 'vitest';
import { boundCpuCores, type ReplicaGroup, stepsWithinHeadroom } from './headroom.js';

const group = (name: string, over: Partial<ReplicaGroup> = {}): ReplicaGroup => {
  const { present = 0, cpuCores = 1 } = over;
  return {
    ...{ name, stage: 'detect', cpuCores, inForce: 0, present, heldCpuCores: present * cpuCores, ready: present },
    ...{ isCalm: true, isOutdated: false, isForeign: false, isUnplaced: false },
    ...over,
  };
};
const old = (replicas: number, over: Partial<ReplicaGroup> = {}) =>
  group('old', { present: replicas, inForce: replicas, ...over });
const counts = ({ replicas }: ReturnType<typeof stepsWithinHeadroom>) => Object.fromEntries(replicas);

describe('boundCpuCores', () => {
  it.each([
    ['the budget and the surge', { budgetCpuCores: 8, surgeCpuCores: 2 }, [old(3)], 10],
    [
      'one replica of the largest kind without a surge',
      { budgetCpuCores: 8 },
      [old(3), group('new', { cpuCores: 2 })],
      10,
    ],
    ['what the plan in force holds where that is more', { budgetCpuCores: 2, surgeCpuCores: 0 }, [old(3)], 3],
    ['nothing without a budget', { budgetCpuCores: Number.POSITIVE_INFINITY }, [old(3)], Number.POSITIVE_INFINITY],
  ])('is %s', (_, bounds, groups, bound) => {
    expect(boundCpuCores(bounds, groups)).toBe(bound);
  });
});

describe('stepsInRoom', () => {
  it('starts all at once where there is room, and lets nothing go', () => {
    const steps = stepsWithinHeadroom([group('new', { wanted: 3 }), old(2)], 5, false);
    expect([steps.kind, counts(steps)]).toEqual(['roomy', { new: 3, old: 2 }]);
  });

  it('starts as many as fit, those that are going counted as there', () => {
    const fresh = group('new', { wanted: 3 });
    expect(counts(stepsWithinHeadroom([fresh, old(2)], 4, false))).toEqual({ new: 2, old: 2 });
    expect(counts(stepsWithinHeadroom([fresh, old(2, { heldCpuCores: 3, isCalm: false })], 4, false))).toEqual({
      new: 1,
      old: 2,
    });
  });

  it('asks for a router over both before an old one goes for a new one', () => {
    const groups = [group('new', { wanted: 4, present: 1 }), old(4)];
    expect(stepsWithinHeadroom(groups, 5, false)).toMatchObject({ kind: 'share' });
    expect(counts(stepsWithinHeadroom(groups, 5, false))).toEqual({ new: 1, old: 4 });
    expect(counts(stepsWithinHeadroom(groups, 5, true))).toEqual({ new: 1, old: 3 });
  });

  it('waits for what starts or goes before it takes the next step', () => {
    const starting = [group('new', { wanted: 4, present: 1, ready: 0, isCalm: false }), old(4)];
    expect(stepsWithinHeadroom(starting, 5, true)).toMatchObject({ kind: 'short' });
    expect(counts(stepsWithinHeadroom(starting, 5, true))).toEqual({ new: 1, old: 4 });
  });

  it('lets nothing go for new replicas that are not ready', () => {
    const failed = [group('new', { wanted: 4, present: 1, ready: 0 }), old(4)];
    expect(stepsWithinHeadroom(failed, 5, true).kind).toBe('none');
  });

  it('makes room by the count alone where the new plan has fewer', () => {
    const steps = stepsWithinHeadroom([group('new', { wanted: 1, cpuCores: 2 }), old(3)], 3, false);
    expect([steps.kind, counts(steps)]).toEqual(['short', { new: 0, old: 2 }]);
  });

  it('touches nothing where nothing leads on', () => {
    const steps = stepsWithinHeadroom([group('new', { wanted: 2 }), old(2)], 2, false);
    expect([steps.kind, counts(steps)]).toEqual(['none', { new: 0, old: 2 }]);
  });

  it('lets a stage shrink before the switch where another grows into its room', () => {
    const groups = [
      group('grows', { stage: 'a', wanted: 4, present: 2, inForce: 2 }),
      group('shrinks', { stage: 'b', wanted: 2, present: 4, inForce: 4 }),
    ];
    expect(counts(stepsWithinHeadroom(groups, 6, false))).toEqual({ grows: 2, shrinks: 3 });
    expect(counts(stepsWithinHeadroom(groups, 7, false))).toEqual({ grows: 3, shrinks: 4 });
  });

  it('replaces the pods of a stage only where there is room for one more', () => {
    const outdated = (name: string) =>
      group(name, { stage: name, wanted: 2, present: 2, inForce: 2, isOutdated: true });
    const steps = stepsWithinHeadroom([outdated('a'), outdated('b')], 5, false);
    expect([steps.kind, [...steps.postponed]]).toEqual(['short', ['b']]);
    expect(stepsWithinHeadroom([outdated('a'), outdated('b')], 6, false).postponed.size).toBe(0);
  });

  it('stops surplus replicas one at a time while a pod finds no node, and not those that take its place', () => {
    const rolling = (present: number) =>
      group('a', { stage: 'a', wanted: 1, present, inForce: 2, isCalm: false, isUnplaced: true });
    const other = (present: number, over: Partial<ReplicaGroup> = {}) =>
      group('b', { stage: 'b', wanted: 1, present, inForce: 2, ...over });
    expect(counts(stepsWithinHeadroom([rolling(2), other(2)], 9, false))).toEqual({ a: 1, b: 2 });
    expect(counts(stepsWithinHeadroom([rolling(1), other(2)], 9, false))).toEqual({ a: 1, b: 1 });
    expect(counts(stepsWithinHeadroom([rolling(1), other(2, { isCalm: false })], 9, false))).toEqual({ a: 1, b: 2 });
    const short = group('c', { stage: 'c', wanted: 3, present: 2, inForce: 2 });
    expect(counts(stepsWithinHeadroom([rolling(1), other(2), short], 5, false))).toEqual({ a: 1, b: 1, c: 2 });
    const fresh = group('new', { wanted: 2, present: 2, ready: 0, isCalm: false, isUnplaced: true });
    expect(counts(stepsWithinHeadroom([fresh, old(2)], 9, false))).toEqual({ new: 2, old: 2 });
  });

  it('leaves those alone that somebody else scales', () => {
    const steps = stepsWithinHeadroom([group('new', { wanted: 3, present: 1, isForeign: true }), old(2)], 9, false);
    expect(counts(steps)).toEqual({ new: 1, old: 2 });
  });

  it.each([
    [4, 4, 1, 1],
    [1, 5, 2, 1],
    [5, 1, 1, 2],
    [3, 2, 1, 3],
    [2, 6, 4, 0.5],
  ])('leads from %i to %i replicas of %d and %d cores with the default surge', (before, wanted, oldCores, newCores) => {
    const budgetCpuCores = Math.max(before * oldCores, wanted * newCores);
    const bound = budgetCpuCores + Math.max(oldCores, newCores);
    for (const { fresh, old: left, isShared } of walk({ before, wanted, oldCores, newCores, budgetCpuCores })) {
      expect(fresh * newCores + left * oldCores).toBeLessThanOrEqual(bound);
      expect(left + (isShared ? fresh : 0)).toBeGreaterThanOrEqual(Math.min(before, wanted));
    }
  });
});

interface Walk {
  readonly before: number;
  readonly wanted: number;
  readonly oldCores: number;
  readonly newCores: number;
  readonly budgetCpuCores: number;
}

/** All states of a switch with successful starts, until all new replicas exist. */
function walk({ before, wanted, oldCores, newCores, budgetCpuCores }: Walk) {
  let now = { fresh: 0, old: before, isShared: false };
  const states = [now];
  while (now.fresh < wanted) {
    const groups = [
      group('new', { wanted, present: now.fresh, cpuCores: newCores }),
      group('old', { present: now.old, inForce: before, cpuCores: oldCores }),
    ];
    const { kind, replicas } = stepsWithinHeadroom(groups, boundCpuCores({ budgetCpuCores }, groups), now.isShared);
    if (kind === 'none' || states.length > 30) throw new Error(`stuck at ${JSON.stringify(now)}`);
    const isShared = now.isShared || kind === 'share';
    now = { fresh: replicas.get('new') ?? 0, old: replicas.get('old') ?? 0, isShared };
    states.push(now);
  }
  return states;
}
