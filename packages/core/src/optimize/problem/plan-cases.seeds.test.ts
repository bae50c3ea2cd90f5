import { expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import { type StageId, stageId, type VariantId, variantId } from '../../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../../model/pipeline-spec.js';
import { bruteForce } from '../brute-force.test-support.js';
import { PlanOracle } from '../plan-oracle.test-support.js';
import type { PlanningProblem } from '../planning-problem.js';
import { randomProblem } from '../random-problems.test-support.js';
import { searchPlan } from '../search/search-plan.js';

const SMALL = { variants: 2, replicas: 2, batches: 1 };
const [DECIDES, ASKED] = [stageId('b'), stageId('c')];
type Combination = NonNullable<PipelineSpec['accuracyTable']>['combinations'][number];

/**
 * A vote of three members whose member `c` is asked only if `b` is not confident: with optional members, thresholds of
 * the condition, shares by variant and threshold, and measurements of most choices.
 */
function problemWithThresholds(seed: number): PlanningProblem {
  const rng = new SeededRng(seed).fork('thresholds');
  const { spec, ...problem } = randomProblem('combine', seed, { size: SMALL, estimator: 'sum-of-tails' }).problem;
  const thresholds = [0.6, 0.8, 0.95].slice(0, 2 + Math.floor(2 * rng.next()));
  const isNeeded = (id: StageId) => spec.edges.some(({ from, to }) => from === id && to !== 'vote');
  const stages = spec.stages.map((stage) =>
    !isNeeded(stage.id) && stage.id !== 'd' && rng.next() < 0.6 ? { ...stage, optional: true as const } : stage,
  );
  const variants = stages.find(({ id }) => id === DECIDES)?.variants ?? [];
  const shares = variants.flatMap(({ id }) =>
    thresholds.map((threshold) => [`${id} at ${threshold}`, Math.ceil(4 * rng.next()) / 4] as const),
  );
  const escalation: EdgeSpec = {
    from: DECIDES,
    to: ASKED,
    when: {
      condition: 'output.confidence < threshold',
      thresholds,
      probability: 0.5,
      byVariant: Object.fromEntries(shares) as Readonly<Record<VariantId, number>>,
    },
  };
  let choices: readonly Readonly<Record<StageId, string>>[] = [{}];
  for (const { id, variants: own, optional } of stages)
    choices = choices.flatMap((before) => [
      ...own.map((variant) => ({ ...before, [id]: variant.id })),
      ...(optional ? [{ ...before, [id]: 'omitted' }] : []),
    ]);
  const combinations = choices
    .flatMap((choice): readonly Readonly<Record<StageId, string>>[] =>
      choice[ASKED] === 'omitted' || choice[DECIDES] === 'omitted'
        ? [choice]
        : thresholds.map((threshold) => ({ ...choice, [DECIDES]: `${choice[DECIDES]} at ${threshold}` })),
    )
    .filter(() => rng.next() < 0.8)
    .map((choice) => ({ variants: choice, accuracy: 0.3 + 0.6 * rng.next() }) as Combination);
  const sources = spec.sources.map((source) => ({ ...source, to: source.to.filter((id) => id !== ASKED) }));
  const slo = { ...spec.slo, latencyMs: 1.5 * spec.slo.latencyMs };
  return {
    ...problem,
    spec: { ...spec, slo, sources, stages, edges: [escalation, ...spec.edges], accuracyTable: { combinations } },
  };
}

/** One plain problem for each set of members that stay, threshold and variant of the deciding stage. */
function plainProblems(problem: PlanningProblem): readonly PlanningProblem[] {
  let sets: readonly (readonly StageId[])[] = [[]];
  for (const { id, optional } of problem.spec.stages)
    sets = sets.flatMap((set) => (optional ? [set, [...set, id]] : [set]));
  return sets.flatMap((set) => problemsWithout(problem, set));
}

function problemsWithout({ spec, ...problem }: PlanningProblem, set: readonly StageId[]): readonly PlanningProblem[] {
  // Without the stage that decides, nobody asks the other one.
  const gone = set.includes(DECIDES) ? [...new Set([...set, ASKED])] : set;
  const isNeeded = spec.edges.some(({ from, to }) => gone.includes(from) && to !== 'vote' && !gone.includes(to));
  const left = spec.edges.filter(({ from, to }) => !gone.includes(from) && !gone.includes(to));
  const votes = left.filter(({ to }) => to === 'vote').length;
  if (votes === 0 || isNeeded) return [];
  const stages = spec.stages.filter(({ id }) => !gone.includes(id));
  const edges = left.map(({ join, ...edge }) => ({
    ...edge,
    ...(join !== undefined && votes > 1 && { join: { quorum: Math.min(2, votes) } }),
  }));
  const entriesOf = (choiceOf: (id: StageId, name: string) => string | undefined): readonly Combination[] =>
    (spec.accuracyTable?.combinations ?? []).flatMap(({ variants, ...rest }) => {
      const entries = Object.entries<string>(variants) as [StageId, string][];
      if (entries.some(([id, name]) => (name === 'omitted') !== gone.includes(id))) return [];
      const kept = entries.filter(([id]) => !gone.includes(id)).map(([id, name]) => [id, choiceOf(id, name)]);
      if (kept.some(([, name]) => name === undefined)) return [];
      return [{ ...rest, variants: Object.fromEntries(kept) as Combination['variants'] }];
    });
  const plain = (combinations: readonly Combination[], more: Partial<PipelineSpec>): readonly PlanningProblem[] =>
    combinations.length === 0
      ? []
      : [{ ...problem, spec: { ...spec, stages, edges, ...more, accuracyTable: { combinations } } }];
  const branch = edges.find(({ when }) => when !== undefined)?.when;
  if (branch === undefined)
    return plain(
      entriesOf((_, name) => name),
      {},
    );
  const own = stages.find(({ id }) => id === DECIDES)?.variants ?? [];
  return (branch.thresholds ?? []).flatMap((threshold) => {
    const end = ` at ${threshold}`;
    const combinations = entriesOf((id, name) =>
      id !== DECIDES ? name : name.endsWith(end) ? name.slice(0, -end.length) : undefined,
    );
    return own.flatMap(({ id }) => {
      const probability = branch.byVariant?.[variantId(`${id}${end}`)] ?? 0;
      const pinned = stages.map((stage) => (stage.id === DECIDES ? { ...stage, pins: { variantId: id } } : stage));
      const fixed = edges.map((edge) => (edge.when ? { ...edge, when: { condition: 'true', probability } } : edge));
      return plain(combinations, { stages: pinned, edges: fixed });
    });
  });
}

const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));

