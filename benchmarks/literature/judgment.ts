/** Judgement of a cell: differences by seed with 95 % intervals, and bars. */
import { type MeanInterval, meanInterval95 } from '@equipoise/core/model';
import type { CellFigures, PairedRuns, RunFigures } from './paired-runs.js';

/** Our figures minus those of the policy in one mode. Positive is good for PAS and attainment. */
export interface Comparison {
  readonly pasPoints: MeanInterval;
  readonly costFraction: MeanInterval;
  readonly attainmentPoints: MeanInterval;
  readonly attainmentFraction: number;
  readonly keepsGoal: boolean;
  readonly keepsAttainment: boolean;
  /** Figures whose interval excludes 0 on the better side. */
  readonly betterIn: readonly string[];
}

export interface JudgedCell {
  readonly cell: CellFigures;
  readonly policy: RunFigures;
  readonly maxAccuracy: Comparison;
  readonly minCost: Comparison;
  /** True if no verified plan is better in any measured interval. */
  readonly optimal: boolean;
  readonly better: boolean;
  readonly met: boolean;
}

const LEAST_PAS_POINTS = -0.1;
const MOST_COST_FRACTION = 0.01;
const ATTAINMENT = 0.995;

/** Means over the seeds. */
export function meanFigures(runs: readonly RunFigures[]): RunFigures {
  const mean = (of: (run: RunFigures) => number): number => meanInterval95(runs.map(of)).mean;
  return {
    attainmentFraction: mean((run) => run.attainmentFraction),
    pasPercent: mean((run) => run.pasPercent),
    cpuCores: mean((run) => run.cpuCores),
    p99Ms: mean((run) => run.p99Ms),
    droppedFraction: mean((run) => run.droppedFraction),
    changes: mean((run) => run.changes),
  };
}

type Mode = 'maxAccuracy' | 'minCost';

function comparison(runs: readonly PairedRuns[], mode: Mode): Comparison {
  const pairs = runs.map((run) => ({ theirs: run.policy, ours: run[mode] as RunFigures }));
  const pasPoints = meanInterval95(pairs.map(({ theirs, ours }) => ours.pasPercent - theirs.pasPercent));
  const costFraction = meanInterval95(pairs.map(({ theirs, ours }) => ours.cpuCores / theirs.cpuCores - 1));
  const attained = pairs.map(({ theirs, ours }) => 100 * (ours.attainmentFraction - theirs.attainmentFraction));
  const attainmentPoints = meanInterval95(attained);
  const ours = meanFigures(pairs.map((pair) => pair.ours));
  const theirs = meanFigures(pairs.map((pair) => pair.theirs));
  const better = { PAS: pasPoints.low > 0, cost: costFraction.high < 0, attainment: attainmentPoints.low > 0 };
  return {
    pasPoints,
    costFraction,
    attainmentPoints,
    attainmentFraction: ours.attainmentFraction,
    keepsGoal: mode === 'maxAccuracy' ? pasPoints.mean >= LEAST_PAS_POINTS : costFraction.mean <= MOST_COST_FRACTION,
    keepsAttainment: ours.attainmentFraction >= Math.min(ATTAINMENT, theirs.attainmentFraction),
    betterIn: Object.entries(better).flatMap(([name, is]) => (is ? [name] : [])),
  };
}

const holds = ({ keepsGoal, keepsAttainment }: Comparison): boolean => keepsGoal && keepsAttainment;

/** Judges a cell. Better figures count only in a mode whose bars are met. */
export function judged(cell: CellFigures): JudgedCell {
  const [maxAccuracy, minCost] = [comparison(cell.runs, 'maxAccuracy'), comparison(cell.runs, 'minCost')];
  const isBetter = (mode: Comparison): boolean => holds(mode) && mode.betterIn.length > 0;
  return {
    cell,
    policy: meanFigures(cell.runs.map((run) => run.policy)),
    maxAccuracy,
    minCost,
    optimal: cell.optimalIntervalsFraction === 1,
    better: isBetter(maxAccuracy) || isBetter(minCost),
    met: holds(maxAccuracy) && holds(minCost),
  };
}
