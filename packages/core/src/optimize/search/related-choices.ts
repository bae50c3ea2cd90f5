/**
 * Choices of related problems. A choice that is feasible under harder terms (more load, less time, smaller budget) is
 * feasible here, too. No simulation is needed to find it: it is the optimum of a surrogate.
 */
import type { Plan } from '../../model/plan.js';
import { runningStages } from '../../model/running-plan.js';
import { type PreparedProblem, prepareProblem } from '../options/prepared-problem.js';
import { matchesOption, type OptionKind } from '../options/stage-option.js';
import { type SurrogateChoice, type SurrogateOption, surrogateProblem } from '../options/surrogate.js';
import type { ResourceUse } from '../problem/resource-use.js';
import { SurrogateSolver } from '../surrogate/surrogate-solver.js';

const LOADS = [1.1, 1.3];
const SLOS = [0.85, 0.7];
const BUDGETS = [0.85, 0.7];

type StageOptions = readonly (readonly SurrogateOption[])[];

const optionsAt = (prepared: PreparedProblem): StageOptions =>
  surrogateProblem(prepared, { theta: 0, kappa: 1 }).stages;

const partOf = ([cpuCores, memoryBytes, gpus, costPerHour]: ResourceUse, part: number): ResourceUse => [
  cpuCores * part,
  memoryBytes * part,
  gpus * part,
  costPerHour * part,
];

/**
 * The choice with options of these kinds, by stage; empty if there are none, or if an option does not exist here. The
 * only option of a combine stage needs no kind.
 */
function choicesOf(stages: StageOptions, kinds: readonly (OptionKind | undefined)[]): readonly SurrogateChoice[] {
  if (kinds.length === 0) return [];
  const choice = stages.map((options, s) => {
    if (s >= kinds.length) return options[0];
    const kind = kinds[s];
    return kind && options.find(({ option }) => matchesOption(kind, option));
  });
  return choice.every((option) => option !== undefined) ? [choice] : [];
}

export function knownChoices(prepared: PreparedProblem): readonly SurrogateChoice[] {
  const { candidates = [], runningPlan } = prepared.problem;
  const running = runningPlan && runningStages(prepared.spec, runningPlan);
  const stages = optionsAt(prepared);
  const isOfCase = (plan: Plan['stages']): boolean =>
    [...(prepared.problem.thresholds ?? [])].every(([id, value]) => plan[id]?.[0]?.threshold === value) &&
    [...(prepared.problem.quorums ?? [])].every(([id, value]) => plan[id]?.[0]?.quorum === value);
  return [...(running ? [running] : []), ...candidates].filter(isOfCase).flatMap((plan) =>
    choicesOf(
      stages,
      prepared.spec.stages.map(({ id }) => plan[id]?.[0]),
    ),
  );
}

/** Optima of harder surrogates, translated to options of this problem. */
export function harderChoices(prepared: PreparedProblem): readonly SurrogateChoice[] {
  const { problem, limits, sloMs, graph } = prepared;
  const factors = { theta: 1 / Math.sqrt(graph.depth), kappa: 1 };
  const harder = [
    ...LOADS.map((load) => prepareProblem({ ...problem, arrivalRps: problem.arrivalRps * load })),
    ...SLOS.map((slo) => ({ ...prepared, sloMs: sloMs * slo })),
    ...(limits.some(Number.isFinite) ? BUDGETS : []).map((part) => ({ ...prepared, limits: partOf(limits, part) })),
  ];
  const stages = optionsAt(prepared);
  return harder.flatMap((each) => {
    const { choice = [] } = new SurrogateSolver(each).solve(factors);
    return choicesOf(
      stages,
      choice.map(({ option }) => option),
    );
  });
}
