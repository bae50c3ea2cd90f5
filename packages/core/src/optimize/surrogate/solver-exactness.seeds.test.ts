import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import type { StageId, VariantId } from '../../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../../model/pipeline-spec.js';
import { bruteForce } from '../brute-force.test-support.js';
import { prepareProblem } from '../options/prepared-problem.js';
import { PlanOracle } from '../plan-oracle.test-support.js';
import type { PlanningProblem } from '../planning-problem.js';
import { families, randomProblem } from '../random-problems.test-support.js';
import { searchPlan } from '../search/search-plan.js';
import { objectiveValue } from './objective-value.js';
import { SurrogateSolver } from './surrogate-solver.js';

const SMALL = { variants: 2, replicas: 2, batches: 2 };

/** Estimates by distribution take longer, so fewer seeds run. */
const seedsWith =
  process.env['EQUIPOISE_SEEDS'] === 'all'
    ? { 'sum-of-tails': 30, distribution: 4 }
    : { 'sum-of-tails': 10, distribution: 1 };

describe.each(families)('exact on %s', (family) => {
  it.each(['sum-of-tails', 'distribution'] as const)('equals brute force with %s', (estimator) => {
    const seeds = Array.from({ length: seedsWith[estimator] }, (_, i) => i + 1);
    for (const seed of seeds) {
      const { problem, theta, kappa } = randomProblem(family, seed, { size: SMALL, estimator });
      const oracle = bruteForce(problem, theta, kappa);
      const prepared = prepareProblem(problem);
      const solution = new SurrogateSolver(prepared).solve({ theta, kappa });
      const context = `${family} seed ${seed} ${JSON.stringify(problem.spec.objective)}`;
      expect(solution.choice !== undefined, context).toBe(oracle.best !== undefined);
      if (solution.choice === undefined || oracle.best === undefined) continue;
      const kept = new PlanOracle(problem, { theta, kappa }).keepsAll(solution.choice.map((o) => o.option));
      expect(kept, context).toBe(true);
      const value = objectiveValue(prepared.objective, prepared.accuracy, solution.choice);
      const signed = prepared.objective.kind === 'min-cost' ? -value : value;
      expect(Math.abs(signed - oracle.best.value), context).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(signed)));
      const cost = solution.choice.reduce((sum, o) => sum + o.costPerHour, 0);
      if (prepared.objective.kind !== 'weights')
        expect(Math.abs(cost - oracle.best.cost), context).toBeLessThanOrEqual(1e-9 * Math.max(1, cost));
      expect(solution.optimal).toBe(true);
    }
  });
});

type Shares = NonNullable<NonNullable<EdgeSpec['when']>['byVariant']>;

/** The problem with shares by variant instead of each share. Factors of at most 1 keep sums of branches below 1. */
function byVariant({ spec, ...problem }: PlanningProblem, rng: SeededRng): PlanningProblem {
  const sharesOf = (from: StageId, most: number, least: number): Shares => {
    const { variants = [] } = spec.stages.find(({ id }) => id === from) ?? {};
    return Object.fromEntries(variants.map(({ id }) => [id, least + ((most - least) * Math.ceil(3 * rng.next())) / 3]));
  };
  // Behind some variants of the stage before, the shares are others.
  const upstreamOf = (from: StageId, most: number) => {
    const [before] = spec.edges.filter(({ to }) => to === from);
    const { id, variants = [] } = spec.stages.find((stage) => stage.id === before?.from) ?? {};
    const byUpstream = variants
      .filter(() => rng.next() < 0.7)
      .map((variant) => ({ upstream: { [id as StageId]: variant.id }, byVariant: sharesOf(from, most, 0) }));
    return byUpstream.length > 0 && { byUpstream };
  };
  const edges = spec.edges.map(
    ({ when, fanOut, ...edge }): EdgeSpec => ({
      ...edge,
      ...(when && {
        when: {
          ...when,
          byVariant: sharesOf(edge.from, when.probability, 0),
          ...upstreamOf(edge.from, when.probability),
        },
      }),
      ...(fanOut && { fanOut: { expected: fanOut.expected, byVariant: sharesOf(edge.from, fanOut.expected, 1) } }),
    }),
  );
  return { ...problem, spec: { ...spec, edges } };
}

