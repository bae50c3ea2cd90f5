import { expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import type { StageId } from '../../model/ids.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import { quorumChoices } from '../../model/quorum.js';
import { bruteForce } from '../brute-force.test-support.js';
import { PlanOracle } from '../plan-oracle.test-support.js';
import type { PlanningProblem } from '../planning-problem.js';
import { randomProblem } from '../random-problems.test-support.js';
import { searchPlan } from '../search/search-plan.js';

const SMALL = { variants: 2, replicas: 2, batches: 1 };
const LISTS = [
  [1, 2, 3],
  [2, 3],
  [1, 3],
] as const;
type Combination = NonNullable<PipelineSpec['accuracyTable']>['combinations'][number];

interface QuorumProblem {
  readonly problem: PlanningProblem;
  readonly carrier: StageId;
  readonly quorums: readonly number[];
}

/**
 * A join of three members by code or by a combine stage, with a choice of quorums and measurements of most choices. The
 * combine stage has optional members.
 */
function problemWithQuorums(seed: number): QuorumProblem {
  const rng = new SeededRng(seed).fork('quorums');
  const family = rng.next() < 0.6 ? 'combine' : 'quorum-join';
  const { spec, ...problem } = randomProblem(family, seed, { size: SMALL, estimator: 'sum-of-tails' }).problem;
  const quorums = LISTS[Math.floor(LISTS.length * rng.next())] ?? [2, 3];
  const edges = spec.edges.map((edge) =>
    typeof edge.join === 'object' ? { ...edge, join: { quorum: quorums[0], quorums } } : edge,
  );
  const isNeeded = (id: StageId) => spec.edges.some(({ from, to }) => from === id && to !== 'vote');
  const stages = spec.stages.map((stage) =>
    family === 'combine' && stage.id !== 'd' && stage.id !== 'e' && !isNeeded(stage.id) && rng.next() < 0.5
      ? { ...stage, optional: true as const }
      : stage,
  );
  const [choice] = quorumChoices({ stages, edges });
  if (choice === undefined) throw new Error('no stage carries the quorum');
  let choices: readonly Readonly<Record<StageId, string>>[] = [{}];
  for (const { id, variants, optional } of stages)
    choices = choices.flatMap((before) => [
      ...variants.map((variant) => ({ ...before, [id]: variant.id })),
      ...(optional ? [{ ...before, [id]: 'omitted' }] : []),
    ]);
  const combinations = choices
    .flatMap((each) => quorums.map((k) => ({ ...each, [choice.carrier]: `${each[choice.carrier]} with quorum ${k}` })))
    .filter(() => rng.next() < 0.8)
    .map((variants) => ({ variants, accuracy: 0.3 + 0.6 * rng.next() }) as Combination);
  // Tight, so that the time of the last member decides.
  const slo = { ...spec.slo, latencyMs: (0.8 + 0.6 * rng.next()) * spec.slo.latencyMs };
  return {
    problem: { ...problem, spec: { ...spec, slo, stages, edges, accuracyTable: { combinations } } },
    carrier: choice.carrier,
    quorums,
  };
}

/** One plain problem for each set of members that stay and each quorum. */
function plainProblems({ problem, carrier, quorums }: QuorumProblem): readonly PlanningProblem[] {
  const { spec } = problem;
  let sets: readonly (readonly StageId[])[] = [[]];
  for (const { id, optional } of spec.stages) sets = sets.flatMap((set) => (optional ? [set, [...set, id]] : [set]));
  return sets.flatMap((gone) =>
    quorums.flatMap((quorum) => {
      const left = spec.edges.filter(({ from }) => !gone.includes(from));
      const votes = left.filter(({ join }) => join !== undefined).length;
      const edges = left.map(({ join, ...edge }) => ({
        ...edge,
        ...(join !== undefined && votes > 1 && { join: { quorum: Math.min(quorum, votes) } }),
      }));
      const end = ` with quorum ${quorum}`;
      const combinations = (spec.accuracyTable?.combinations ?? []).flatMap(({ variants, ...rest }) => {
        const entries = Object.entries<string>(variants) as [StageId, string][];
        if (entries.some(([id, name]) => (name === 'omitted') !== gone.includes(id))) return [];
        if (!variants[carrier]?.endsWith(end)) return [];
        const kept = entries.flatMap(([id, name]) => (gone.includes(id) ? [] : [[id, name.replace(end, '')]]));
        return [{ ...rest, variants: Object.fromEntries(kept) as Combination['variants'] }];
      });
      const stages = spec.stages.filter(({ id }) => !gone.includes(id));
      const sources = spec.sources.map((source) => ({ ...source, to: source.to.filter((id) => !gone.includes(id)) }));
      return combinations.length === 0
        ? []
        : [{ ...problem, spec: { ...spec, sources, stages, edges, accuracyTable: { combinations } } }];
    }),
  );
}

const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));

it('exact with quorums and optional members: equals the best brute force over all of them', () => {
  const seeds = process.env['EQUIPOISE_SEEDS'] === 'all' ? 100 : 12;
  const seen = { found: 0, quorums: new Set<number>(), omitting: 0 };
  for (let seed = 1; seed <= seeds; seed++) {
    const drawn = problemWithQuorums(seed);
    const { objective } = drawn.problem.spec;
    const context = `seed ${seed} ${JSON.stringify(objective)}`;
    const cases = plainProblems(drawn);
    const answers = cases.flatMap((each) => {
      const { best } = bruteForce(each, 1, 1);
      return best === undefined ? [] : [best];
    });
    const outcome = searchPlan(drawn.problem);
    expect(outcome.kind === 'found', context).toBe(answers.length > 0);
    if (outcome.kind === 'none') continue;
    const { value, choice, plan } = outcome.found;
    const best = Math.max(...answers.map((answer) => answer.value));
    const signed = objective.kind === 'min-cost' ? -value : value;
    expect(near(signed, best), `${context}: ${signed} instead of ${best}`).toBe(true);
    // The plan holds in a plain problem with its quorum.
    const options = choice.map(({ option }) => option);
    const quorum = plan.stages[drawn.carrier]?.[0]?.quorum;
    expect(drawn.quorums, context).toContain(quorum);
    const plain = plainProblems({ ...drawn, quorums: [quorum ?? 0] });
    const keeps = plain.some(
      (each) =>
        each.spec.stages.every(({ id }) => (plan.stages[id]?.[0]?.replicas ?? 0) > 0) &&
        each.spec.stages.length + (each.spec.combines?.length ?? 0) === options.length &&
        new PlanOracle(each, { theta: 1, kappa: 1 }).keepsAll(options),
    );
    expect(keeps, context).toBe(true);
    seen.found += 1;
    if (quorum !== undefined) seen.quorums.add(quorum);
    if (Object.values(plan.stages).some(([part]) => part?.replicas === 0)) seen.omitting += 1;
  }
  expect(seen.found).toBeGreaterThan(seeds / 2);
  expect(seen.quorums.size).toBeGreaterThan(1);
  expect(seen.omitting).toBeGreaterThan(0);
});
