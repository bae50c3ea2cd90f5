/** Problem as in IPA and the systems of its comparison: base cores, sum of tails, no switching cost. */
import type { Objective, StagePins, StageSpec } from '../../model/pipeline-spec.js';
import { type PlanningProblem, specOf } from '../planning-problem.js';
import { onBaseCores } from './base-cores.js';

/** Weights published for the video pipeline. */
const RELEASED: Objective = { kind: 'weights', accuracy: 2, cost: 1, batch: 1e-6 };

export function literatureWeights(problem: PlanningProblem): Objective {
  const { objective } = specOf(problem);
  return objective.kind === 'weights' ? objective : RELEASED;
}

/** `pinsOf` pins options of a stage. Pins of the pipeline file take precedence. */
export function literatureProblem(
  problem: PlanningProblem,
  objective: Objective,
  pinsOf: (stage: StageSpec) => StagePins = () => ({}),
): PlanningProblem {
  const { pins: _, runningPlan: __, ...rest } = problem;
  const spec = onBaseCores(problem);
  const stages = spec.stages.map((stage) => ({ ...stage, pins: { ...pinsOf(stage), ...stage.pins } }));
  return { ...rest, spec: { ...spec, stages }, objective, estimator: 'sum-of-tails' };
}
