/** Reasons against other variants of a stage. Each is pinned, and the plan's surrogate is solved. */
import type { VariantId } from '../../model/ids.js';
import type { StageSpec } from '../../model/pipeline-spec.js';
import type { BindingConstraint } from '../../model/plan.js';
import { hasKnownAccuracy, type PreparedProblem, prepareProblem } from '../options/prepared-problem.js';
import type { StageOption } from '../options/stage-option.js';
import type { PlanningProblem } from '../planning-problem.js';
import { planCases } from '../problem/plan-cases.js';
import { ratedVariants } from '../problem/rated-variants.js';
import { costOf, isBetter, objectiveValue } from '../surrogate/objective-value.js';
import { SurrogateSolver } from '../surrogate/surrogate-solver.js';
import type { ExplainedPlan } from './explained-plan.js';
import type { RejectedVariant, StageExplanation, VariantVerdict } from './plan-explanation.js';

/** Verdicts on two variants: the next more accurate one, and the next cheaper one per item. */
export function rejectedVariants(
  explained: ExplainedPlan,
  s: number,
  chosen: StageOption | undefined,
): Pick<StageExplanation, 'nextBetter' | 'nextCheaper'> {
  const { prepared, problem } = explained;
  const stage = prepared.spec.stages[s];
  if (stage === undefined || chosen === undefined) return {};
  const rated = ratedVariants(prepared.spec, problem.profiles, stage);
  const own = rated.find(({ variant }) => variant.id === chosen.variantId);
  if (own === undefined) return {};
  const [better] = rated
    .filter((v) => v.accuracy > own.accuracy)
    .sort((a, b) => a.accuracy - b.accuracy || a.costPerItemRps - b.costPerItemRps);
  const [cheaper] = rated
    .filter((v) => v.costPerItemRps < own.costPerItemRps)
    .sort((a, b) => b.costPerItemRps - a.costPerItemRps || b.accuracy - a.accuracy);
  const rejected = (variantId: VariantId): RejectedVariant => ({
    variantId,
    verdict: verdictOn(explained, s, variantId),
  });
  return {
    ...(better === undefined ? {} : { nextBetter: rejected(better.variant.id) }),
    ...(cheaper === undefined ? {} : { nextCheaper: rejected(cheaper.variant.id) }),
  };
}

function verdictOn(explained: ExplainedPlan, s: number, variantId: VariantId): VariantVerdict {
  const { objective } = explained.prepared;
  const held = holdVariant(explained, s, variantId);
  const best = bestOf(explained, held);
  if (best === undefined) return { kind: 'impossible', bindingConstraint: bindingOf(explained, held, s) };
  const { value, costPerHour } = best;
  const { objectiveValue: taken } = explained.result;
  if (isBetter(objective, taken, value)) return { kind: 'worse', value, costPerHour };
  if (!isBetter(objective, value, taken)) return { kind: 'dearer', value, costPerHour };
  const { pins } = explained.prepared.spec.stages[s] as StageSpec;
  return { kind: pins.variantId === undefined ? 'refuted' : 'pinned', value, costPerHour };
}

function holdVariant({ prepared, problem }: ExplainedPlan, s: number, variantId: VariantId): PlanningProblem {
  const pins = prepared.spec.stages.map((stage, t) => [stage.id, t === s ? held(stage, variantId) : stage.pins]);
  return { ...problem, pins: Object.fromEntries(pins) };
}

const held = ({ pins, optional }: StageSpec, variantId: VariantId): StageSpec['pins'] => ({
  ...pins,
  variantId,
  ...(optional && { omitted: false }),
});

interface BestChoice {
  readonly value: number;
  readonly costPerHour: number;
}

function bestOf({ factors }: ExplainedPlan, problem: PlanningProblem): BestChoice | undefined {
  let best: BestChoice | undefined;
  for (const each of planCases(problem)) {
    const prepared = prepareProblem(each);
    const { choice } = new SurrogateSolver(prepared).solve(factors);
    if (choice === undefined) continue;
    const value = objectiveValue(prepared.objective, prepared.accuracy, choice);
    if (best === undefined || isBetter(prepared.objective, value, best.value))
      best = { value, costPerHour: costOf(choice) };
  }
  return best;
}

function bindingOf(explained: ExplainedPlan, held: PlanningProblem, s: number): BindingConstraint {
  const { percentile } = explained.prepared.spec.slo;
  const unhurried = { ...held, slo: { latencyMs: Number.MAX_VALUE, percentile } };
  if (bestOf(explained, unhurried) !== undefined) return 'slo';
  const unlimited = { ...held, budget: {} };
  if (bestOf(explained, unlimited) !== undefined) return 'budget';
  const cases = (problem: PlanningProblem) => planCases(problem).map(prepareProblem);
  if (!cases({ ...unlimited, arrivalRps: 0 }).some(hasKnownAccuracy)) return 'unmeasured-accuracy';
  const id = explained.prepared.spec.stages[s]?.id;
  const isEmpty = ({ spec, options }: PreparedProblem) =>
    options[spec.stages.findIndex((stage) => stage.id === id)]?.length === 0;
  return cases(unlimited).every(isEmpty) ? 'capacity' : 'accuracy-floor';
}