/** One problem for each choice of variants of the stages that decide, with plain shares. */
function pinnedProblems(problem: PlanningProblem): readonly PlanningProblem[] {
  const deciding = problem.spec.stages.filter(({ id }) =>
    problem.spec.edges.some(({ from, when, fanOut }) => from === id && (when ?? fanOut) !== undefined),
  );
  let choices: readonly Readonly<Record<StageId, VariantId>>[] = [{}];
  for (const { id, variants } of deciding)
    choices = choices.flatMap((before) => variants.map((variant) => ({ ...before, [id]: variant.id })));
  return choices.map((choice) => {
    const plain = (shares: Shares | undefined, from: StageId): number => shares?.[choice[from] as VariantId] as number;
    const sharesOf = ({ byVariant: mean, byUpstream = [] }: NonNullable<EdgeSpec['when']>): Shares | undefined =>
      byUpstream.find(({ upstream }) =>
        Object.entries(upstream).every(([id, variant]) => choice[id as StageId] === variant),
      )?.byVariant ?? mean;
    const edges = problem.spec.edges.map(
      ({ when, fanOut, ...edge }): EdgeSpec => ({
        ...edge,
        ...(when && { when: { condition: when.condition, probability: plain(sharesOf(when), edge.from) } }),
        ...(fanOut && { fanOut: { expected: plain(fanOut.byVariant, edge.from) } }),
      }),
    );
    const stages = problem.spec.stages.map((stage) => {
      const variantId = choice[stage.id];
      return variantId === undefined ? stage : { ...stage, pins: { ...stage.pins, variantId } };
    });
    return { ...problem, spec: { ...problem.spec, stages, edges } };
  });
}

describe.each(['when', 'when-alternatives', 'when-nested', 'fan-out'] as const)('exact on %s by variant', (family) => {
  it('equals the best brute force over the variants of the deciding stages', () => {
    const seeds = process.env['EQUIPOISE_SEEDS'] === 'all' ? 75 : 5;
    for (let seed = 1; seed <= seeds; seed++) {
      const plain = randomProblem(family, seed, { size: SMALL, estimator: 'sum-of-tails' }).problem;
      const problem = byVariant(plain, new SeededRng(seed));
      const { objective } = problem.spec;
      const context = `${family} seed ${seed} ${JSON.stringify(objective)}`;
      const answers = pinnedProblems(problem).flatMap((each) => bruteForce(each, 1, 1).best ?? []);
      const outcome = searchPlan(problem);
      expect(outcome.kind === 'found', context).toBe(answers.length > 0);
      if (outcome.kind === 'none') continue;
      const { value, choice, plan } = outcome.found;
      const signed = objective.kind === 'min-cost' ? -value : value;
      const best = Math.max(...answers.map((answer) => answer.value));
      expect(Math.abs(signed - best), context).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(best)));
      const tied = answers.filter((answer) => answer.value >= best - 1e-9 * Math.max(1, Math.abs(best)));
      const cost = choice.reduce((sum, o) => sum + o.costPerHour, 0);
      if (objective.kind === 'max-accuracy')
        expect(cost, context).toBeLessThanOrEqual(Math.min(...tied.map((answer) => answer.cost)) * (1 + 1e-9));
      const own = pinnedProblems(problem).find(({ spec }) =>
        spec.stages.every(
          ({ id, pins }) => (pins.variantId ?? plan.stages[id]?.[0]?.variantId) === plan.stages[id]?.[0]?.variantId,
        ),
      );
      expect(own && new PlanOracle(own, { theta: 1, kappa: 1 }).keepsAll(choice.map((o) => o.option)), context).toBe(
        true,
      );
    }
  });
});

