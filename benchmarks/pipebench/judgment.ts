/** Judgment of all cells: which policies dominate ours, and which ours dominates. */
import type { CellFigures } from './cell.js';
import type { RunOutcome } from './cell-process.js';
import { type BenchCell, type BenchRun, cellText } from './cells.js';
import { type Comparison, compared, LEAST_SEEDS } from './dominance.js';
import { benchPolicies, isOnGround, OURS } from './policies.js';

export interface PolicyResult {
  readonly policy: string;
  /** One per seed; empty if the policy has no plan. */
  readonly runs: readonly CellFigures[];
  readonly noPlan?: string;
}

export interface CellResult {
  readonly cell: BenchCell;
  readonly policies: readonly PolicyResult[];
}

/** A policy that dominates ours in a cell. `withoutOurs`: ours has no plan there. */
export interface Domination {
  readonly cell: BenchCell;
  readonly policy: string;
  readonly onItsGround: boolean;
  readonly comparison?: Comparison;
}

export interface PolicyScore {
  readonly policy: string;
  readonly cells: number;
  readonly dominatesOurs: number;
  readonly dominatedByOurs: number;
  readonly groundCells: number;
  readonly dominatesOursOnGround: number;
}

export interface Judgment {
  /** Cells that are on the published ground of a policy that ran there. */
  readonly groundCells: number;
  /** Policies with a publication that ran in no cell of their ground. */
  readonly notOnGround: readonly string[];
  readonly dominations: readonly Domination[];
  readonly scores: readonly PolicyScore[];
  /** True if ours ran, with enough seeds to judge. */
  readonly conclusive: boolean;
}

/** Results by cell and policy, in the order of the runs. `nameOf`: name of a policy in the results. */
export function cellResults(
  outcomes: readonly (readonly [BenchRun, RunOutcome])[],
  nameOf: (policy: string) => string,
): readonly CellResult[] {
  const cells = new Map<string, { cell: BenchCell; policies: Map<string, RunOutcome[]> }>();
  for (const [{ pipeline, goal, load, policy }, outcome] of outcomes) {
    const cell = { pipeline, goal, load };
    const key = cellText(cell);
    const known = cells.get(key) ?? { cell, policies: new Map<string, RunOutcome[]>() };
    cells.set(key, known);
    known.policies.set(policy, [...(known.policies.get(policy) ?? []), outcome]);
  }
  return [...cells.values()].map(({ cell, policies }) => ({
    cell,
    policies: [...policies].map(([policy, all]) => policyResult(nameOf(policy), all)),
  }));
}

/** True if ours ran, even if it has no plan. */
export const hasOurs = ({ policies }: CellResult): boolean => policies.some(({ policy }) => policy === OURS);

function policyResult(policy: string, outcomes: readonly RunOutcome[]): PolicyResult {
  const failed = outcomes.find((outcome) => outcome.kind === 'no-plan');
  if (failed?.kind === 'no-plan') return { policy, runs: [], noPlan: failed.message };
  return { policy, runs: outcomes.flatMap((outcome) => (outcome.kind === 'simulated' ? [outcome.figures] : [])) };
}

const onGround = (policy: string, cell: BenchCell): boolean => {
  const known = benchPolicies.find(({ name }) => name === policy);
  return known !== undefined && isOnGround(known, cell);
};

const runsOf = ({ policies }: CellResult, policy: string): readonly CellFigures[] =>
  policies.find((each) => each.policy === policy)?.runs ?? [];

/** Dominations of ours in one cell. A policy with a plan dominates ours without one. */
function dominationsOf(result: CellResult): readonly Domination[] {
  if (!hasOurs(result)) return [];
  const ours = runsOf(result, OURS);
  return result.policies.flatMap(({ policy, runs }): readonly Domination[] => {
    if (policy === OURS || runs.length === 0) return [];
    const found = { cell: result.cell, policy, onItsGround: onGround(policy, result.cell) };
    if (ours.length === 0) return [found];
    const comparison = compared(runs, ours);
    return comparison.dominates ? [{ ...found, comparison }] : [];
  });
}

function scoreOf(policy: string, results: readonly CellResult[], dominations: readonly Domination[]): PolicyScore {
  const run = results.filter((result) => runsOf(result, policy).length > 0);
  const own = dominations.filter((each) => each.policy === policy);
  return {
    policy,
    cells: run.length,
    dominatesOurs: own.length,
    dominatedByOurs: run.filter((result) => {
      const ours = runsOf(result, OURS);
      return ours.length > 0 && compared(ours, runsOf(result, policy)).dominates;
    }).length,
    groundCells: run.filter(({ cell }) => onGround(policy, cell)).length,
    dominatesOursOnGround: own.filter(({ onItsGround }) => onItsGround).length,
  };
}

export function judgment(results: readonly CellResult[]): Judgment {
  const dominations = results.flatMap(dominationsOf);
  const names = [...new Set(results.flatMap(({ policies }) => policies.map(({ policy }) => policy)))];
  const others = names.filter((policy) => policy !== OURS);
  const ranOnGround = (result: CellResult, policy: string): boolean =>
    onGround(policy, result.cell) && runsOf(result, policy).length > 0;
  const fewest = Math.min(...results.map((result) => runsOf(result, OURS).length || LEAST_SEEDS));
  return {
    groundCells: results.filter((result) => others.some((policy) => ranOnGround(result, policy))).length,
    notOnGround: benchPolicies
      .filter(({ name, ground }) => ground.length > 0 && !results.some((result) => ranOnGround(result, name)))
      .map(({ name }) => name),
    dominations,
    scores: others.map((policy) => scoreOf(policy, results, dominations)),
    conclusive: fewest >= LEAST_SEEDS && results.some(hasOurs),
  };
}
