/**
 * Pareto front of PAS and cost under the surrogate. The ends of the front and some points between them form a scaffold.
 * A first pass approximates the front near the bounds of the scaffold. A second pass finds the rest. The approximation
 * sets the bars of that pass.
 */

import { chosenOptions, compileLabels, type LabelGoal } from '../labels/compile-labels.js';
import { type CutLayout, cutLayout } from '../labels/cut-layout.js';
import { type FrontierBound, type FrontierPass, frontierPass } from '../labels/frontier-pass.js';
import { type LabelProblem, totalAmount, totalScore } from '../labels/label-problem.js';
import { ascend, type Multipliers } from '../labels/multipliers.js';
import { type RelaxedScore, relaxedScore } from '../labels/relaxed-score.js';
import { type LabelSolution, solveLabels } from '../labels/solve-labels.js';
import { type StepTerms, stepTerms } from '../labels/step-terms.js';
import type { SurrogateOption, SurrogateProblem } from '../options/surrogate.js';
import { searchAdditive } from './additive-search.js';
import { costOf, pasOf } from './objective-value.js';
import { undominatedOptions } from './undominated-options.js';

export interface FrontierChoice {
  readonly choice: readonly SurrogateOption[];
  readonly pas: number;
  readonly costPerHour: number;
}

/** Front from the cheapest to the most accurate point. `complete`: the label limit was not reached. */
export interface SurrogateFrontier {
  readonly points: readonly FrontierChoice[];
  readonly complete: boolean;
}

const SCAFFOLD = 48;
const ROUNDING = 1e-12;
const BOUND_STEPS = 30;
/** Maximum distance (log PAS) below the bound for labels of the first pass. */
const NEAR = 0.02;
const NEAR_WIDTH = 4000;
const LEAST_TOLERANCE = 1e-12;
/** Relative difference up to which costs are equal. */
const COST_ROUNDING = 1e-9;

const scoreWithin = (costLimit: number): LabelGoal => ({
  goal: { kind: 'score' },
  costOf: (o) => o.costPerHour,
  costLimit,
});

interface ScaffoldPoint {
  readonly compiled: LabelProblem;
  readonly solution: LabelSolution;
  readonly choice: readonly SurrogateOption[];
  readonly score: number;
}

function scaffoldPoint(problem: SurrogateProblem, costLimit: number, near?: ScaffoldPoint): ScaffoldPoint | undefined {
  const compiled = compileLabels(problem, scoreWithin(costLimit));
  const solution = solveLabels(compiled, near?.solution.prices);
  const { incumbent } = solution;
  if (incumbent === undefined) return undefined;
  return { compiled, solution, score: incumbent.value, choice: chosenOptions(problem, incumbent.choice) };
}

/** Points by rising cost. Adds points between the neighbours of largest score gap. */
function scaffoldOf(problem: SurrogateProblem, least: number, most: number): readonly ScaffoldPoint[] {
  const ends = [least, most].map((cost) => scaffoldPoint(problem, cost * (1 + ROUNDING)));
  const points = ends.filter((point) => point !== undefined);
  const closed = new Set<ScaffoldPoint>();
  for (let i = 0; i < SCAFFOLD; i++) {
    const at = widestGap(points, closed);
    const [cheaper, dearer] = [points[at], points[at + 1]];
    if (cheaper === undefined || dearer === undefined) break;
    const middle = scaffoldPoint(problem, Math.sqrt(costOf(cheaper.choice) * costOf(dearer.choice)), dearer);
    if (middle === undefined || middle.score <= cheaper.score) closed.add(cheaper);
    else points.splice(at + 1, 0, middle);
  }
  return points;
}

/** Index before the widest gap of scores; −1 if there is none. */
function widestGap(points: readonly ScaffoldPoint[], closed: ReadonlySet<ScaffoldPoint>): number {
  let widest = -1;
  let gap = 0;
  points.forEach((point, i) => {
    const here = (points[i + 1]?.score ?? point.score) - point.score;
    if (here > gap && !closed.has(point)) [widest, gap] = [i, here];
  });
  return widest;
}

interface NearPoint {
  readonly cost: number;
  readonly score: number;
}

interface PricedPoint extends ScaffoldPoint {
  readonly multipliers: Multipliers;
  readonly terms: readonly StepTerms[];
}

interface SweepInput {
  readonly relaxed: RelaxedScore;
  readonly layout: CutLayout;
}

function pricePoint(point: ScaffoldPoint, { relaxed, layout }: SweepInput): PricedPoint {
  const { compiled: problem, solution, score } = point;
  const { prices } = solution;
  const { multipliers } = ascend(problem, relaxed, { iterations: BOUND_STEPS, known: score, prices });
  return { ...point, multipliers, terms: stepTerms({ problem, layout, relaxed, multipliers }) };
}

