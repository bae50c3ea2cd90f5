/**
 * Solves a surrogate with product accuracy by label setting: first for the objective, then to break ties. Among ties,
 * `max-accuracy` prefers lower cost and `min-cost` higher accuracy; `weights` has no preference.
 */

import type { LabelGoal } from '../labels/compile-labels.js';
import { labelGraph } from '../labels/label-graph.js';
import { NO_FLOOR } from '../labels/label-problem.js';
import type { LabelSolution } from '../labels/solve-labels.js';
import type { Solution, SurrogateOption, SurrogateProblem } from '../options/surrogate.js';
import { LOG_PAS_TIE, logPas } from '../problem/accuracy-model.js';
import { type SolvedGoal, solveGoal } from './solve-goal.js';

const SOLVER = 'label-setting';
const COST_TIE = 1e-12;

const costPerHour = (o: SurrogateOption): number => o.costPerHour;

const scoreFloorOf = (pas: number): number => (pas > 0 ? logPas(pas) - LOG_PAS_TIE : NO_FLOOR);

function firstGoal({ objective }: SurrogateProblem): LabelGoal {
  switch (objective.kind) {
    case 'max-accuracy':
      return { goal: { kind: 'score' } };
    case 'min-cost':
      return { goal: { kind: 'cost', scoreFloor: scoreFloorOf(objective.accuracyFloor) }, costOf: costPerHour };
    case 'weights':
      return {
        goal: { kind: 'weights', accuracy: objective.accuracy },
        costOf: (o) => objective.cost * o.costPerHour + objective.batch * o.option.maxBatchSize,
      };
  }
}

function secondGoal({ objective }: SurrogateProblem, value: number): LabelGoal | undefined {
  switch (objective.kind) {
    case 'max-accuracy':
      return { goal: { kind: 'cost', scoreFloor: value - LOG_PAS_TIE }, costOf: costPerHour };
    case 'min-cost':
      return { goal: { kind: 'score' }, costOf: costPerHour, costLimit: -value + COST_TIE * Math.max(1, -value) };
    case 'weights':
      return undefined;
  }
}

function onlyCandidates({ problem, solution: { candidates } }: SolvedGoal): SurrogateProblem {
  const stages = problem.stages.slice();
  labelGraph(problem.graph).order.forEach((stage, v) => {
    const options = problem.stages[stage] ?? [];
    stages[stage] = Array.from(candidates[v] ?? [], (o) => options[o] as SurrogateOption);
  });
  return { ...problem, stages };
}

function gapOf({ objective }: SurrogateProblem, { incumbent, upperBound, optimal }: LabelSolution): number {
  if (optimal || incumbent === undefined) return optimal ? 0 : 1;
  if (objective.kind === 'max-accuracy') return 1 - Math.exp(incumbent.value - upperBound);
  return (upperBound - incumbent.value) / Math.max(1e-12, Math.abs(upperBound), Math.abs(incumbent.value));
}

/** A gap remains if the label limit was reached. */
export function searchAdditive(problem: SurrogateProblem): Solution {
  const first = solveGoal(problem, firstGoal(problem));
  const { incumbent, optimal, labels } = first.solution;
  const proven = {
    optimal,
    gapFraction: gapOf(problem, first.solution),
    solver: first.packed ? `${SOLVER}, packed on nodes` : SOLVER,
  };
  if (incumbent === undefined || first.choice === undefined) return { ...proven, labels };
  const again = secondGoal(problem, incumbent.value);
  const second = again === undefined ? undefined : solveGoal(onlyCandidates(first), again);
  return { ...proven, choice: second?.choice ?? first.choice, labels: labels + (second?.solution.labels ?? 0) };
}
