/** Cells of PipeBench: which loads each question is asked under. Chosen so that the whole takes about an hour on two cores. */
import type { CellPlace } from './policies.js';
import { type Goal, PUBLISHED } from './questions.js';

export interface BenchCell extends CellPlace {
  readonly goal: Goal;
}

/** One simulation. `policy` is the name of a built-in policy or the path of a foreign one. */
export interface BenchRun extends BenchCell {
  readonly policy: string;
  readonly foreign: boolean;
  readonly seed: number;
}

const LOADS: readonly (readonly [pipeline: string, goal: Goal, loads: readonly string[]])[] = [
  ['video', 'weights', ['bursty', 'fluctuating', 'steady-low', 'steady-high']],
  ['audio-qa', 'weights', ['bursty', 'fluctuating']],
  ['sum-qa', 'weights', ['bursty', 'fluctuating']],
  ['video', 'min-cost', ['big-spike', 'dual-phase', 'gamma-cv4']],
  ['detect-and-classify', 'min-cost', ['bursty', 'big-spike', 'dual-phase']],
  ['detect-and-classify', 'max-accuracy', ['bursty', 'fluctuating']],
  ['shelf-day', 'min-cost', ['steady-low', 'bursty']],
  ['shelf-day', 'max-accuracy', ['bursty', 'fluctuating']],
];

/** Small version: one question and load, all policies, one seed. */
const QUICK: BenchCell = { pipeline: 'detect-and-classify', goal: 'min-cost', load: 'short-step' };

export interface CellChoice {
  readonly quick: boolean;
  /** True if published profiles are at hand. */
  readonly published: boolean;
  /** Words that the name of a cell must contain. */
  readonly only: readonly string[];
}

export const cellText = ({ pipeline, goal, load }: CellPlace): string => `${pipeline}, ${goal}, ${load}`;

export function benchCells({ quick, published, only }: CellChoice): readonly BenchCell[] {
  const all = quick
    ? [QUICK]
    : LOADS.flatMap(([pipeline, goal, loads]) => loads.map((load): BenchCell => ({ pipeline, goal, load })));
  return all
    .filter(({ pipeline }) => published || !PUBLISHED.includes(pipeline))
    .filter((cell) => only.every((word) => cellText(cell).includes(word)));
}

export interface RunChoice {
  readonly seeds: readonly number[];
  /** Paths of foreign policies. */
  readonly foreign: readonly string[];
  /** Names of built-in policies. */
  readonly against: readonly string[];
}

/**
 * All runs: foreign policies first, because their authors wait for them. Both parts are cell by cell, so that runs of a
 * process share what they have computed.
 */
export function benchRuns(cells: readonly BenchCell[], { seeds, foreign, against }: RunChoice): readonly BenchRun[] {
  const runsOf = (policies: readonly string[], isForeign: boolean) =>
    cells.flatMap((cell) =>
      policies.flatMap((policy) => seeds.map((seed): BenchRun => ({ ...cell, policy, foreign: isForeign, seed }))),
    );
  return [...runsOf(foreign, true), ...runsOf(against, false)];
}