/** The problem with optional members, and measurements with and without each. */
function withOptional({ spec, ...problem }: PlanningProblem, rng: SeededRng): PlanningProblem {
  const isMember = (id: StageId) => spec.edges.some(({ from, to }) => from === id && to === 'vote');
  const stages = spec.stages.map((stage) =>
    isMember(stage.id) && rng.next() < 0.7
      ? { ...stage, optional: isNeeded(spec, stage.id) ? undefined : true }
      : stage,
  ) as PipelineSpec['stages'];
  let choices: readonly Readonly<Record<StageId, VariantId>>[] = [{}];
  for (const { id, variants, optional } of stages) {
    const names = [...variants.map((variant) => variant.id), ...(optional ? ['omitted' as VariantId] : [])];
    choices = choices.flatMap((before) => names.map((name) => ({ ...before, [id]: name })));
  }
  const combinations = choices
    .filter(() => rng.next() < 0.8)
    .map((variants) => ({ variants, accuracy: 0.3 + 0.6 * rng.next() }));
  return { ...problem, spec: { ...spec, stages, accuracyTable: { combinations } } };
}

/** True if a stage other than the vote waits for the stage. */
const isNeeded = ({ edges }: PipelineSpec, id: StageId): boolean =>
  edges.some(({ from, to }) => from === id && to !== 'vote');

/** One problem for each set of members that stay. */
function problemsOfMembers({ spec, ...problem }: PlanningProblem): readonly PlanningProblem[] {
  let sets: readonly (readonly StageId[])[] = [[]];
  for (const { id, optional } of spec.stages) sets = sets.flatMap((set) => (optional ? [set, [...set, id]] : [set]));
  return sets.flatMap((gone) => {
    const left = spec.edges.filter(({ from }) => !gone.includes(from));
    const votes = left.filter(({ to }) => to === 'vote').length;
    if (votes === 0) return [];
    const combinations = (spec.accuracyTable?.combinations ?? []).flatMap(({ variants, ...rest }) => {
      const entries = Object.entries(variants) as [StageId, VariantId][];
      if (entries.some(([id, name]) => (name === 'omitted') !== gone.includes(id))) return [];
      return [{ ...rest, variants: Object.fromEntries(entries.filter(([id]) => !gone.includes(id))) }];
    });
    const edges = left.map(({ join, ...edge }) => ({
      ...edge,
      ...(join !== undefined && votes > 1 && { join: { quorum: Math.min(2, votes) } }),
    }));
    const stages = spec.stages.filter(({ id }) => !gone.includes(id));
    return [{ ...problem, spec: { ...spec, stages, edges, accuracyTable: { combinations } } }];
  });
}

it('exact with optional members: equals the best brute force over the sets of members', () => {
  const seeds = process.env['EQUIPOISE_SEEDS'] === 'all' ? 300 : 12;
  let omitting = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const plain = randomProblem('combine', seed, { size: SMALL, estimator: 'sum-of-tails' }).problem;
    const problem = withOptional(plain, new SeededRng(seed));
    const { objective } = problem.spec;
    const context = `seed ${seed} ${JSON.stringify(objective)}`;
    const answers = problemsOfMembers(problem).flatMap((each) =>
      each.spec.accuracyTable?.combinations.length === 0 ? [] : (bruteForce(each, 1, 1).best ?? []),
    );
    const outcome = searchPlan(problem);
    expect(outcome.kind === 'found', context).toBe(answers.length > 0);
    if (outcome.kind === 'none') continue;
    const { value, choice, plan } = outcome.found;
    const signed = objective.kind === 'min-cost' ? -value : value;
    const best = Math.max(...answers.map((answer) => answer.value));
    expect(Math.abs(signed - best), context).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(best)));
    const tied = answers.filter((answer) => answer.value >= best - 1e-9 * Math.max(1, Math.abs(best)));
    const cost = choice.reduce((sum, o) => sum + o.costPerHour, 0);
    if (objective.kind === 'max-accuracy')
      expect(cost, context).toBeLessThanOrEqual(Math.min(...tied.map((answer) => answer.cost)) * (1 + 1e-9));
    const gone = Object.entries(plan.stages).flatMap(([id, [part]]) => (part?.replicas === 0 ? [id] : []));
    expect(Object.keys(plan.stages), context).toHaveLength(problem.spec.stages.length);
    if (gone.length > 0) omitting += 1;
  }
  expect(omitting).toBeGreaterThan(seeds / 6);
});