it('exact with thresholds, optional members and shares by variant: equals the best brute force over all of them', () => {
  const seeds = process.env['EQUIPOISE_SEEDS'] === 'all' ? 300 : 12;
  const seen = { found: 0, thresholds: new Set<number>(), omitting: 0 };
  for (let seed = 1; seed <= seeds; seed++) {
    const problem = problemWithThresholds(seed);
    const { objective } = problem.spec;
    const context = `seed ${seed} ${JSON.stringify(objective)}`;
    const cases = plainProblems(problem);
    const answers = cases.flatMap((each) => {
      const { best } = bruteForce(each, 1, 1);
      return best === undefined ? [] : [{ ...best, problem: each }];
    });
    const outcome = searchPlan(problem);
    expect(outcome.kind === 'found', context).toBe(answers.length > 0);
    if (outcome.kind === 'none') continue;
    const { value, choice, plan } = outcome.found;
    const signed = objective.kind === 'min-cost' ? -value : value;
    const best = Math.max(...answers.map((answer) => answer.value));
    expect(near(signed, best), `${context}: ${signed} instead of ${best}`).toBe(true);
    const tied = answers.filter((answer) => near(answer.value, best));
    const cost = choice.reduce((sum, option) => sum + option.costPerHour, 0);
    if (objective.kind === 'max-accuracy')
      expect(cost, context).toBeLessThanOrEqual(Math.min(...tied.map((answer) => answer.cost)) * (1 + 1e-9));
    // The plan holds in a plain problem that has its accuracy.
    const options = choice.map(({ option }) => option);
    const keeps = cases.some(
      (each) =>
        each.spec.stages.length + (each.spec.combines?.length ?? 0) === options.length &&
        each.spec.stages.every(
          ({ id, pins }, s) => (pins.variantId ?? options[s]?.variantId) === plan.stages[id]?.[0]?.variantId,
        ) &&
        new PlanOracle(each, { theta: 1, kappa: 1 }).keepsAll(options),
    );
    expect(keeps, context).toBe(true);
    const deciding = plan.stages[DECIDES]?.[0];
    const asked = plan.stages[ASKED]?.[0];
    const hasChoice = (deciding?.replicas ?? 0) > 0 && (asked?.replicas ?? 0) > 0;
    expect(deciding?.threshold !== undefined, context).toBe(hasChoice);
    seen.found += 1;
    if (deciding?.threshold !== undefined) seen.thresholds.add(deciding.threshold);
    if (Object.values(plan.stages).some(([part]) => part?.replicas === 0)) seen.omitting += 1;
  }
  expect(seen.found).toBeGreaterThan(seeds / 2);
  expect(seen.thresholds.size).toBeGreaterThan(1);
  expect(seen.omitting).toBeGreaterThan(seeds / 10);
});
