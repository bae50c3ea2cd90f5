/**
 * One pipeline: checks if its robust and its nominal plan keep the SLO when the service times of each variant are wrong
 * independently of the others.
 */
import {
  type PipelineSpec,
  type Plan,
  type ProfilePoint,
  type Rng,
  SeededRng,
  showsSloMet,
} from '@equipoise/core/model';
import { scaledPoint } from '@equipoise/core/plan';
import { askPlanner } from '../instances/ask-planner.js';
import { drawInstance } from '../instances/draw-instance.js';
import { PlanJudge, specOf, type Worth } from '../instances/plan-judge.js';

export const FACTORS = [1.3, 1.5] as const;
/** Draws of wrong profiles per plan and factor. */
const DRAWS = 4;

export interface PlanCells {
  readonly worth: Worth;
  /** Draws under which the SLO is missed. */
  readonly broken: number;
  /** Draws under which the simulation is inconclusive. */
  readonly unsure: number;
}

export interface FactorResult {
  readonly factor: number;
  readonly kind: string;
  /** CPU seconds of the robust plan. */
  readonly cpuS: number;
  /** Set if both plans exist. */
  readonly robust?: PlanCells;
  readonly nominal?: PlanCells;
}

export interface RobustResult {
  readonly index: number;
  readonly name: string;
  readonly objective: string;
  readonly cells: number;
  readonly nominalCpuS: number;
  readonly factors: readonly FactorResult[];
}

export function measureRobust(seedFrom: string, index: number): RobustResult {
  const instance = drawInstance(seedFrom, index);
  const spec = withRoom(specOf(instance));
  const judge = new PlanJudge(spec, instance.arrivalRps);
  const nominal = askPlanner(judge, WITHOUT_ADVICE);
  const rng = new SeededRng(index).fork(seedFrom);
  const factors = FACTORS.map((factor): FactorResult => {
    const robustJudge = new PlanJudge({ ...spec, robustness: { serviceFactor: factor } }, instance.arrivalRps);
    const { kind, plan, cpuS } = askPlanner(robustJudge, WITHOUT_ADVICE);
    if (plan === undefined || nominal.plan === undefined) return { factor, kind, cpuS };
    const worlds = Array.from({ length: DRAWS }, (_, i) => wrongSpec(spec, factor, rng.fork(`${factor} ${i}`)));
    const judges = worlds.map((world) => new PlanJudge(world, instance.arrivalRps));
    return { factor, kind, cpuS, robust: cellsOf(judges, plan), nominal: cellsOf(judges, nominal.plan) };
  });
  return {
    index,
    name: instance.name,
    objective: spec.objective.kind,
    cells: DRAWS,
    nominalCpuS: nominal.cpuS,
    factors,
  };
}

const WITHOUT_ADVICE = { verifiesAdvice: false };
/** Factor on the generator's budgets, because most leave nothing for robustness. */
const ROOM = 2;

function withRoom(spec: PipelineSpec): PipelineSpec {
  const budget = Object.fromEntries(Object.entries(spec.budget).map(([kind, limit]) => [kind, ROOM * limit]));
  const { nodes, ...rest } = spec;
  return { ...rest, budget, ...(nodes && { nodes: nodes.map((node) => ({ ...node, count: ROOM * node.count })) }) };
}

function cellsOf(judges: readonly PlanJudge[], { stages }: Plan): PlanCells {
  const verdicts = judges.map((judge) => judge.verifiedIndependently(judge.planOf(stages)));
  const unmet = verdicts.filter((verdict) => !showsSloMet(verdict));
  const broken = unmet.filter(({ sloAttainmentFraction, percentile }) => sloAttainmentFraction < percentile / 100);
  const worth = (judges[0] as PlanJudge).worth(stages);
  return { worth, broken: broken.length, unsure: unmet.length - broken.length };
}

/** Each variant's times × its own factor, uniform between 1 ÷ f and f. */
function wrongSpec(spec: PipelineSpec, f: number, rng: Rng): PipelineSpec {
  const stages = spec.stages.map((stage) => ({
    ...stage,
    variants: stage.variants.map((variant) => {
      const { profile = [] } = variant;
      const factor = 1 / f + (f - 1 / f) * rng.fork(`${stage.id} ${variant.id}`).next();
      return { ...variant, profile: profile.map((point: ProfilePoint) => scaledPoint(point, factor)) };
    }),
  }));
  return { ...spec, stages };
}
