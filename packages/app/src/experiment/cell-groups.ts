/**
 * Groups cells over all seeds. A group has means with intervals inside the figure's range (no attainment above 100 %)
 * and paired differences from a reference policy.
 */
import { type FigureRange, type MeanInterval, meanInterval95, rangedMeanInterval95 } from '@equipoise/core/model';
import { attainmentInterval95, runsThatComplete } from '@equipoise/core/simulate';
import type { CellResult } from './experiment-cell.js';
import { groupedBy } from './grouped-by.js';
import type { Platform } from './platform.js';

export const comparedFigures = {
  'within SLO %': (cell: CellResult) => 100 * cell.sloAttainmentFraction,
  accuracy: (cell: CellResult) => cell.pasMean,
  cores: (cell: CellResult) => cell.cpuCoresMean,
  'cost per hour': (cell: CellResult) => cell.costPerHourMean,
  'p99 ms': (cell: CellResult) => cell.latencyMs.p99,
} as const;

export type FigureName = keyof typeof comparedFigures;

const POSITIVE: FigureRange = { low: 0, high: Number.POSITIVE_INFINITY };

const figureRanges: Readonly<Record<FigureName, FigureRange>> = {
  'within SLO %': { low: 0, high: 100 },
  accuracy: { low: 0, high: 1 },
  cores: POSITIVE,
  'cost per hour': POSITIVE,
  'p99 ms': POSITIVE,
};

export const figureNames = Object.keys(comparedFigures) as readonly FigureName[];

/** Group of cells. `less`: paired difference from the reference policy; undefined for that policy, or without pairs. */
export interface CellGroup {
  readonly pipeline: string;
  readonly load: string;
  readonly policy: string;
  readonly platform: Platform;
  readonly seeds: number;
  readonly figures: Readonly<Record<FigureName, MeanInterval>>;
  readonly less: Readonly<Record<FigureName, MeanInterval>> | undefined;
}

export function cellGroups(cells: readonly CellResult[], reference: string): readonly CellGroup[] {
  const keyOf = ({ pipeline, load, policy, platform }: CellResult): string =>
    JSON.stringify([pipeline, load, policy, platform]);
  return [...groupedBy(cells, keyOf).values()].map((own): CellGroup => {
    const { pipeline, load, policy, platform } = own[0] as CellResult;
    const base = cells.filter(
      (cell) =>
        cell.pipeline === pipeline && cell.load === load && cell.platform === platform && cell.policy === reference,
    );
    const isPaired = policy !== reference && own.some(({ seed }) => base.some((cell) => cell.seed === seed));
    return {
      pipeline,
      load,
      policy,
      platform,
      seeds: own.length,
      figures: {
        ...byFigure((name, of) => rangedMeanInterval95(cellsWith(name, own).map(of), figureRanges[name])),
        'within SLO %': attainmentPercent(own),
      },
      less: isPaired ? byFigure((name, of) => meanInterval95(differences(pairsWith(name, own, base), of))) : undefined,
    };
  });
}

/** Attainment over all requests. Seeds without a miss have an interval, too. */
function attainmentPercent(cells: readonly CellResult[]): MeanInterval {
  const counts = cells.map(({ requests, sloAttainmentFraction }) => ({
    arrived: requests,
    withinSlo: Math.round(requests * sloAttainmentFraction),
  }));
  const { mean, low, high } = attainmentInterval95(counts);
  return { mean: 100 * mean, low: 100 * low, high: 100 * high };
}

function byFigure(
  intervalOf: (name: FigureName, of: (cell: CellResult) => number) => MeanInterval,
): Record<FigureName, MeanInterval> {
  const entries = figureNames.map((name) => [name, intervalOf(name, comparedFigures[name])] as const);
  return Object.fromEntries(entries) as Record<FigureName, MeanInterval>;
}

const OF_COMPLETED: readonly FigureName[] = ['accuracy', 'p99 ms'];

const cellsWith = (name: FigureName, cells: readonly CellResult[]): readonly CellResult[] =>
  OF_COMPLETED.includes(name) ? runsThatComplete(cells) : cells;

interface Pair {
  readonly cell: CellResult;
  readonly base: CellResult;
  /** Requests that both completed, or 0 if one completed none. */
  readonly completed: number;
}

/** Cells of the same seed. */
function pairsWith(name: FigureName, own: readonly CellResult[], bases: readonly CellResult[]): readonly Pair[] {
  const pairs = own.flatMap((cell) => {
    const base = bases.find(({ seed }) => seed === cell.seed);
    return base === undefined ? [] : [{ cell, base, completed: Math.min(cell.completed, base.completed) }];
  });
  return OF_COMPLETED.includes(name) ? runsThatComplete(pairs) : pairs;
}

const differences = (pairs: readonly Pair[], of: (cell: CellResult) => number): readonly number[] =>
  pairs.map(({ cell, base }) => of(cell) - of(base));