function staircase(points: readonly NearPoint[]): readonly NearPoint[] {
  const sorted = [...points].sort((a, b) => a.cost - b.cost || b.score - a.score);
  const rising: NearPoint[] = [];
  for (const point of sorted) if (point.score > (rising.at(-1)?.score ?? Number.NEGATIVE_INFINITY)) rising.push(point);
  return rising;
}

const pointOf = (problem: LabelProblem, choice: Int32Array): NearPoint => ({
  cost: totalAmount(problem, choice, 0),
  score: totalScore(problem, choice),
});

/**
 * A new choice is cheaper than the next known point and exceeds the previous point's score. Under the bound for cost
 * limit L, with price p per unit, it is worth more than score + p · (L − next cost).
 */
function barBetween(cheaper: NearPoint, dearer: PricedPoint, known: readonly NearPoint[]): number {
  const price = dearer.multipliers.unitPrices[0] as number;
  const limit = dearer.compiled.amounts[0]?.limit as number;
  const near = known.filter(({ cost }) => cost >= cheaper.cost && cost <= limit);
  return near
    .slice(0, -1)
    .reduce(
      (bar, { score }, i) => Math.min(bar, score + price * (limit - (near[i + 1] as NearPoint).cost)),
      Number.POSITIVE_INFINITY,
    );
}

function fillFront(scaffold: readonly PricedPoint[], input: SweepInput, tolerance: number): FrontierPass {
  const last = scaffold.at(-1) as PricedPoint;
  const problem = last.compiled;
  const dearer = scaffold.slice(1);
  const nearBounds = dearer.map(({ terms, multipliers }) => ({ terms, bar: multipliers.bound - NEAR }));
  const near = frontierPass({ ...input, problem, bounds: nearBounds, width: NEAR_WIDTH });
  const chosen = scaffold.map(({ solution }) => solution.incumbent?.choice as Int32Array);
  const known = staircase([...chosen, ...near.choices].map((choice) => pointOf(problem, choice)));
  const bounds = dearer.map((point, i): FrontierBound => {
    const cheaper = pointOf(problem, chosen[i] as Int32Array);
    return { terms: point.terms, bar: barBetween(cheaper, point, known) + Math.max(tolerance, LEAST_TOLERANCE) };
  });
  const width = Math.ceil(problem.labelLimit / problem.nodes.length);
  const rest = frontierPass({ ...input, problem, bounds, width });
  return { ...rest, choices: [...near.choices, ...rest.choices] };
}

function frontOf(
  problem: SurrogateProblem,
  choices: readonly (readonly SurrogateOption[])[],
  tolerance: number,
): readonly FrontierChoice[] {
  const points = choices.map((choice) => ({
    choice,
    pas: pasOf(problem.accuracy, choice),
    costPerHour: costOf(choice),
  }));
  points.sort((a, b) => a.costPerHour - b.costPerHour || b.pas - a.pas);
  const front: FrontierChoice[] = [];
  for (const point of points)
    if (point.pas > (front.at(-1)?.pas ?? 0) * (1 + Math.max(tolerance, 1e-12))) front.push(point);
  const nextCost = (i: number): number => front[i + 1]?.costPerHour ?? Number.POSITIVE_INFINITY;
  return front.filter(({ costPerHour }, i) => nextCost(i) > costPerHour * (1 + COST_ROUNDING));
}

/** Accuracy must be a product. `tolerance` is a fraction of PAS. */
export function surrogateFrontier(problem: SurrogateProblem, tolerance: number): SurrogateFrontier {
  const lean = undominatedOptions({ ...problem, objective: { kind: 'max-accuracy' } });
  const top = searchAdditive({ ...lean, objective: { kind: 'max-accuracy' } }).choice;
  const bottom = searchAdditive({ ...lean, objective: { kind: 'min-cost', accuracyFloor: 0 } }).choice;
  if (top === undefined || bottom === undefined) return { points: [], complete: true };
  const scaffold = scaffoldOf(lean, costOf(bottom), costOf(top));
  const last = scaffold.at(-1);
  if (last === undefined) return { points: [], complete: true };
  const input = { relaxed: relaxedScore(last.compiled), layout: cutLayout(last.compiled) };
  const filling = fillFront(
    scaffold.map((point) => pricePoint(point, input)),
    input,
    tolerance,
  );
  const choices = [
    top,
    bottom,
    ...scaffold.map(({ choice }) => choice),
    ...filling.choices.map((c) => chosenOptions(lean, c)),
  ];
  return { points: frontOf(lean, choices, tolerance), complete: filling.complete };
}
