import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Change } from '../model/change.js';
import type { Plan, StagePlan } from '../model/plan.js';
import type { RunningPlan } from '../model/running-plan.js';
import { FleetBench, planFor, stageA, stageB } from '../serve/fleet/fleet-bench.test-support.js';
import type { ChangeEnd } from '../serve/fleet/fleet-effects.js';
import { changeBounds } from '../serve/rollout/headroom.js';
import { diffPlans, diffUnderWay } from './diff-plans.js';

const coresOf = ({ replicas, resources }: StagePlan): number => replicas * resources.cpuCores;

const anyStage = fc
  .record({
    variant: fc.constantFrom('s', 'l'),
    replicas: fc.integer({ min: 1, max: 6 }),
    cpuCores: fc.constantFrom(0.5, 1, 2),
  })
  .map(({ variant, replicas, cpuCores }) => planFor(variant, replicas, cpuCores));

const anyTurn = fc.record({ a: anyStage, b: anyStage, givesWayAfter: fc.integer({ min: 0, max: 8 }) });

type Turn = Readonly<{ a: StagePlan; b: StagePlan; givesWayAfter: number }>;

/**
 * Applies plans in turn. Each preempts the previous one. Returns the maximum cores in use, and the ends of the last
 * plan's changes.
 */
function followed(turns: readonly Turn[], budgetCpuCores: number) {
  const limits = { budget: { cpuCores: budgetCpuCores }, control: { surgeCpuCores: 2 } };
  const bench = new FleetBench(changeBounds(limits));
  const held = (): number =>
    [stageA, stageB]
      .flatMap((stage) => bench.fleet.runningPlan().stages[stage]?.replicas ?? [])
      .filter(({ status }) => status !== 'failed')
      .reduce((sum, { resources }) => sum + resources.cpuCores, 0);
  let most = 0;
  bench.onEvent = () => {
    most = Math.max(most, held());
  };
  let ends: ChangeEnd[] = [];
  for (const [index, { a, b, givesWayAfter }] of turns.entries()) {
    if (bench.fleet.changing) bench.fleet.preempt(bench.nowMs);
    const plan = { stages: { [stageA]: [a], [stageB]: [b] } } as unknown as Plan;
    const changes = [...diffUnderWay(bench.fleet.runningPlan(), plan, limits)];
    const isLast = index === turns.length - 1;
    ends = [];
    const next = (): void => {
      const change = changes.shift();
      if (change === undefined) return;
      bench.fleet.apply(change, bench.nowMs, (end) => {
        ends.push(end);
        if (end.kind === 'done') next();
      });
    };
    next();
    bench.onEvent();
    // The first plan is not preempted before it is in force.
    for (let step = 0; isLast || index === 0 || step < givesWayAfter; step++) if (!bench.advance()) break;
  }
  return { bench, most, ends };
}

/** `variant:status` of each replica by stage, one core each. */
function running(shown: Readonly<Record<string, readonly string[]>>): RunningPlan {
  const stages = Object.entries(shown).map(([stage, replicas]) => {
    const all = replicas.map((each, i) => {
      const [variant = '', status] = each.split(':');
      const { resources } = planFor(variant, 1);
      return { replicaId: `${stage}-${i}`, variantId: variant, resources, status };
    });
    return [stage, { replicas: all, maxBatchSize: 1, maxBatchWaitMs: 0 }];
  });
  return { stages: Object.fromEntries(stages) };
}

const planOf = (a: StagePlan, b: StagePlan) => ({ stages: { [stageA]: [a], [stageB]: [b] } }) as unknown as Plan;
const limits = { budget: { cpuCores: 4 }, control: {} };
const shownOf = (changes: readonly Change[]) => changes.map(({ stageId, to }) => `${stageId}:${to.replicas}`);

it('what holds the surge already gives the changes behind it no more room', () => {
  const present = running({ a: ['s:ready', 's:ready', 'l:ready'], b: ['s:ready', 's:ready'] });
  const plan = planOf(planFor('s', 3), planFor('s', 1));
  expect(shownOf(diffPlans(present, plan, limits))).toEqual(['a:3', 'b:1']);
  expect(shownOf(diffUnderWay(present, plan, limits))).toEqual(['b:1', 'a:3']);
});

it('tells each stage where to go, also where that is what runs and starts', () => {
  const present = running({ a: ['s:ready', 's:starting'], b: ['s:ready'] });
  const plan = planOf(planFor('s', 2), planFor('s', 1));
  expect(shownOf(diffPlans(present, plan, limits))).toEqual([]);
  expect(shownOf(diffUnderWay(present, plan, limits))).toEqual(['a:2', 'b:1']);
});

it('plans that take the place of one another at any moment keep within budget and surge, and come to an end (1,000 sequences)', () => {
  let arrived = 0;
  const keepsRoom = (turns: readonly Turn[]): void => {
    const budgetCpuCores = Math.max(...turns.map(({ a, b }) => coresOf(a) + coresOf(b)));
    const { bench, most, ends } = followed(turns, budgetCpuCores);
    expect(most).toBeLessThanOrEqual(budgetCpuCores + 2 + 1e-9);
    expect(bench.fleet.changing).toBe(false);
    expect(ends.every(({ kind }) => kind === 'done' || kind === 'failed')).toBe(true);
    const last = turns.at(-1) as Turn;
    const isThere = [last.a, last.b].every(
      ({ variantId, replicas }, i) =>
        bench.shown(i === 0 ? stageA : stageB).join() === Array(replicas).fill(`${variantId}:ready`).join(),
    );
    arrived += isThere ? 1 : 0;
    if (ends.every(({ kind }) => kind === 'done')) expect(isThere).toBe(true);
  };
  fc.assert(fc.property(fc.array(anyTurn, { minLength: 2, maxLength: 5 }), keepsRoom), { seed: 7, numRuns: 1_000 });
  expect(arrived).toBeGreaterThan(950);
});
